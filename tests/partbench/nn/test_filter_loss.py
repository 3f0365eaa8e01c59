"""The regulariser: what it adds to the gradient of the task, and the weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.filter_gradients import filter_gradient
from partbench.nn.filter_loss import FilterRegulariser
from partbench.nn.filter_weights import ActivationWeight, EpochWeight, NormMatching
from partbench.nn.templates import templates

quick = settings(max_examples=25, deadline=None)
FILTERS = 3


def backward(regulariser, seed: int, n: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Task gradient, gradient that arrives below, and the filter gradient added, for random maps."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(4, FILTERS, n, n, generator=generator).double().requires_grad_()
    task = torch.randn(4, FILTERS, n, n, generator=generator).double()
    positive = torch.rand(4, FILTERS, generator=generator) > 0.3
    out = regulariser(maps, positive)
    assert torch.equal(out, maps)
    out.backward(task)
    return task, maps.grad, regulariser.gradient.eval()(maps.detach(), positive)


def regulariser(weight, name: str = "exact", n: int = 5) -> FilterRegulariser:
    return FilterRegulariser(filter_gradient(name, templates(n, tau=8 / n**2).double(), FILTERS), weight)


def norms(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.pow(2).sum(dim=(0, 2, 3)).sqrt()


@pytest.mark.parametrize("name", ["exact", "paper", "released"])
@quick
@given(seed=st.integers(0, 2**16), rho=st.floats(0.1, 10), n=st.integers(3, 7))
def test_the_filter_gradient_is_rho_times_as_long_as_the_task_gradient_and_keeps_its_direction(name, seed, rho, n):
    task, arrived, filter_grad = backward(regulariser(NormMatching(rho), name, n), seed, n)
    added = arrived - task
    assert torch.allclose(norms(added) / norms(task), torch.full((FILTERS,), rho).double(), rtol=1e-6)
    cosine = (added * filter_grad).sum(dim=(0, 2, 3)) / norms(added) / norms(filter_grad)
    assert torch.allclose(cosine, torch.ones(FILTERS).double())


@pytest.mark.parametrize(("schedule", "ratio"), [("constant", 2.0), ("1/t", 0.5)])
def test_rho_follows_its_schedule(schedule, ratio):
    module = regulariser(NormMatching(2.0, schedule))
    module.epoch = 4
    task, arrived, _ = backward(module, 1)
    assert torch.allclose(norms(arrived - task) / norms(task), torch.tensor(ratio).double())


def test_a_filter_without_filter_gradient_gets_the_task_gradient_alone():
    n = 4
    maps = torch.rand(1, 1, n, n).repeat(5, 1, 1, 1).requires_grad_()  # equal maps: information and gradient are 0
    flat = FilterRegulariser(filter_gradient("exact", torch.zeros(n * n + 1, n, n), 1), NormMatching())
    task = torch.randn(5, 1, n, n)
    flat(maps, torch.ones(5, 1, dtype=torch.bool)).backward(task)
    assert torch.equal(maps.grad, task)


def test_eval_mode_and_epoch_zero_leave_the_task_gradient_alone():
    for module in (regulariser(NormMatching()).eval(), regulariser(NormMatching())):
        module.epoch = 0
        task, arrived, _ = backward(module, 2)
        assert torch.equal(task, arrived)
    still = regulariser(NormMatching()).eval()
    task, arrived, _ = backward(still, 2)
    assert torch.equal(task, arrived)


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


@pytest.mark.parametrize("weight", [ActivationWeight(FILTERS, scale=0.5).double(), EpochWeight(10.0)])
def test_weighted_filter_gradient_is_added_filter_by_filter(weight):
    task, arrived, filter_grad = backward(regulariser(weight), 3)
    generator = torch.Generator().manual_seed(3)
    peaks = torch.rand(4, FILTERS, 5, 5, generator=generator).double().amax(dim=(2, 3)).mean(dim=0)
    expected = 0.5 * peaks if isinstance(weight, ActivationWeight) else torch.full((FILTERS,), 0.25).double()
    assert torch.allclose(arrived - task, filter_grad * expected[:, None, None])


def test_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="no schedule 'cosine'; expected 'constant' or '1/t'"):
        NormMatching(1.0, "cosine")


def test_running_state_travels_with_the_state_dict():
    one = regulariser(ActivationWeight(FILTERS).double(), "paper")
    backward(one, 4)
    other = regulariser(ActivationWeight(FILTERS).double(), "paper")
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.gradient.log_z, one.gradient.log_z)
    assert torch.equal(other.weight.peaks, one.weight.peaks)
    assert one.gradient.log_z.isfinite().all()
