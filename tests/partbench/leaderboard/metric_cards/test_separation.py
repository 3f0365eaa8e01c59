"""What images tell apart, against the t test, and the images that neighbours need, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cards_sources import METRIC, results, sources
from scipy.stats import ttest_rel

from partbench.leaderboard.metric_cards.separation import separation, separations


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2, 0.25, 0.3, 0.6])
def test_two_explainers_on_one_task_are_separated_where_the_paired_t_test_is_significant(shift: float) -> None:
    random = np.random.default_rng(1)
    values = np.stack([random.normal(size=80), random.normal(loc=shift, size=80)])
    assert separation([values]).separated == (ttest_rel(*values).pvalue < 0.05)


def test_the_images_that_neighbours_need_separate_them_in_four_cases_of_five() -> None:
    random = np.random.default_rng(2)
    known = np.stack([np.zeros(4000), random.normal(loc=0.3, size=4000)])
    needed = round(separation([known]).neighbours)
    drawn = random.normal(loc=0.3, size=(2000, needed))
    share = np.mean([separation([np.stack([np.zeros(needed), row])]).separated for row in drawn])
    assert share == pytest.approx(0.8, abs=0.05)


def test_tasks_count_alike_whatever_their_images() -> None:
    few, many = np.array([[0.0, 0.0], [1.0, 1.1]]), np.array([[0.0] * 100, [-1.0, -1.1] * 50])
    assert separation([few, many]).separated == 0  # means 1.05 and -1.05


def test_equal_explainers_are_never_separated_and_need_more_images_than_there_are() -> None:
    found = separation([np.ones((2, 30))])
    assert (found.separated, found.pairs, found.neighbours) == (0, 1, math.inf)


def test_images_without_a_value_and_explainers_without_any_are_left_out() -> None:
    values = np.array([[0.0, 0.1, np.nan, 0.05], [1.0, 1.2, 1.1, np.nan], [np.nan] * 4])
    found = separation([values])
    assert (found.pairs, found.separated, found.images) == (1, 1, (4,))


def test_seeds_are_averaged_and_floors_left_out() -> None:
    found = separations(sources(noise=0.5))[METRIC, "fauna"]
    assert found.pairs == 6  # of four explainers
    assert found.images == (240,)


def test_without_evidence_there_is_nothing_to_separate() -> None:
    given = sources(results())
    empty = type(given)(given.results, given.evidence.iloc[:0], given.planted_runs)
    assert all(found.pairs == 0 for found in separations(empty).values())


def test_boards_are_separated_by_the_means_over_seeds_of_each_image() -> None:
    given = sources(noise=0.5)
    rows = given.honest[given.honest["metric"] == METRIC]
    values = rows[["cell", "task", "label"]].merge(given.evidence[given.evidence["metric"] == METRIC], on="cell")
    task = "task" if "task" in values else "task_x"
    means = values.groupby([task, "label", "unit"], observed=True)["value"].mean().unstack("unit")
    tasks = [own.dropna(axis=1, how="all").to_numpy() for _, own in means.groupby(level=0)]
    expected, found = separation(tasks), separations(given)[METRIC, "fauna"]
    assert (found.separated, found.pairs, found.images) == (expected.separated, expected.pairs, expected.images)
    np.testing.assert_allclose(found.needed, expected.needed)
