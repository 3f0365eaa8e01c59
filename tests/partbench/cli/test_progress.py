"""What is printed while cells run, where there is no terminal."""

from __future__ import annotations

import pytest

from partbench.cli.progress import Display, duration, verdict
from partbench.running.cell_job import CellJob, CellOutcome, Setting

JOB = CellJob("srae", {}, "fauna/multi:bird", 0, Setting("/r"))


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_each_event_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=False) as display:
        display.began(0, "preparing fauna/multi@small_vgg")
        display.progress(0, "rendering", 5, 10)
        display.ended(0)
        display.total(2, 2)
        display.began(0, JOB.label)
        display.tick()
        display.ended(0)
        display.cell(CellOutcome(JOB, "done", "/r/a.parquet", seconds=3.2, pictures=("a.png",), notes=("a note",)))
        display.cell(CellOutcome(JOB, "failed", reason="killed by signal 9 (SIGKILL)"))
    assert lines(capsys) == [
        "preparing fauna/multi@small_vgg",
        "2 cells, 2 workers",
        "[1/2] srae on fauna/multi:bird, seed 0: done in 3 s",
        "      picture a.png",
        "      a note",
        "[2/2] srae on fauna/multi:bird, seed 0: FAILED, killed by signal 9 (SIGKILL)",
    ]


def test_a_quiet_display_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=True) as display:
        display.began(0, "preparing")
        display.cell(CellOutcome(JOB, "done"))
    assert lines(capsys) == []


def test_brackets_of_labels_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=False) as display:
        display.line("plugin [red]x[/red]")
    assert lines(capsys) == ["plugin [red]x[/red]"]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (CellOutcome(JOB, "finished before", "a.parquet"), "finished before (a.parquet; --overwrite does it again)"),
        (CellOutcome(JOB, "skipped", reason="explains one logit"), "skipped, explains one logit"),
        (CellOutcome(JOB, "done", seconds=90, failed_metrics={"a": "raised"}), "done in 1.5 min, FAILED: a (raised)"),
    ],
)  # fmt: skip
def test_a_verdict_says_how_a_cell_ended(outcome: CellOutcome, text: str) -> None:
    assert verdict(outcome) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (150, "2.5 min"), (4320, "1.2 h")])
def test_durations_have_two_digits_or_so(seconds: float, text: str) -> None:
    assert duration(seconds) == text
