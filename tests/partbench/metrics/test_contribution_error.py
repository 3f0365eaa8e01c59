from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Explanation, InputError, NotApplicable, PerformerOutputs
from partbench.functional.statistics import bootstrap
from partbench.metrics.contribution_error import ContributionError
from partbench.testing import check_metric

PARTS = ("head", "torso", "legs", "tail")


def outputs_for(y, parts=PARTS):
    y = torch.as_tensor(y, dtype=torch.float64)
    logits = torch.stack([torch.zeros_like(y), y], 1)
    return PerformerOutputs(logits, torch.ones(len(y), dtype=torch.bool), 1, y, None, parts=parts)


def additive_scene(n=30, bias=0.0, seed=0):
    """Concepts that add up to the logit, so that ablation finds exactly their contributions (and never the bias)."""
    generator = torch.Generator().manual_seed(seed)
    contributions = torch.rand(n, 6, generator=generator, dtype=torch.float64) + 0.1
    parts = torch.tensor([0, 0, 1, 2, 1, 0])
    drops = torch.stack([contributions[:, parts == p].sum(1) for p in range(4)], 1)
    return contributions, parts, drops, contributions.sum(1) + bias


@pytest.fixture
def scored(make_batch):
    def run(contributions, parts, drops, y, names=PARTS, **options):
        metric = ContributionError(**options)
        explanation = Explanation(contributions=contributions, parts=parts, part_drops=drops)
        metric.update(make_batch(len(y)), explanation, outputs_for(y, names))
        return metric.compute()["contribution_error"]

    return run


def literal_errors(contributions, parts, drops, y, least_drop):
    """The paper's formula, part by part and image by image."""
    used = [i for i in range(len(y)) if abs(sum(drops[i])) > least_drop * abs(y[i])]
    errors = {}
    for p in sorted(set(parts) - {-1}):
        differences = []
        for i in used:
            share = sum(c for c, part in zip(contributions[i], parts, strict=True) if part == p)
            differences.append(abs(share - y[i] * drops[i][p] / sum(drops[i])))
        errors[p] = (sum(differences) / len(used)) / (sum(y[i] for i in used) / len(used))
    return errors, len(y) - len(used)


@pytest.mark.parametrize("seed", range(5))
def test_errors_agree_with_the_formula_written_out(scored, seed):
    rng = np.random.default_rng(seed)
    contributions, drops = rng.normal(size=(12, 7)), rng.normal(size=(12, 4))
    y, parts = rng.normal(1, 0.5, size=12), rng.integers(-1, 3, size=7)
    drops[3] = 0
    drops[5] = [1, -1, 1, -1]
    expected, left_out = literal_errors(contributions.tolist(), parts.tolist(), drops.tolist(), y.tolist(), 0.05)
    found = scored(*map(torch.tensor, (contributions, parts, drops)), y, least_drop=0.05)
    for p, name in enumerate(PARTS):
        assert found.values[p] == (pytest.approx(expected[p]) if p in expected else pytest.approx(np.nan, nan_ok=True))
        assert found.units[p] == name
    assert found.value == pytest.approx(np.mean(list(expected.values())))
    assert f"{left_out} of 12 images left out" in found.note
    assert left_out >= 2


def test_contributions_that_ablation_finds_have_no_error(scored):
    found = scored(*additive_scene())
    np.testing.assert_allclose(found.values, [0, 0, 0, np.nan], atol=1e-6)  # explanations are float32
    assert found.value == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found.evidence, 0, atol=1e-5)
    assert found.note == ""


def test_a_bias_is_an_error_shared_out_by_the_drops(scored):
    """Of the true contributions the bias is a part, of the explainer's it is not: the errors sum to bias / mean y."""
    contributions, parts, drops, y = additive_scene(bias=0.6)
    found = scored(contributions, parts, drops, y)
    assert np.nansum(found.values) == pytest.approx(0.6 / float(y.mean()))


def test_oracle_beats_noise_which_beats_contributions_of_the_wrong_parts(scored):
    contributions, parts, drops, y = additive_scene(200)
    noise = torch.randn(contributions.shape, generator=torch.Generator().manual_seed(5)) * 0.2
    swapped = torch.tensor([1, 1, 0, 2, 0, 1])
    errors = [
        scored(shares, assigned, drops, y).value
        for shares, assigned in ((contributions, parts), (contributions + noise, parts), (contributions, swapped))
    ]
    assert errors == sorted(errors)
    assert errors[0] < 0.01 < errors[1] < errors[2]
    assert not ContributionError.higher_is_better


def test_the_scale_of_the_logit_does_not_matter(scored):
    contributions, parts, drops, y = additive_scene(bias=0.3)
    small, large = (scored(scale * contributions, parts, scale * drops, scale * y) for scale in (1, 1e3))
    np.testing.assert_allclose(small.values, large.values, rtol=1e-5)


def test_images_say_how_sure_the_value_is(scored):
    contributions, parts, drops, y = additive_scene(50, bias=0.6)
    found = scored(
        contributions + 0.1 * torch.randn(50, 6, generator=torch.Generator().manual_seed(1)), parts, drops, y
    )
    low, high = bootstrap(found.evidence)
    assert low < found.value < high
    assert high - low < found.value


def test_an_image_that_is_left_out_says_nothing(scored):
    contributions, parts, drops, y = additive_scene(8, bias=0.6)
    drops[2] = 0
    found = scored(contributions, parts, drops, y)
    assert np.flatnonzero(np.isnan(found.evidence)).tolist() == [2]
    assert np.nanmean(found.evidence) == pytest.approx(found.value)
    assert list(found.images) == [f"image {i}" for i in range(8)]


