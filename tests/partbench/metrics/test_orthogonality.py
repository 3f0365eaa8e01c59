from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import Explanation, NotApplicable, ReceptiveField
from partbench.functional.orthogonality import RIDGE
from partbench.functional.statistics import bootstrap
from partbench.metrics import orthogonality
from partbench.metrics.orthogonality import OrthogonalityFrobenius, OrthogonalityLogdet

O1, O2 = "orthogonality_frobenius", "orthogonality_logdet"


def literal(heatmaps, pooled):
    """Correlation matrix from maps (n, k, H, W) at image resolution, with numpy alone."""
    flat = heatmaps.reshape(*heatmaps.shape[:2], -1).astype(np.float64)
    flat = flat / flat.sum(-1, keepdims=True)
    if pooled:
        return np.corrcoef(flat.transpose(1, 0, 2).reshape(flat.shape[1], -1))
    covariance = sum(np.cov(image) for image in flat)
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)


@pytest.mark.parametrize("grid", [None, ReceptiveField(offset=1.5, stride=3, size=7)])
@pytest.mark.parametrize("pooled", [False, True])
@given(seed=st.integers(0, 10_000), images=st.integers(1, 5), concepts=st.integers(2, 5))
@settings(max_examples=10, deadline=None)
def test_values_equal_those_of_the_upsampled_maps(score, make_batch, grid, pooled, seed, images, concepts):
    maps = torch.rand(images, concepts, 4, 5, generator=torch.Generator().manual_seed(seed)) ** 3
    explanation, batch = Explanation(maps, grid=grid), make_batch(images, size=16)
    matrix = literal(explanation.heatmaps(16, 16).numpy(), pooled)
    o1 = score(OrthogonalityFrobenius(pooled=pooled), explanation, batch=batch)[O1].value
    o2 = score(OrthogonalityLogdet(pooled=pooled), explanation, batch=batch)[O2].value
    shrunk = (matrix + RIDGE * np.eye(concepts)) / (1 + RIDGE)
    assert o1 == pytest.approx(np.linalg.norm(matrix) - math.sqrt(concepts), abs=1e-4)
    assert o2 == pytest.approx(-np.linalg.slogdet(shrunk)[1], rel=1e-3, abs=1e-4)


@given(st.integers(2, 8))
@settings(max_examples=7, deadline=None)
def test_equal_maps_reach_the_upper_end(score, k):
    maps = torch.rand(3, 1, 4, 4).expand(3, k, 4, 4)
    assert score(OrthogonalityFrobenius(), Explanation(maps))[O1].value == pytest.approx(k - math.sqrt(k), abs=1e-4)
    expected = -(k - 1) * math.log(RIDGE / (1 + RIDGE)) - math.log((k + RIDGE) / (1 + RIDGE))
    assert score(OrthogonalityLogdet(), Explanation(maps))[O2].value == pytest.approx(expected, rel=1e-3)


def test_uncorrelated_patterns_score_exactly_zero(score):
    """Stripes along x and along y vary independently over the pixels of the grid."""
    across = torch.tensor([0.0, 2.0] * 8).expand(16, 16)
    maps = torch.stack([across, across.T])[None]
    assert score(OrthogonalityFrobenius(), Explanation(maps))[O1].value == pytest.approx(0, abs=1e-12)
    assert score(OrthogonalityLogdet(), Explanation(maps))[O2].value == pytest.approx(0, abs=1e-12)


