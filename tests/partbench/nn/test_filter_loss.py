"""The loss, and what the regulariser adds to the gradient of the task."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.filter_gradients import filter_gradient
from partbench.nn.filter_loss import FilterLoss, FilterRegulariser
from partbench.nn.filter_weights import ActivationWeight, EpochWeight, NormMatching
from partbench.nn.mutual_information import mutual_information
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


def planted() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps, the templates, and which images are of the category of each filter."""
    generator = torch.Generator().manual_seed(7)
    maps = torch.rand(5, FILTERS, 5, 5, generator=generator).double()
    return maps, templates(5, tau=8 / 25).double(), torch.rand(5, FILTERS, generator=generator) > 0.5


@pytest.mark.parametrize("name", ["exact", "paper", "released"])
def test_loss_hands_its_gradient_back_times_the_incoming_one(name):
    maps, bank, positive = planted()
    expected = filter_gradient(name, bank, FILTERS)(maps, positive)
    variable = maps.clone().requires_grad_()
    loss = FilterLoss(bank, FILTERS, name)(variable, positive)
    (3 * loss).backward()
    assert torch.allclose(variable.grad, 3 * expected)
    assert loss.item() == pytest.approx(-mutual_information(maps, bank).sum().item())


def test_options_of_a_loss_go_to_its_gradient_which_is_the_exact_one_by_default():
    maps, bank, positive = planted()
    variable = maps.clone().requires_grad_()
    FilterLoss(bank, FILTERS)(variable, positive).backward()
    assert torch.allclose(variable.grad, filter_gradient("exact", bank, FILTERS)(maps, positive))
    with pytest.raises(TypeError, match="unheard_of"):
        FilterLoss(bank, FILTERS, unheard_of=1)


def test_maps_that_need_no_gradient_have_a_loss_and_do_not_move_running_state():
    maps, bank, positive = planted()
    loss = FilterLoss(bank, FILTERS, "paper")
    before = loss.gradient.log_z.clone()
    assert loss(maps, positive).item() == pytest.approx(-mutual_information(maps, bank).sum().item())
    torch.testing.assert_close(loss.gradient.log_z, before, equal_nan=True)


@pytest.mark.parametrize("name", ["exact", "paper", "released"])
@quick
@given(seed=st.integers(0, 2**16), rho=st.floats(0.1, 10), n=st.integers(3, 7))
def test_the_filter_gradient_is_rho_times_as_long_as_the_task_gradient_and_keeps_its_direction(name, seed, rho, n):
    task, arrived, filter_grad = backward(regulariser(NormMatching(rho), name, n), seed, n)
    added = arrived - task
    assert torch.allclose(norms(added) / norms(task), torch.full((FILTERS,), rho).double(), rtol=1e-6)
    cosine = (added * filter_grad).sum(dim=(0, 2, 3)) / norms(added) / norms(filter_grad)
    assert torch.allclose(cosine, torch.ones(FILTERS).double())


def test_weights_follow_the_epoch_that_the_training_loop_sets():
    module = regulariser(NormMatching(2.0, "1/t"))
    module.epoch = 4
    task, arrived, _ = backward(module, 1)
    assert torch.allclose(norms(arrived - task) / norms(task), torch.tensor(0.5).double())


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


@pytest.mark.parametrize("weight", [ActivationWeight(FILTERS, scale=0.5).double(), EpochWeight(10.0)])
def test_weighted_filter_gradient_is_added_filter_by_filter(weight):
    task, arrived, filter_grad = backward(regulariser(weight), 3)
    generator = torch.Generator().manual_seed(3)
    peaks = torch.rand(4, FILTERS, 5, 5, generator=generator).double().amax(dim=(2, 3)).mean(dim=0)
    expected = 0.5 * peaks if isinstance(weight, ActivationWeight) else torch.full((FILTERS,), 0.25).double()
    assert torch.allclose(arrived - task, filter_grad * expected[:, None, None])


def test_running_state_travels_with_the_state_dict():
    one = regulariser(ActivationWeight(FILTERS).double(), "paper")
    backward(one, 4)
    other = regulariser(ActivationWeight(FILTERS).double(), "paper")
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.gradient.log_z, one.gradient.log_z)
    assert torch.equal(other.weight.peaks, one.weight.peaks)
    assert one.gradient.log_z.isfinite().all()
