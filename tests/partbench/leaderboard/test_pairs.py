from __future__ import annotations

from planted_results import cells, planted

from partbench.leaderboard.pairs import pairs


def test_no_results_make_no_pairs() -> None:
    assert pairs(*planted([])).empty
    assert list(pairs(*planted(cells("srae", lambda t, s: {"accuracy": 0.5})))) == list(pairs(*planted([])))
