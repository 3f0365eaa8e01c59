"""Variances of few degrees, shrunk towards what many variances of one kind have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import digamma, polygamma

LEAST_VARIANCES = 3  # two variances do not tell how variances vary
LEAST_DEGREES = 2  # what a variance of one degree says is too little to be shrunk by


class Prior(NamedTuple):
    """The scaled inverse chi-squared distribution of variances: `degrees` (may be infinite) and `variance`.

    most: the degrees of all variances that it was estimated from; no moderated variance has more.
    """

    degrees: float
    variance: float
    most: float


def prior_of(variances: Float[np.ndarray, "n"], degrees: Float[np.ndarray, "n"]) -> Prior | None:
    """The prior of sample variances with these degrees of freedom, by the moments of their logarithms.

    Variances of 0, or with no degrees, tell nothing and are left out. None for fewer than three others. Smyth 2004,
    "Linear models and empirical Bayes methods for assessing differential expression in microarray experiments",
    section 6.2. One standard error is added to how much the logarithms vary: Smyth has thousands of variances, a
    leaderboard dozens, and from few of them variances look alike too often.
    """
    known = (np.asarray(variances) > 0) & (np.asarray(degrees) > 0)
    half = np.asarray(degrees, float)[known] / 2
    if len(half) < LEAST_VARIANCES:
        return None
    e = np.log(np.asarray(variances, float)[known]) - digamma(half) + np.log(half)
    excess = e.var(ddof=1) * (1 + np.sqrt(2 / (len(e) - 1))) - polygamma(1, half).mean()
    most = float(2 * half.sum())
    if excess <= 0:
        return Prior(np.inf, float(np.exp(e.mean())), most)
    of_prior = trigamma_inverse(float(excess))
    return Prior(2 * of_prior, float(np.exp(e.mean() + digamma(of_prior) - np.log(of_prior))), most)


def moderated(
    variance: Float[np.ndarray, "*n"], degrees: Float[np.ndarray, "*n"], prior: Prior | None
) -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
    """The posterior variance and its degrees (Smyth 2004, section 4), the variance not below the sample's own.

    Smyth also shrinks large variances. Then intervals of explainers that vary more than the others would be too narrow
    (simulated in docs/statistics.md). Unchanged without a prior, where the variance is 0, and below two degrees.
    """
    if prior is None:
        return variance, degrees
    known = (variance > 0) & (degrees >= LEAST_DEGREES)
    if np.isinf(prior.degrees):
        shrunk, total = np.full_like(variance, prior.variance), np.full_like(degrees, np.inf)
    else:
        total = degrees + prior.degrees
        shrunk = (prior.degrees * prior.variance + degrees * variance) / total
    return np.where(known, np.maximum(shrunk, variance), variance), np.where(
        known, np.minimum(total, prior.most), degrees
    )


def trigamma_inverse(y: float) -> float:
    """The x > 0 whose trigamma is y > 0, by Newton's method on its reciprocal (Smyth 2004, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(50):
        trigamma = polygamma(1, x)
        step = trigamma * (1 - trigamma / y) / polygamma(2, x)
        x += step
        if -step / x < 1e-10:
            break
    return float(x)
