"""`bench list KIND NAME`: options, needs, tasks and layers of one plugin."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from partbench.cli.main import main
from partbench.cli.one_plugin import in_short, readable


def listed(*words: str) -> str:
    result = CliRunner().invoke(main, ["list", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_explainer_has_its_options_with_defaults_types_and_what_they_are() -> None:
    row = json.loads(listed("explainers", "srae", "--json"))
    options = {option["name"]: option for option in row["options"]}
    assert options["n"]["value"] == "5"
    assert options["n"]["what"].startswith("number of x-features")
    assert options["beta"]["value"] == "15.0"  # of the profile
    text = listed("explainers", "srae")
    assert "15.0, set by other options" in text
    assert "float >= 0" in text


def test_a_metric_says_what_it_needs_and_a_dataset_which_tasks_it_has() -> None:
    assert json.loads(listed("metrics", "locality", "--json"))["facts"]["needs"] == "maps"
    tasks = [task["name"] for task in json.loads(listed("datasets", "fauna", "--json"))["tasks"]]
    assert {"fauna/bird", "fauna/bird:others", "fauna/multi:bird", "fauna/multi"} < set(tasks)
    assert "parts" in listed("datasets", "fauna")
    assert "fauna/bird:others" in listed("tasks", "fauna")


def test_a_performer_has_its_layers() -> None:
    text = listed("performers", "small_vgg")
    (row,) = [line for line in text.splitlines() if "top_conv" in line]
    assert [word for word in row.split() if word.isdigit()] == ["48", "16", "16", "36", "4", "2"]


def test_of_a_thousand_logits_the_first_and_the_last_are_named() -> None:
    assert in_short([str(i) for i in range(1000)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 999 (1,000)"
    assert in_short(["bird", "cat"]) == "bird, cat"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(main, ["list", "explainers", "srea"])
    assert result.exit_code == 2
    assert "did you mean 'srae'?" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("typing.Annotated[int, Ge(ge=1)]", "int >= 1"),
        ("Annotated[int, Ge(1)]", "int >= 1"),
        ("tuple[Annotated[int, Ge(1)], ...]", "tuple[int >= 1, ...]"),
        ("Annotated[float, Ge(0), Le(1)] | Literal['a', 'b']", "float >= 0 <= 1 | 'a' | 'b'"),
        ("bool", "bool"),
    ],
)
def test_types_are_said_in_words(text: str, said: str) -> None:
    assert readable(text) == said
