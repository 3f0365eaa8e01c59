"""What a run ends with: verdicts against floors and the best published explainer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from published_cells import Planted, own, published

from partbench.leaderboard.summary import RunLine, sentences, summary
from partbench.leaderboard.with_published import with_published

USES = {"accuracy": "ranks", "locality": "screens only", "masked_accuracy": "do not use here"}
FLOORS = [Planted("floor_a", 0.3, "floor", seed) for seed in (0, 1)]
FLOORS += [Planted("floor_bb", 0.5, "floor", seed) for seed in (0, 1)]


def lines(folder: Path, mine: list[Planted], theirs: list[Planted]) -> list[RunLine]:
    found = with_published(*own(folder, mine), published(folder, theirs, USES))
    return summary(found, {"mine"}, {(metric, "fauna"): use for metric, use in USES.items()})


def of_mine(mean: float, **more: tuple[str, ...]) -> list[Planted]:
    return [Planted("mine", mean, seed=seed, **more) for seed in (0, 1)]


def test_the_best_floor_and_the_best_published_explainer_are_named_with_verdicts(tmp_path: Path) -> None:
    theirs = [Planted(name, mean, seed=seed) for name, mean in (("nn", 0.9), ("sae", 0.7)) for seed in (0, 1)]
    [line] = lines(tmp_path, of_mine(0.8), FLOORS + theirs)
    assert line.floor
    assert line.published
    assert (line.floor.label, line.floor.verdict) == ("floor_bb", "better")
    assert (line.published.label, line.published.verdict) == ("nn", "worse")
    assert not line.one_seed
    assert list(sentences([line])) == [
        "mine: better than every floor in 1 of 1 metric that ranks; "
        "the best published row is surely better in accuracy (nn)."
    ]


def test_an_explainer_that_one_floor_equals_is_not_better_than_every_floor(tmp_path: Path) -> None:
    [line] = lines(tmp_path, of_mine(0.5001), FLOORS)
    assert line.floor
    assert (line.floor.verdict, line.published) == ("not separated", None)
    assert list(sentences([line])) == ["mine: better than every floor in 0 of 1 metric that ranks."]


def test_metrics_that_rank_come_first_and_those_of_no_use_are_left_out(tmp_path: Path) -> None:
    metrics = ("masked_accuracy", "locality", "accuracy", "accuracy@fitted")
    theirs = [Planted("floor", 0.3, "floor", seed, metrics) for seed in (0, 1)]
    found = lines(tmp_path, of_mine(0.8, metrics=metrics), theirs)
    assert [line.metric for line in found] == ["accuracy", "locality"]


def test_p_values_are_adjusted_over_all_comparisons_shown(tmp_path: Path) -> None:
    """The largest p is as it is, and no p is smaller than alone."""
    theirs = [Planted("nn", 0.803, seed=seed) for seed in (0, 1)]
    (tmp_path / "alone").mkdir()
    [alone] = lines(tmp_path / "alone", of_mine(0.8), theirs)
    [line] = lines(tmp_path, of_mine(0.8), FLOORS + theirs)
    assert line.floor
    assert line.published
    assert alone.published
    assert line.floor.p < line.published.p
    assert np.isclose(line.published.p, alone.published.p)


def test_a_single_seed_is_marked(tmp_path: Path) -> None:
    [line] = lines(tmp_path, of_mine(0.8)[:1], FLOORS)
    assert line.one_seed
