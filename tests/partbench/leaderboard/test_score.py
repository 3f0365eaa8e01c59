from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from planted_results import planted, row

from partbench.leaderboard.score import Score, arrow, scores_of
from partbench.leaderboard.standings import standings


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two explainers on two tasks with two seeds; a floor; one that failed."""
    rows = [
        row(name, task, value + seed / 100, seed=seed, control="floor" if name == "floor" else "")
        for (name, value), task, seed in itertools.product(
            {"srae": 0.1, "nn": 0.4, "floor": 0.9}.items(), ("cat", "dog"), range(2)
        )
    ]
    return standings(*planted([*rows, row("none", "cat", None, status="failed", reason="no maps")]))


@pytest.fixture
def evidence(table: pd.DataFrame) -> Score:
    return next(score for score in scores_of(table) if score.explainer == "srae")


def test_scores_are_the_rows_of_standings_with_none_for_what_is_missing(table: pd.DataFrame) -> None:
    found = scores_of(table)
    assert [score.label for score in found] == table["explainer"].tolist()
    for score, expected in zip(found, table.to_dict("records"), strict=True):
        for name in ("value", "low", "high"):
            mine = getattr(score, name)
            assert (mine is None) == bool(np.isnan(expected[name]))
            assert mine is None or mine == expected[name]
        assert (score.ranks is None) == bool(pd.isna(expected["rank_low"]))
    by_name = {score.explainer: score for score in found}
    assert (by_name["none"].value, by_name["none"].tasks) == (None, 0)
    assert {score.of for score in found} == {2}
    shown = [end for score in found for end in (score.low, score.high) if end is not None]
    assert {score.axis for score in found} == {(min(shown), max(shown))}


def test_an_arrow_shows_what_is_better() -> None:
    assert [arrow(higher) for higher in (True, False, None, np.True_)] == ["↑", "↓", "", "↑"]


def test_five_steps_go_from_the_first_ranks_to_the_last(evidence: Score) -> None:

    places = [dataclasses.replace(evidence, ranks=(rank, rank), of=5) for rank in range(1, 6)]
    assert [place.step for place in places] == [5, 4, 3, 2, 1]
    assert dataclasses.replace(evidence, ranks=(1, 5), of=5).step == 3
    assert dataclasses.replace(evidence, ranks=(1, 1), of=1).step == 0
    assert dataclasses.replace(evidence, ranks=None).step == 0


def test_a_score_without_evidence_has_no_shade(evidence: Score) -> None:

    assert dataclasses.replace(evidence, beaten_by_control=True).step == 0
    assert dataclasses.replace(evidence, unsupported=True).step == 0
