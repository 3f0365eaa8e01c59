from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from partbench import Explanation, NotApplicable
from partbench.metrics.part_effect_agreement import PartEffectAgreement
from partbench.testing import check_metric

N, PARTS, SIZE = 6, 4, 16
NAMES = ("head", "torso", "legs", "tail")


def quarters(n: int = N) -> torch.Tensor:
    """Four parts, one in each quarter of the image, smaller from one to the next."""
    masks = torch.zeros(n, PARTS, SIZE, SIZE, dtype=torch.bool)
    for part, side in enumerate((8, 6, 4, 2)):
        top, left = 8 * (part // 2), 8 * (part % 2)
        masks[:, part, top : top + side, left : left + side] = True
    return masks


@pytest.fixture
def scene(make_batch, make_outputs):
    """A batch and outputs whose parts have the given effects."""

    def build(effects, masks=None):
        masks = quarters(len(effects)) if masks is None else masks
        batch = make_batch(len(effects), size=SIZE, masks=masks)
        outputs = make_outputs(torch.randn(len(effects), 2), 0, torch.ones(len(effects), dtype=torch.bool))
        return batch, replace(outputs, parts=NAMES, part_effects=lambda wanted: effects)

    return build


def scored(batch, explanation, outputs):
    metric = PartEffectAgreement(most=len(batch))
    metric.update(batch, explanation, outputs)
    return metric.compute()


def one_concept_a_part(contributions):
    """Maps of 2 x 2 cells, each concept in the cell of its part."""
    maps = torch.zeros(len(contributions), PARTS, 2, 2)
    for part in range(PARTS):
        maps[:, part, part // 2, part % 2] = 1
    return Explanation(maps, contributions=contributions, parts=torch.arange(PARTS))


def test_contributions_in_the_order_of_the_true_effects_score_one_and_reversed_minus_one(scene):
    effects = torch.rand(N, PARTS)
    batch, outputs = scene(effects)
    for sign in (1, -1):
        found = scored(batch, one_concept_a_part(sign * effects), outputs)
        assert list(found["part_effect_agreement@assigned"].values) == pytest.approx([sign] * N)


def test_heat_decides_where_a_contribution_goes(scene):
    effects = torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    batch, outputs = scene(effects)
    maps = torch.zeros(1, 1, 2, 2)
    maps[0, 0] = torch.tensor([[8.0, 6.0], [4.0, 2.0]])
    found = scored(batch, Explanation(maps, contributions=torch.ones(1, 1)), outputs)
    assert found["part_effect_agreement"].values[0] == pytest.approx(1)
    assert "part_effect_agreement@assigned" not in found


def test_an_image_that_shows_two_parts_has_no_value(scene):
    masks = quarters(2)
    masks[0, 2:] = False
    batch, outputs = scene(torch.rand(2, PARTS), masks)
    values = scored(batch, one_concept_a_part(torch.rand(2, PARTS)), outputs)["part_effect_agreement"].values
    assert np.isnan(values[0])
    assert np.isfinite(values[1])


def test_only_the_first_images_and_only_their_outermost_parts_are_asked_for(scene):
    masks, asked = quarters(N), []
    masks[:, 1] = masks[:, 0]  # a part that lies within another
    batch, outputs = scene(torch.rand(N, PARTS), masks)
    outputs = replace(outputs, part_effects=lambda wanted: asked.append(wanted.clone()) or torch.rand(N, PARTS))
    metric = PartEffectAgreement(most=N + 2)
    for _ in range(2):
        metric.update(batch, one_concept_a_part(torch.rand(N, PARTS)), outputs)
    assert asked[0].tolist() == [[True, False, True, True]] * N
    assert asked[1].any(1).tolist() == [True, True] + [False] * (N - 2)
    assert int(np.isfinite(metric.compute()["part_effect_agreement"].values).sum()) == N + 2


def test_area_is_a_control_and_mean_effects_are_recorded(scene):
    effects = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])  # larger parts matter, smaller parts matter
    batch, outputs = scene(effects)
    found = scored(batch, one_concept_a_part(torch.rand(2, PARTS)), outputs)
    assert list(found["part_effect_agreement@area"].values) == pytest.approx([1, -1])
    assert list(found["part_effect_agreement@effect=head"].values) == pytest.approx([4, 1])


def test_contributions_at_random_agree_by_chance(scene):
    generator = torch.Generator().manual_seed(0)
    batch, outputs = scene(torch.rand(400, PARTS, generator=generator))
    found = scored(batch, one_concept_a_part(torch.rand(400, PARTS, generator=generator)), outputs)
    assert abs(np.mean(found["part_effect_agreement@assigned"].values)) < 0.1


def test_task_without_images_that_lack_a_part_is_not_scored(scene):
    batch, outputs = scene(torch.rand(N, PARTS))
    with pytest.raises(NotApplicable, match="without a part"):
        PartEffectAgreement().update(
            batch, one_concept_a_part(torch.rand(N, PARTS)), replace(outputs, part_effects=None)
        )


def test_public_contract_check_passes(make_batch, make_outputs):
    masks = quarters()
    batch = make_batch(N, size=SIZE, masks=masks)
    outputs = make_outputs(torch.randn(N, 2), 0, torch.ones(N, dtype=torch.bool))
    explanation, effects = one_concept_a_part(torch.rand(N, PARTS)), torch.rand(N, PARTS)
    check_metric(
        PartEffectAgreement(),
        batch,
        explanation,
        replace(outputs, parts=NAMES, part_effects=lambda wanted: effects),
    )
