"""The sections of a board on rows that others submitted."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources
from partbench.results.provenance import sha256
from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.results.submission_history import SELF_REPORTED, VERIFIED, WITHDRAWN, SubmissionEvent, record


def add(results: Path, explainer: str, *statuses: str, reason: str = "") -> Cell:
    """A cell of two images, with a history."""
    made = cell(explainer=explainer)
    found = [row | {"unit_kind": "all" if row["unit"] == "all" else "image"} for row in rows([0.25, 0.75])]
    path = write_cell(results, found, made)
    file = path.relative_to(results).as_posix()
    times = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 1 + len(statuses))]
    events = zip(statuses, times, strict=True)
    record(
        results, [SubmissionEvent(made.key, file, sha256(path), status, "Ann", at, "", reason) for status, at in events]
    )
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    write_cell(folder, rows([0.25, 0.75]), cell(explainer="ours"))
    return folder


def page(results: Path) -> str:
    return pages(Sources.of(results), {})["fauna/multi.each.md"]


def section(text: str, heading: str) -> list[str]:
    """The rows of the table below a heading."""
    below = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in below.splitlines() if line.startswith("|")][2:]


def test_self_reported_rows_stand_below_with_a_mark_and_nowhere_else(results: Path) -> None:
    made = add(results, "stranger", SELF_REPORTED)
    text = page(results)
    above, _, below = text.partition("## Self-reported")
    assert "stranger" not in above
    (row,) = section(text, "Self-reported")
    assert [cell.strip() for cell in row.split("|")[1:4]] == ["stranger ◇", "locality ↓", "0.500"]
    assert made.key in below


def test_verified_rows_are_among_the_others_and_their_history_below(results: Path) -> None:
    made = add(results, "stranger", SELF_REPORTED, VERIFIED)
    text = page(results)
    assert "stranger" in text.partition("## Submitted cells")[0]
    assert "## Self-reported" not in text
    found = section(text, "Submitted cells")
    assert [("self-reported" in row, "verified" in row) for row in found] == [(True, False), (False, True)]
    assert all(made.key in row for row in found)


def test_withdrawn_rows_have_a_history_alone_whose_texts_are_no_markup(results: Path) -> None:
    add(results, "stranger", VERIFIED, WITHDRAWN, reason="<b>|cheat")
    text = page(results)
    assert "stranger" not in text.partition("## Submitted cells")[0]
    assert r"&lt;b&gt;\|cheat" in section(text, "Submitted cells")[-1]


def test_without_submitted_cells_there_are_no_such_sections(results: Path) -> None:
    assert "## Self-reported" not in page(results)
    assert "## Submitted cells" not in page(results)
