from __future__ import annotations

import numpy as np
import pytest

from partbench.leaderboard.intervals import mean_interval, mean_intervals


def planted(seeds: tuple[int, ...], at: int) -> np.ndarray:
    random = np.random.default_rng(at)
    values = random.normal(size=sum(seeds))
    half = random.uniform(0.1, 0.2, size=sum(seeds))
    return np.stack([values, values - half, values + half], axis=1)


def by_task(cells: np.ndarray, seeds: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(cells, np.cumsum(seeds)[:-1])


def literal(tasks: list[np.ndarray], draws: int) -> tuple[float, float]:
    """The interval task by task and draw by draw, as its definition says."""
    random = np.random.default_rng(0)
    drawn = np.zeros((draws, len(tasks)))
    for place, cells in enumerate(tasks):
        n = len(cells)
        weights = random.multinomial(n, np.full(n, 1 / n), size=draws) / n
        errors = random.standard_normal(draws)
        values = cells[:, 0]
        training = weights @ (values - values.mean()) * np.sqrt(n / max(n - 1, 1))
        drawn[:, place] = values.mean() + training + errors * (cells[:, 2] - cells[:, 1]).mean() / (2 * 1.96)
    low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
    return low, high


def test_intervals_of_many_rows_are_those_of_the_definition() -> None:
    shapes = [(3,), (1, 1), (3, 2, 5), (3,), *[(2, 2)] * 200]
    rows = [(planted(seeds, at), seeds) for at, seeds in enumerate(shapes)]
    found = mean_intervals(rows, draws=200)
    expected = [literal(by_task(*row), draws=200) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert mean_interval(by_task(*rows[2]), draws=200) == pytest.approx(expected[2], rel=1e-12)


def test_a_row_with_a_cell_without_an_interval_has_none() -> None:
    cells = planted((2, 2), 0)
    cells[3, 1] = np.nan
    assert np.isnan(mean_intervals([(cells, (2, 2)), (planted((2, 2), 1), (2, 2))])).tolist() == [
        [True] * 2,
        [False] * 2,
    ]


def test_no_rows_have_no_intervals() -> None:
    assert mean_intervals([]).shape == (0, 2)
