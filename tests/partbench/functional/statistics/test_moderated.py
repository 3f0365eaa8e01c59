from __future__ import annotations

import numpy as np
import pytest
from scipy.special import polygamma
from scipy.stats import chi2
from scipy.stats import t as student

from partbench.functional.statistics import Prior, moderated, prior_of
from partbench.functional.statistics.moderated import trigamma_inverse


def planted(count: int, degrees: float, prior: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """True variances of a scaled inverse chi-squared prior, and sample variances of them."""
    random = np.random.default_rng(0)
    true = scale * prior / chi2.rvs(prior, size=count, random_state=random) if np.isfinite(prior) else scale
    return np.broadcast_to(true, count), true * chi2.rvs(degrees, size=count, random_state=random) / degrees


@pytest.mark.parametrize("prior", [2.0, 8.0])
def test_the_prior_that_variances_were_drawn_from_is_found(prior: float) -> None:
    _, sample = planted(20_000, 4, prior, 0.3)
    found = prior_of(sample, np.full(len(sample), 4.0))
    assert found is not None
    assert found.degrees == pytest.approx(prior, rel=0.1)
    assert found.variance == pytest.approx(0.3, rel=0.1)
    assert found.most == 80_000


def test_equal_variances_are_known_to_be_equal() -> None:
    """Logarithms vary no more than sampling makes them: the prior has infinite degrees."""
    sample = np.array([1.0, 1.1, 0.9, 1.05])
    found = prior_of(sample, np.full(4, 2.0))
    assert found is not None
    assert found.degrees == np.inf
    low = np.array([0.01, 0.02, 0.5])
    variance, degrees = moderated(low, np.full(3, 2.0), found)
    assert np.ptp(variance) == 0
    assert degrees.tolist() == [8, 8, 8]  # no more than all of them have


def test_the_moderated_variance_is_the_mean_weighted_by_degrees_and_never_below_its_own() -> None:
    sample, degrees = np.array([0.2, 1.0, 0.0, 0.2, 0.2]), np.array([2.0, 2.0, 2.0, 0.0, 1.0])
    variance, found = moderated(sample, degrees, Prior(4.0, 0.5, 100.0))
    assert variance.tolist() == pytest.approx([(4 * 0.5 + 2 * 0.2) / 6, 1.0, 0.0, 0.2, 0.2])
    assert found.tolist() == [6, 6, 2, 0, 1]
    assert moderated(np.ones(2), np.ones(2), None)[0].tolist() == [1, 1]


def test_too_few_variances_tell_nothing() -> None:
    assert prior_of(np.array([1.0, 2.0, 0.0, 5.0]), np.array([2.0, 2.0, 2.0, 0.0])) is None


@pytest.mark.parametrize("y", [1e-6, 0.1, 1.0, 50.0, 1e6])
def test_the_trigamma_of_the_inverse_is_the_number_itself(y: float) -> None:
    assert polygamma(1, trigamma_inverse(y)) == pytest.approx(y, rel=1e-6)


def test_moderated_t_holds_its_level_and_has_more_power_than_plain_t() -> None:
    """Means of 3 with variances of 2 degrees; some differ from 0."""
    true, sample = planted(4000, 2, 4, 1.0)
    means = np.random.default_rng(1).normal(size=4000) * np.sqrt(true / 3)
    prior = prior_of(sample, np.full(4000, 2.0))
    variance, degrees = moderated(sample, np.full(4000, 2.0), prior)
    shares = {}
    for shift in (0.0, 2.0):
        shares[shift] = [
            np.mean(2 * student.sf(abs(means + shift) / np.sqrt(v / 3), d) < 0.05)
            for v, d in ((variance, degrees), (sample, 2.0))
        ]
    assert shares[0.0][1] == pytest.approx(0.05, abs=0.012)
    assert 0.02 < shares[0.0][0] < 0.06
    assert shares[2.0][0] > shares[2.0][1] + 0.15
