"""Self-reported and withdrawn rows take part in nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from planted_cells import cell, rows

from partbench.leaderboard.build import standings
from partbench.leaderboard.current import current
from partbench.leaderboard.unused import unused_cells
from partbench.results.provenance import now, sha256
from partbench.results.schema import Cell
from partbench.results.store import load_with_evidence, write_cell
from partbench.results.submission_history import SELF_REPORTED, VERIFIED, WITHDRAWN, SubmissionEvent, record


def add(results: Path, values: list[float], of: Cell, status: str = "", **columns: object) -> None:
    """A cell with values of images, published with this status if there is one."""
    found = [row | {"unit_kind": "all" if row["unit"] == "all" else "image"} | columns for row in rows(values)]
    path = write_cell(results, found, of)
    if status:
        file = path.relative_to(results).as_posix()
        record(results, [SubmissionEvent(of.key, file, sha256(path), status, "Ann", now())])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for seed in (0, 1):
        add(folder, [0.5, 0.6, 0.7, 0.8], cell(explainer="worse", seed=seed))
        add(folder, [0.3, 0.4, 0.5, 0.6], cell(explainer="better", seed=seed))
    return folder


def ranked(results: Path) -> pd.DataFrame:
    return standings(*load_with_evidence(results)).drop(columns="categories")


@pytest.mark.parametrize("status", [SELF_REPORTED, WITHDRAWN])
def test_what_is_not_verified_changes_no_value_rank_version_or_floor(results: Path, status: str) -> None:
    before = ranked(results)
    for seed in (0, 1):
        add(results, [0.0, 0.1, 0.0, 0.1], cell(explainer="liar", seed=seed), status)
        # a newer version of the metric, a floor, and one more task: each would move the others if it took part
        newer = {"metric_version": "9"}
        add(results, [0.0, 0.0, 0.0, 0.0], cell(explainer="newer", seed=seed), status, **newer)
        add(results, [0.0, 0.0, 0.0, 0.0], cell(explainer="floor", seed=seed), status, control="floor")
        add(results, [0.1, 0.1, 0.1, 0.1], cell(explainer="liar", task="fauna/multi:dog", seed=seed), status)
    pd.testing.assert_frame_equal(ranked(results), before)


def test_verified_rows_are_ranked_with_the_others(results: Path) -> None:
    for seed in (0, 1):
        add(results, [0.0, 0.1, 0.0, 0.1], cell(explainer="ours", seed=seed), VERIFIED)
    table = ranked(results).set_index("explainer")
    assert table.loc["ours", "rank_low"] == 1


def test_a_withdrawn_row_leaves_the_board_it_was_on(results: Path) -> None:
    gone = cell(explainer="better", seed=1)
    path = gone.path(results)
    record(
        results, [SubmissionEvent(gone.key, path.relative_to(results).as_posix(), sha256(path), WITHDRAWN, "A", now())]
    )
    frame, _ = load_with_evidence(results)
    assert gone.key not in set(current(frame)["cell"])
    assert unused_cells(frame).empty
