from __future__ import annotations

import json

import numpy as np
import pytest

from partbench.results.json_values import in_json


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(3), np.bool_(True), "text", 0.1, None])
def test_a_value_comes_back_from_its_json(value: object) -> None:
    assert json.loads(json.dumps(in_json(value), allow_nan=False)) == value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32(np.nan)])
def test_a_number_that_json_lacks_is_none(value: float) -> None:
    assert in_json(value) is None
