"""Self-reported rows in a comparison that names them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from planted_cells import cell, rows

from partbench.cli.main import main
from partbench.leaderboard.with_self_reported import with_self_reported
from partbench.results.provenance import now, sha256
from partbench.results.store import load_results, write_cell
from partbench.results.submission_history import SELF_REPORTED, WITHDRAWN, SubmissionEvent, record

NAMES = ("ours", "stranger")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Cells of 30 images in two seeds: ours, and those of a stranger, of whom the second owner is withdrawn."""
    folder = tmp_path / "results"
    for name, status in (("ours", ""), ("other", ""), ("stranger", SELF_REPORTED), ("gone", WITHDRAWN)):
        for seed in (0, 1):
            made = cell(explainer=name, seed=seed)
            values = np.linspace(0.1, 0.4, 30) + 0.3 * (name == "ours") + 0.01 * seed
            found = [row | {"unit_kind": "all" if row["unit"] == "all" else "image"} for row in rows(list(values))]
            path = write_cell(folder, found, made)
            event = (made.key, path.relative_to(folder).as_posix(), sha256(path), status, "Ann", now())
            record(folder, [SubmissionEvent(*event)] if status else [])
    return folder


def test_only_the_two_explainers_are_returned_and_the_self_reported_one_is_named(results: Path) -> None:
    found, reported = with_self_reported(load_results(results), NAMES)
    assert set(found["label"]) == set(NAMES)
    assert reported == {"stranger"}
    for names in (("ours", "other"), ("ours", "gone")):
        found, reported = with_self_reported(load_results(results), names)
        assert (set(found["label"]), reported) == ({"ours", "other"}, set())


def test_a_comparison_with_it_is_marked_and_is_no_verdict_of_a_board(results: Path) -> None:
    words = ["compare", *NAMES, "--results", str(results)]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "ours - stranger ◇" in shown.output
    assert shown.output.splitlines()[-1].startswith("◇: self-reported, not verified here")
    (row,) = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert (row["self_reported"], row["family"]) == (["stranger"], "lines")
    plain = CliRunner().invoke(main, ["compare", "ours", "other", "--results", str(results), "--json"])
    assert [row["self_reported"] for row in json.loads(plain.stdout)] == [[]]