def test_scale_of_a_map_does_not_matter(score):
    maps = torch.rand(4, 3, 5, 5)
    scaled = maps * torch.tensor([1e-3, 1.0, 50.0])[:, None, None]
    values = [score(OrthogonalityFrobenius(), Explanation(m))[O1].value for m in (maps, scaled)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize("metric", [OrthogonalityFrobenius, OrthogonalityLogdet])
@pytest.mark.parametrize("pooled", [False, True])
def test_concepts_at_separate_places_beat_random_ones_which_beat_nearly_equal_ones(score, metric, pooled):
    torch.manual_seed(0)
    apart = torch.zeros(8, 4, 8, 8)
    for concept, (y, x) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        apart[:, concept, y : y + 2, x : x + 2] = 1
    shared = torch.rand(8, 1, 8, 8)
    wide = torch.rand(8, 4, 8, 8) + shared
    same = shared + 0.05 * torch.rand(8, 4, 8, 8)
    values = [score(metric(pooled=pooled), Explanation(m))[metric.name].value for m in (apart, wide, same)]
    assert values == sorted(values)
    assert values[0] < values[1] < values[2]
    assert not metric.higher_is_better


@pytest.mark.parametrize("dead", [0.0, 3.0])
def test_dead_or_flat_concepts_do_not_count_and_are_listed(score, dead):
    maps = torch.rand(6, 3, 4, 4)
    with_dead = torch.cat([maps, torch.full((6, 1, 4, 4), dead)], 1)
    found = score(OrthogonalityFrobenius(), Explanation(with_dead))
    assert found[O1].value == pytest.approx(score(OrthogonalityFrobenius(), Explanation(maps))[O1].value)
    assert found[O1].note == "3 of 4 concepts are alive"
    assert found[f"{O1}@concepts"].value == 3
    assert list(found[f"{O1}@dead_concepts"].values) == [0, 0, 0, 1]


def test_concept_alive_on_one_image_is_alive(score):
    maps = torch.rand(6, 2, 4, 4)
    maps[1:, 1] = 0
    found = score(OrthogonalityLogdet(), Explanation(maps))
    assert found[f"{O2}@concepts"].value == 2
    assert found[O2].value > 0


@pytest.mark.parametrize("metric", [OrthogonalityFrobenius, OrthogonalityLogdet])
def test_forty_nine_dead_maps_of_fifty_have_no_value_rather_than_perfect_orthogonality(score, metric):
    maps = torch.zeros(3, 50, 4, 4)
    maps[:, 0, 1] = 1
    found = score(metric(), Explanation(maps))
    assert np.isnan(found[metric.name].value)
    assert np.isnan(found[metric.name].evidence).all()
    assert found[metric.name].note == "1 of 50 concepts are alive"
    assert found[f"{metric.name}@concepts"].value == 1


def test_nan_in_a_map_makes_the_value_nan(score):
    maps = torch.rand(3, 2, 4, 4)
    maps[0, 0, 0, 0] = float("nan")
    assert np.isnan(score(OrthogonalityFrobenius(), Explanation(maps))[O1].value)


def test_single_map_is_not_applicable(score):
    with pytest.raises(NotApplicable, match="one map only"):
        score(OrthogonalityFrobenius(), Explanation(torch.rand(3, 1, 4, 4)))


def test_more_images_than_groups_are_all_used(score):
    maps = torch.rand(100, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    matrix = literal(Explanation(maps).heatmaps(16, 16).numpy(), pooled=False)
    found = score(OrthogonalityLogdet(), Explanation(maps))[O2]
    assert found.value == pytest.approx(-np.linalg.slogdet(matrix)[1], abs=1e-4)


@pytest.mark.parametrize("metric", [OrthogonalityFrobenius, OrthogonalityLogdet])
def test_covariances_that_went_to_a_file_are_those_in_memory(score, monkeypatch, metric):
    maps = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    held = score(metric(), Explanation(maps))[metric.name].evidence
    monkeypatch.setattr(orthogonality, "IN_MEMORY", 1)
    monkeypatch.setattr(orthogonality, "AT_ONCE", 20)
    state = metric()
    filed = score(state, Explanation(maps))[metric.name].evidence
    assert state._each._rolled
    np.testing.assert_array_equal(held, filed)
    np.testing.assert_array_equal(filed, state.compute()[metric.name].evidence)  # also the second time


@pytest.mark.parametrize("metric", [OrthogonalityFrobenius, OrthogonalityLogdet])
def test_interval_holds_the_value_on_many_images_in_nine_draws_of_ten(score, metric):
    """Maps share a pattern, so that many images tell the true value."""

    def draw(images, seed):
        noise = torch.rand(images, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
        shared = torch.rand(images, 1, 4, 4, generator=torch.Generator().manual_seed(seed + 10_000))
        return score(metric(), Explanation(noise + shared))[metric.name]

    truth = draw(4000, 999).value
    intervals = [bootstrap(draw(60, seed).evidence) for seed in range(40)]
    assert np.mean([low <= truth <= high for low, high in intervals]) >= 0.85


def test_one_image_has_a_value_and_says_nothing_of_its_error(score):
    found = score(OrthogonalityFrobenius(), Explanation(torch.rand(1, 3, 4, 4)))[O1]
    assert found.value > 0
    assert np.isnan(found.evidence).all()
