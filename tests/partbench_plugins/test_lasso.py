"""The Lasso on planted activations: which units it takes, how many, and what it makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import InputError, NotApplicable, Task
from partbench_plugins.lasso import Lasso, along_path, cross_validated

from .toys import HIDDEN, planted_task

PLANTED = {2: 3.0, 5: -2.0, 11: 1.5}


def activations(count: int = 300, seed: int = 0) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).normal(size=(count, HIDDEN)), 0)


def linear(z: np.ndarray) -> np.ndarray:
    return sum(weight * z[:, unit] for unit, weight in PLANTED.items()) - 4


def task(folder: Path) -> Task:
    return planted_task(folder, torch.from_numpy(activations()).float(), lambda z: torch.from_numpy(linear(z.numpy())))


def test_three_planted_units_are_found_with_their_signs():
    z = activations()
    model = along_path(z, linear(z), 3)
    assert model.units == sorted(PLANTED)
    assert np.sign(model.w).tolist() == [1, -1, 1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_the_path_is_left_with_exactly_the_number_of_units_asked_for(seed: int, features: int):
    z = activations(60, seed)
    y = linear(z) + np.random.default_rng(seed).normal(size=60)
    model = along_path(z, y, features)
    assert len(model.units) == len(model.w) == features


def test_what_is_taken_from_the_path_solves_the_lasso_at_its_own_penalty():
    z = activations()
    y = linear(z) + np.random.default_rng(1).normal(size=len(z))
    model = along_path(z, y, 4)
    residual = y - z[:, model.units] @ model.w - model.intercept
    pull = (z - z.mean(0)).T @ residual / len(z)  # on the support: alpha times the sign of w (optimality of the Lasso)
    alpha = float(np.abs(pull[model.units]).mean())
    reference = sklearn.linear_model.Lasso(alpha=alpha, tol=1e-8, max_iter=10_000).fit(z, y)
    np.testing.assert_allclose(reference.coef_[model.units], model.w, atol=1e-4)
    assert model.intercept == pytest.approx(float(reference.intercept_), abs=1e-4)


def test_cross_validation_predicts_better_than_one_unit():
    z = activations()
    y = linear(z) + 0.1 * np.random.default_rng(1).normal(size=len(z))
    errors = [
        float(np.abs(y - z[:, model.units] @ model.w - model.intercept).mean())
        for model in (cross_validated(z, y), along_path(z, y, 1))
    ]
    assert errors[0] < 0.3 * errors[1]


def test_a_given_penalty_is_that_of_scikit_learn(tmp_path: Path):
    explainer, z = Lasso(alpha=0.1), activations()
    explainer.fit(task(tmp_path).training)
    reference = sklearn.linear_model.Lasso(alpha=0.1).fit(z.astype(np.float32), linear(z.astype(np.float32)))
    assert explainer._units == np.flatnonzero(reference.coef_).tolist()
    np.testing.assert_allclose(explainer._concepts.weights.numpy(), reference.coef_[explainer._units], rtol=1e-3)


def test_contributions_and_the_intercept_make_the_logit_and_negative_units_are_counted(tmp_path: Path):
    toy = task(tmp_path)
    explainer = Lasso(features=3)
    explainer.fit(toy.training)
    explanation = explainer.explain(toy.batch("test", range(5)).images)
    torch.testing.assert_close(
        explanation.logits - explanation.contributions.sum(1), torch.full((5,), explainer._concepts.intercept)
    )
    z = toy.activation_cache.of_split("test", "fc1")[:5][:, sorted(PLANTED)]
    torch.testing.assert_close(explanation.scores, z)
    assert explainer.report() == {"number_of_features": 3.0, "negative_features": 1.0}


def test_a_penalty_that_leaves_nothing_is_not_applicable(tmp_path: Path):
    with pytest.raises(NotApplicable, match="alpha=1000"):
        Lasso(alpha=1000.0).fit(task(tmp_path).training)


def test_two_ways_to_choose_the_penalty_are_one_too_many():
    with pytest.raises(InputError, match="exclude each other"):
        Lasso(alpha=1.0, cross_validate=True)
    with pytest.raises(InputError, match="features is 0"):
        Lasso(features=0)
