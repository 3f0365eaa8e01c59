from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from partbench.functional.statistics import Estimates, bounded_interval


def of(value: float, variance: float, images: int, bounds: tuple[float, float] = (0, 1)) -> tuple[float, float]:
    numbers = (np.array([x], float) for x in (value, variance, images - 1, images))
    low, high = bounded_interval(np.array([value]), Estimates(*numbers), bounds)[0]
    return float(low), float(high)


@pytest.mark.parametrize("n", [6, 24, 600])
def test_of_shares_of_which_all_agree_the_interval_is_wilsons(n: int) -> None:
    for hits in (0, n):
        expected = proportion_confint(hits, n, method="wilson")
        assert of(hits / n, 0, n) == pytest.approx(expected, abs=1e-9)


def test_a_constant_between_the_bounds_may_differ_on_as_many_images_as_were_not_seen_to() -> None:
    unseen = proportion_confint(0, 30, method="wilson")[1]
    assert of(0.7, 0, 30) == pytest.approx((0.7 - 0.7 * unseen, 0.7 + 0.3 * unseen))
    assert of(0.4, 0, 30, (-1, 1)) == pytest.approx((0.4 - 1.4 * unseen, 0.4 + 0.6 * unseen))


def test_far_from_the_bounds_of_many_images_it_is_students() -> None:
    found = of(0.5, 0.25 / 4000, 4000)
    assert found == pytest.approx(proportion_confint(2000, 4000, method="normal"), abs=1e-4)


@pytest.mark.parametrize("hits", [1, 3, 20, 59])
def test_near_a_bound_it_is_close_to_wilsons(hits: int) -> None:
    share = hits / 60
    low, high = of(share, share * (1 - share) / 59, 60)
    expected = proportion_confint(hits, 60, method="wilson")
    assert 0 < low < share < high < 1
    assert (low, high) == pytest.approx(expected, abs=0.03)


def test_of_a_metric_with_an_infinite_bound_it_is_students_cut_off_at_the_bound() -> None:
    low, high = of(0.1, 1.0, 9, (0, np.inf))
    assert (low, high) == (0, pytest.approx(0.1 + 2.306004135204166))
    assert np.isnan(of(0.1, 0.0, 9, (0, np.inf))).all()  # nothing tells how other images would vary
