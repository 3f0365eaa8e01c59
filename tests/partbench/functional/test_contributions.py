from __future__ import annotations

import math

import pytest
import torch

from partbench.functional import ablated_contributions, sum_over_parts


def test_ablated_contributions_sum_to_the_logit():
    *drops, y = torch.randn(6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drops = torch.stack(drops, 1)
    torch.testing.assert_close(ablated_contributions(y, drops).sum(1), y)


@pytest.mark.parametrize("parts", [[0, 2, -1, 2, 3, 0], [-1, -1], [1]])
def test_contributions_of_parts_are_sums_over_their_concepts(parts):
    values = torch.rand(3, len(parts), generator=torch.Generator().manual_seed(0)).double() - 0.5
    found = sum_over_parts(values, torch.tensor(parts), 4)
    for image, own in enumerate(values.tolist()):
        sums = [sum(value for value, part in zip(own, parts, strict=True) if part == each) for each in range(4)]
        assert found[image].tolist() == pytest.approx(sums, abs=1e-12)


def test_a_logit_is_shared_out_in_proportion_to_the_drops():
    found = ablated_contributions(torch.tensor([6.0, -2.0]), torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
    assert found.tolist() == [[2, 4], [-3, 1]]


@pytest.mark.parametrize(("total", "told"), [(0.0, False), (0.25, False), (-0.25, False), (0.26, True), (-0.26, True)])
def test_images_whose_drops_sum_to_too_little_have_no_shares(total, told):
    found = ablated_contributions(torch.tensor([-2.0]).double(), torch.tensor([[total, 0.0]]).double(), 0.125)[0]
    assert math.isnan(found[0]) != told


@pytest.mark.parametrize("part", [2, 3])
def test_a_part_beyond_the_last_is_an_error_that_says_how_many_there_are(part):
    with pytest.raises(ValueError, match=f"parts hold {part}, expected at most 1"):
        sum_over_parts(torch.ones(1, 2), torch.tensor([0, part]), 2)
