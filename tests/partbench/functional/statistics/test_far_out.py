from __future__ import annotations

import numpy as np
import pytest

from partbench.functional.statistics import Pairings, Stack, compare_all, dominated_by_far_out, without_far_out
from partbench.functional.statistics.far_out import fenced

PAIR = np.array([[0, 1]])
PAIRINGS = Pairings(np.zeros(2, bool), np.zeros(2, int))


def stack(values: np.ndarray, tasks: int = 1) -> Stack:
    """Two explainers, from values (explainer, seed, image)."""
    k, seeds, n = values.shape
    task = np.repeat(np.arange(tasks), n // tasks)
    return Stack(values, np.ones((k, n), bool), np.full((k, tasks), seeds), task, np.arange(n))


def drawn(seeds: int = 3, images: int = 60) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, seeds, images))


def test_what_lies_three_interquartile_ranges_beyond_the_quartiles_is_moved_there() -> None:
    row = np.append(np.arange(41.0), [1000, np.nan])  # quartiles 10 and 31 of 42 values
    found = fenced(row[None])[0]
    assert found[-2] == 31 + 3 * 21
    np.testing.assert_array_equal(np.delete(found, -2), np.delete(row, -2))


@pytest.mark.parametrize("row", [[0.0] * 30 + [1e9], [*range(20), *[1e9] * 5], [np.nan] * 4])
def test_nothing_is_far_where_most_are_equal_or_many_would_be(row: list[float]) -> None:
    np.testing.assert_array_equal(fenced(np.array([row])), [row])


def test_without_images_far_out_nothing_changes() -> None:
    of = stack(drawn(), tasks=2)
    assert not dominated_by_far_out(of, PAIR)[0]
    plain, moved = (f(of, PAIR, PAIRINGS).these for f in (compare_all, without_far_out))
    assert (plain.difference, plain.p) == (pytest.approx(moved.difference), pytest.approx(moved.p))


def test_of_an_image_far_out_the_difference_is_the_fence_whatever_each_seed_says() -> None:
    values = drawn() * 0.1
    values[0] += 0.2
    values[0, :, 7] = [1e6, 3e6, -1e6]
    of = stack(values)
    assert dominated_by_far_out(of, PAIR)[0]
    found, raw = without_far_out(of, PAIR, PAIRINGS).these, compare_all(of, PAIR, PAIRINGS).these
    expected = fenced((values[0].mean(0) - values[1].mean(0))[None]).mean()
    assert found.difference[0] == pytest.approx(expected)
    assert found.p[0] < 1e-4 < 0.3 < raw.p[0]
    turned = without_far_out(of, PAIR[:, ::-1], PAIRINGS).these
    assert (turned.difference[0], turned.p[0]) == (pytest.approx(-expected), pytest.approx(found.p[0]))