def test_concepts_all_of_one_part_have_no_value_rather_than_no_error(scored):
    """y* = y for a single part: contributions that sum to the logit would be perfect whatever ablation finds."""
    contributions, parts, drops, y = additive_scene()
    with pytest.raises(NotApplicable, match=r"1 part\(s\) have concepts, expected two or more"):
        scored(contributions, torch.zeros_like(parts), drops, y)


@pytest.mark.parametrize(("of_all", "told"), [(0.0, False), (0.005, False), (0.02, True)])
def test_a_second_part_of_next_to_no_effect_does_not_make_up_for_one_part(scored, of_all, told):
    y = torch.ones(20)
    contributions = y[:, None] * torch.tensor([1 - of_all, of_all])
    drops = torch.cat([contributions, torch.zeros(20, 2)], 1)
    if told:
        assert scored(contributions, torch.tensor([0, 1]), drops, y).value == pytest.approx(0, abs=1e-6)
    else:
        with pytest.raises(NotApplicable, match=r"1 part\(s\) take 0.01 of the fall or more, expected two or more"):
            scored(contributions, torch.tensor([0, 1]), drops, y)


def test_the_logit_an_explanation_names_is_the_one_shared_out(make_batch):
    contributions, parts, drops, y = additive_scene()
    metric = ContributionError()
    explanation = Explanation(contributions=contributions, parts=parts, part_drops=drops, explained=y)
    metric.update(make_batch(len(y)), explanation, outputs_for(torch.full_like(y, 50)))
    assert metric.compute()["contribution_error"].value == pytest.approx(0, abs=1e-6)


def test_parts_without_names_are_numbered(scored):
    assert list(scored(*additive_scene(), names=()).units) == ["0", "1", "2", "3"]


def test_drops_are_found_when_asked_for_and_only_once(make_batch):
    contributions, parts, drops, y = additive_scene()
    calls = []

    def later():
        calls.append(1)
        return drops

    explanation = Explanation(contributions=contributions, parts=parts, part_drops=later)
    assert explanation.has("part_drops")
    explanation.accepted(len(y), torch.device("cpu"))
    assert not calls
    for _ in range(2):
        metric = ContributionError()
        metric.update(make_batch(len(y)), explanation, outputs_for(y))
        assert metric.compute()["contribution_error"].value < 1e-6
    assert len(calls) == 1


def test_what_cannot_be_scored_says_why(scored, make_batch):
    contributions, parts, drops, y = additive_scene()
    with pytest.raises(NotApplicable, match="30 of 30 images left out"):
        scored(contributions, parts, 0 * drops, y)
    with pytest.raises(NotApplicable, match=r"the mean logit is -\d.*expected above 0"):
        scored(contributions, parts, drops, -y)
    with pytest.raises(NotApplicable, match=r"0 part\(s\) have concepts"):
        scored(contributions, torch.full_like(parts, -1), drops, y)
    with pytest.raises(NotApplicable, match="lacks contributions, parts or part_drops"):
        scored(contributions, parts, None, y)
    with pytest.raises(ValueError, match="parts hold 2, expected at most 1"):
        scored(contributions, parts, drops[:, :2], y)
    many = PerformerOutputs(torch.zeros(30, 3), torch.ones(30, dtype=torch.bool), None, None, None)
    explanation = Explanation(contributions=contributions, parts=parts, part_drops=drops)
    with pytest.raises(NotApplicable, match="all logits are explained"):
        ContributionError().update(make_batch(30), explanation, many)
    with pytest.raises(InputError, match="contribution_error: least_drop is -1, expected greater than or equal to 0"):
        ContributionError(least_drop=-1)


def test_public_contract_check_passes(make_batch):
    contributions, parts, drops, y = additive_scene(7, bias=0.2)
    drops[2] = 0
    explanation = Explanation(contributions=contributions, parts=parts, part_drops=lambda: drops, threshold=0.5)
    check_metric(ContributionError(), make_batch(7), explanation, outputs_for(y))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": torch.zeros(3)}, r"parts are torch.float32 of shape \(3,\), expected integers \(k,\)"),
        ({"parts": torch.zeros(2, 3, dtype=torch.long)}, r"of shape \(2, 3\), expected integers"),
        ({"parts": torch.tensor([0, -2, 1])}, "parts hold -2"),
        ({"parts": torch.tensor([0, 1])}, "disagree on the number of concepts"),
        ({"part_drops": torch.zeros(2)}, r"part_drops are \(2,\), expected \(2, p\)"),
        ({"part_drops": lambda: torch.full((2, 4), torch.nan)}, "part_drops hold 8 values that are NaN"),
        ({"threshold": float("inf")}, "the threshold is inf, expected a finite number"),
    ],
)
def test_fields_of_another_form_are_not_accepted(fields, message):
    with pytest.raises(ValueError, match=message):
        _ = Explanation(contributions=torch.ones(2, 3), **fields).accepted(2, torch.device("cpu")).part_drops


def test_a_part_without_concepts_is_no_second_part_whatever_its_removal_takes(scored):
    """Parts 0 and 1 have concepts, those of part 1 take nothing; part 2 has none, and is said to take half."""
    y = torch.rand(30, dtype=torch.float64) + 1
    contributions = torch.stack([y / 2, torch.zeros(30)], 1)
    drops = torch.tensor([[0.5, 0.0, 0.5, 0.0]], dtype=torch.float64).repeat(30, 1)
    with pytest.raises(NotApplicable, match=r"1 part\(s\) take 0.01 of the fall or more"):
        scored(contributions, torch.tensor([0, 1]), drops, y)
