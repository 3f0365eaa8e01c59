from __future__ import annotations

import pytest
import torch

from partbench.nn.filter_weights import ActivationWeight, EpochWeight, NormMatching


@pytest.mark.parametrize(("schedule", "rho"), [("constant", 2.0), ("1/t", 0.5)])
def test_norm_matching_is_rho_times_the_ratio_of_lengths_of_each_filter(schedule, rho):
    generator = torch.Generator().manual_seed(0)
    gradient, task = torch.randn(2, 5, 3, 4, 4, generator=generator).double()
    lengths = [[float(of[:, f].square().sum()) ** 0.5 for f in range(3)] for of in (gradient, task)]
    expected = [rho * of_task / of_filter for of_filter, of_task in zip(*lengths, strict=True)]
    assert NormMatching(2.0, schedule)(gradient, task, task, 4).tolist() == pytest.approx(expected)


def test_norm_matching_by_default_makes_both_gradients_equally_long_at_all_epochs():
    ones = torch.ones(2, 1, 3, 3)
    assert [NormMatching()(ones, 4 * ones, ones, epoch).tolist() for epoch in (1, 9)] == [[4], [4]]


def test_a_filter_without_gradient_or_that_the_task_ignores_has_weight_0():
    gradient, task = torch.ones(2, 2, 3, 2, 2)
    gradient[:, 0], task[:, 1] = 0, 0
    assert NormMatching()(gradient, task, task, 1).tolist() == [0, 0, 1]


def test_paper_weight_is_scale_over_t_times_the_mean_peak_and_remembers_nine_tenths():
    weight = ActivationWeight(2, scale=0.01)
    first, second = torch.zeros(2, 2, 3, 3), torch.zeros(2, 2, 3, 3)
    first[0, 0, 1, 1], first[1, 0, 2, 0], second[:, 1, 0, 0] = 4.0, 2.0, 5.0
    assert weight(first, first, first, 1).tolist() == pytest.approx([0.03, 0.0])
    assert weight(second, second, second, 5).tolist() == pytest.approx([0.01 / 5 * 2.7, 0.01 / 5 * 0.5])
    weight.eval()(first, first, first, 1)
    assert weight.peaks.tolist() == pytest.approx([2.7, 0.5])


def test_released_weight_is_1e_minus_6_over_t_and_the_batch():
    maps = torch.rand(8, 3, 4, 4)
    assert EpochWeight()(maps, maps, maps, 5).tolist() == pytest.approx([1e-6 / 5 / 8] * 3, rel=1e-5)


@pytest.mark.parametrize(("weight", "expected"), [(ActivationWeight(2), 5e-6 * 4), (EpochWeight(0.4), 0.4 / 10 / 3)])
def test_scales_are_those_of_ports_of_the_paper_and_of_the_released_code(weight, expected):
    maps = torch.full((3, 2, 2, 2), 4.0)
    assert weight(maps, maps, maps, 1).tolist() == pytest.approx([expected] * 2)


def test_without_training_the_batch_stands_for_peaks_that_were_never_seen():
    weight, maps = ActivationWeight(2, scale=1.0).eval(), torch.full((3, 2, 2, 2), 4.0)
    assert weight(maps, maps, maps, 2).tolist() == [2, 2]
    assert weight.peaks.isnan().all()


def test_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="no schedule 'cosine'; expected 'constant' or '1/t'"):
        NormMatching(1.0, "cosine")
