from __future__ import annotations

import pytest
import torch

from partbench import Explanation
from partbench.functional import heat_contributions, outermost

PARTS, SIZE = 4, 16


def test_heat_contributions_are_pixel_sums_of_upsampled_maps():
    torch.manual_seed(0)
    explanation = Explanation(torch.rand(2, 3, 4, 4), contributions=torch.randn(2, 3))
    masks = torch.rand(2, PARTS, SIZE, SIZE) < 0.3
    heat = explanation.heatmaps(SIZE, SIZE)
    for image in range(2):
        for part in range(PARTS):
            expected = sum(
                float(
                    explanation.contributions[image, k]
                    * heat[image, k][masks[image, part]].sum()
                    / heat[image, k].sum()
                )
                for k in range(3)
            )
            found = heat_contributions(explanation, explanation.contributions, masks)[image, part]
            assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_parts_that_do_not_show_or_lie_within_another_are_not_ranked():
    masks = torch.zeros(1, 5, 4, 4, dtype=torch.bool)
    masks[0, 0, :2] = True
    masks[0, 1, :2, :2] = True  # within the first
    masks[0, 3, 3:] = True
    masks[0, 4, 3:] = True  # the same as the one before it
    assert outermost(masks)[0].tolist() == [True, False, False, True, False]


def test_a_part_that_shows_one_pixel_beyond_another_is_outermost():
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, 0, :2] = True
    masks[0, 1, :2, 1:] = masks[0, 1, 2, 0] = True
    assert outermost(masks)[0].tolist() == [True, True]


def test_a_concept_without_heat_contributes_through_no_part():
    masks = torch.ones(1, 2, SIZE, SIZE, dtype=torch.bool)
    assert heat_contributions(Explanation(torch.zeros(1, 1, 4, 4)), torch.ones(1, 1), masks).tolist() == [[0, 0]]


def test_a_concept_of_little_heat_still_contributes_all_of_its_contribution():
    masks = torch.zeros(1, 2, 12, 8, dtype=torch.bool)
    masks[0, 0, :6], masks[0, 1, 6:] = True, True
    maps = torch.full((1, 1, 4, 4), 1e-9)
    found = heat_contributions(Explanation(maps), torch.tensor([[3.0]]), masks)
    assert found[0].tolist() == pytest.approx([1.5, 1.5])


def test_a_part_of_a_single_pixel_shows():
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, 0, 1, 2] = True
    assert outermost(masks)[0].tolist() == [True, False]


def test_a_part_within_a_later_one_is_not_ranked_either():
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, 0, 1, 1] = masks[0, 1, :2, :2] = True
    assert outermost(masks)[0].tolist() == [False, True]


def test_an_image_that_shows_no_part_has_none_to_rank():
    assert not outermost(torch.zeros(1, 3, 4, 4, dtype=torch.bool)).any()
