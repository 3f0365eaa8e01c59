"""Planted truths: a perfect explanation scores the ceiling, noise lowers the score, the opposite is worst."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partbench.opening import Workbench
from partbench.results.planted import INVERTED
from partbench.running.planted.oracles import ORACLES, Oracle, generator, random_map
from partbench.running.planted.runs import SEED, score
from partbench.running.planted.truth import Truth

CEILINGS = {
    "locality": 0, "part_effect_agreement": 1, "contribution_error": 0, "faithfulness_classification": 1,
    "faithfulness_regression": 0, "relative_deviation": 0, "accuracy": 1, "balanced_accuracy": 1,
    "average_precision": 1, "classification_error": 0,
}  # fmt: skip
# Those that answer to every dose. Others have a threshold, or reward something else than the truth: see their cards.
ANSWERING = [
    "part_effect_agreement", "part_interpretability", "contribution_error", "faithfulness_classification",
    "faithfulness_regression", "relative_deviation", "orthogonality_frobenius", "orthogonality_logdet",
]  # fmt: skip
SOME = ("0", "0.5", "1")  # levels
OPPOSED = ["part_effect_agreement", "part_interpretability", "contribution_error", "accuracy", "balanced_accuracy"]
OPPOSED += ["classification_error", "faithfulness_classification", "faithfulness_regression", "relative_deviation"]


def oracle_of(metric: str) -> Oracle:
    return next(oracle for oracle in ORACLES if metric in oracle.metrics)


@pytest.fixture(scope="module")
def scores(truth: Truth, workbench: Workbench) -> dict[str, dict[str, float]]:
    """By metric, the score of each level; higher is better."""
    found: dict[str, dict[str, float]] = {}
    for oracle in ORACLES:
        for level in (*SOME, INVERTED):
            made = functools.partial(oracle.explanation, level=level, seed=SEED)
            names = [name for name in oracle.metrics if name in {*CEILINGS, *ANSWERING, *OPPOSED}]
            metrics = [workbench.registry.metrics[name].cls() for name in names]
            for row in score(truth, made, metrics):
                if row["unit"] == "all" and "@" not in row["metric"]:
                    sign = 1 if row["higher_is_better"] else -1
                    found.setdefault(row["metric"], {})[level] = sign * row["value"]
    return found


def test_every_metric_has_one_oracle(workbench: Workbench) -> None:
    named = [name for oracle in ORACLES for name in oracle.metrics]
    assert sorted(named) == sorted(workbench.registry.metrics)


@pytest.mark.parametrize("metric", CEILINGS)
def test_the_truth_scores_the_ceiling(metric: str, scores: dict[str, dict[str, float]]) -> None:
    assert abs(scores[metric]["0"]) == pytest.approx(CEILINGS[metric], abs=1e-5)


@pytest.mark.parametrize("metric", ANSWERING)
def test_more_noise_scores_lower(metric: str, scores: dict[str, dict[str, float]]) -> None:
    by_dose = [scores[metric][level] for level in SOME]
    assert by_dose == sorted(by_dose, reverse=True)
    assert len(set(by_dose)) == len(by_dose)


@pytest.mark.parametrize("metric", OPPOSED)
def test_the_inverted_truth_is_worst(metric: str, scores: dict[str, dict[str, float]]) -> None:
    assert min(scores[metric], key=lambda level: scores[metric][level]) == INVERTED


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dose=st.floats(0, 1), oracle=st.sampled_from(ORACLES), rows=st.permutations(range(6)))
def test_a_dose_mixes_truth_and_noise_of_each_image_whatever_the_batch(
    truth: Truth, dose: float, oracle: Oracle, rows: list[int]
) -> None:
    own = torch.nonzero(truth.positive).flatten().tolist()
    images = [own[row] for row in rows]
    whole, noise = (oracle.explanation(truth, own[:6], level, 3) for level in ("0", "1"))
    mixed = oracle.explanation(truth, images, repr(dose), 3)
    for name in ("contributions", "logits", "maps"):
        if mixed.has(name):
            expected = (1 - dose) * getattr(whole, name) + dose * getattr(noise, name)
            assert torch.allclose(getattr(mixed, name), expected[rows], atol=1e-4), name


def test_noise_differs_between_images_and_seeds_and_is_the_same_again() -> None:
    drawn = [
        random_map(16, 2, generator(image, seed, "maps")) for image, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])
    assert not torch.equal(drawn[0][0], drawn[0][1])
    assert float(drawn[0].min()) > 0
