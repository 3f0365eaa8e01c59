"""The tables and sentences that `bench run` ends with."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pandas as pd
import pytest

from partbench.cli.closing import Closing, _notes, _of_no_use, number, print_closing
from partbench.cli.progress import Display
from partbench.cli.run_summary import print_closing_tables
from partbench.leaderboard.summary import Against, RunLine
from partbench.leaderboard.with_published import JoinedResults

FLOOR = Against("random_maps", 0.1, True, 0.0, "better")
BEST = Against("nn", 0.999, False, 0.0, "worse")
LINE = RunLine(
    "fauna/multi:*", ("fauna/multi:cat",), "mine", "faithfulness_classification", "ranks", True, 0.5, 0.4, 0.6, True,
    FLOOR, BEST,
)  # fmt: skip
LINES = [LINE, replace(LINE, metric="locality", use="screens only", published=None)]


def printed(monkeypatch: pytest.MonkeyPatch, width: int, found: Closing, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_closing(found, width)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 160])
def test_tables_and_sentences_fit_the_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = printed(monkeypatch, width, Closing(LINES, [], ["mine"]))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    words = ["mine on fauna/multi:cat", "random_maps 0.100", "nn 0.999", "worse", "0.400 to 0.600", "one seed"]
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_arrows_gets_other_signs(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text = printed(monkeypatch, 160, Closing(LINES, [], ["mine"]), encoding)
    assert ("?" in text, "(+)" in text, "0.500" + {"ascii": "*", "cp1252": "°"}[encoding] in text) == (
        False,
        True,
        True,
    )


def test_of_many_explainers_there_are_sentences_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [replace(LINE, explainer=name) for name in "abcd"]
    text = printed(monkeypatch, 80, Closing(lines, [], list("abcd")))
    assert [line[:2] for line in text.splitlines() if line[1:2] == ":"] == ["a:", "b:", "c:", "d:"]
    assert "best floor" not in text


def test_metrics_of_no_use_on_the_dataset_are_named() -> None:
    rows = pd.DataFrame({"metric": ["locality", "accuracy", "locality"], "dataset": ["fauna", "fauna", "mine"]})
    uses = {("locality", "fauna"): "do not use here", ("accuracy", "fauna"): "ranks"}
    assert list(_of_no_use(rows, uses)) == ["not shown: locality; do not use it here, say the cards"]
    assert list(_of_no_use(rows[rows["metric"] == "accuracy"], uses)) == []


def test_zero_has_no_sign() -> None:
    assert [number(value) for value in (-0.0001, 0.0, -0.001)] == ["0.000", "0.000", "-0.001"]


def test_a_failure_of_the_comparison_is_one_line_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"explainer": ["mine"], "variant": "", "control": "", "status": "ok"})
    assert not print_closing_tables(Display(quiet=False), rows, [])
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("warning: not compared with published results: ")


@pytest.mark.parametrize(
    ("task", "note"),
    [
        ("fauna/multi:cat", "published results of fauna/multi:cat lack pointing; floors are those of this run"),
        ("birds/multi:wren", "nothing is published of birds/multi:wren to compare with; floors are those of this run"),
    ],
)
def test_a_metric_that_is_not_published_is_told_from_a_task_that_is_not(task: str, note: str) -> None:
    rows = pd.DataFrame(
        {
            "task": [task],
            "metric": "pointing@top",
            "explainer": "edges",
            "distribution": "partbench",
            "control": "floor",
        }
    )
    found = JoinedResults(rows, pd.DataFrame(), frozenset(), ())
    assert _notes(found, rows, {"fauna/multi:cat"}) == [note]
