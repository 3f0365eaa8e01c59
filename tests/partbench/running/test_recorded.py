"""Jobs made from the rows of cells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from partbench.errors import InputError
from partbench.running.cell_job import Setting
from partbench.running.recorded import no_such_explainer, recorded_job

ROW = {"explainer": "srae", "task": "fauna/multi:bird", "seed": 3}


def given(variant: Any, options: str) -> dict[str, str]:
    return dict(recorded_job({**ROW, "variant": variant, "options": options}, Setting("results")).given)


def test_only_the_options_that_the_variant_names_are_given_with_their_recorded_values() -> None:
    options = {"profile": "released", "rho": 0.3, "layers": [64, 5], "text": "a,b=c", "none": None}
    assert given("", json.dumps(options)) == {}
    assert given(None, json.dumps(options)) == {}
    found = given("layers=[64,5],none=null,profile=released,text=a,b=c", json.dumps(options))
    assert found == {"layers": "[64, 5]", "none": "null", "profile": '"released"', "text": '"a,b=c"'}


@pytest.mark.parametrize("options", ["", "[1]", "1", "{", "[" * 100_000])
def test_options_that_are_no_object_end_in_one_line(options: str) -> None:
    with pytest.raises(InputError, match="expected a JSON object"):
        given("rho=1", options)


def test_of_a_cell_of_a_plugin_file_the_file_is_asked_for() -> None:
    assert "add --plugin-file PATH/mine.py" in no_such_explainer({**ROW, "distribution": "mine.py"})
    assert no_such_explainer({**ROW, "distribution": "partbench"}) == no_such_explainer(ROW) == ""
