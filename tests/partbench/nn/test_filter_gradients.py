"""Three gradients of the filter loss, each against its formula written out in loops, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.filter_gradients import (
    ExactGradient,
    PaperGradient,
    ReleasedGradient,
    category_balance,
    filter_gradient,
)
from partbench.nn.filter_loss import FilterLoss
from partbench.nn.templates import centroid_position, templates

quick = settings(max_examples=25, deadline=None)
sizes = st.integers(3, 7)
seeds = st.integers(0, 2**16)


def random_maps(seed: int, n: int, images: int = 4, filters: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(images, filters, n, n, generator=generator, dtype=torch.float64)


def random_positive(seed: int, images: int = 4, filters: int = 2) -> torch.Tensor:
    return torch.rand(images, filters, generator=torch.Generator().manual_seed(seed + 1)) > 0.5


def bank64(n: int, tau_cells: float = 8.0) -> torch.Tensor:
    return templates(n, tau=tau_cells / n**2).double()


def likelihoods(x: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """p(x|T) (images, templates) of one filter's maps (images, n, n), literally Eq. (2)."""
    fit = torch.tensor([[math.exp((m * t).sum()) for t in bank] for m in x], dtype=torch.float64)
    return fit / fit.sum(dim=0)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, n=sizes)
def test_exact_gradient_is_the_derivative_of_the_loss_by_finite_differences(seed, n):
    x = random_maps(seed, n, images=3, filters=1).requires_grad_()
    loss = FilterLoss(bank64(n), 1)
    assert torch.autograd.gradcheck(lambda maps: loss(maps, random_positive(seed, 3, 1)), (x,), atol=1e-7)


@quick
@given(seed=seeds, n=sizes)
def test_constant_z_gradient_is_the_derivative_with_z_held_and_equation_4_with_its_minus_sign(seed, n):
    x, bank = random_maps(seed, n, filters=1), bank64(n)
    z = (x[:, 0].flatten(1) @ bank.flatten(1).T).exp().sum(dim=0)

    def loss(maps: torch.Tensor) -> torch.Tensor:
        p = (maps[:, 0].flatten(1) @ bank.flatten(1).T).exp() / z
        return -(p * (p / p.mean(dim=1, keepdim=True)).log()).mean(dim=1).sum()

    variable = x.clone().requires_grad_()
    loss(variable).backward()
    found = ExactGradient(bank, 1, constant_z=True)(x)
    assert torch.allclose(found, variable.grad, atol=1e-10)
    p = likelihoods(x[:, 0], bank)
    for k in range(len(x)):
        braces = torch.stack([(x[k, 0] * t).sum() - (z_t * p[k].mean()).log() for t, z_t in zip(bank, z, strict=True)])
        equation = sum(t * p[k, i] * braces[i] / len(bank) for i, t in enumerate(bank))
        assert torch.allclose(found[k, 0], -equation, atol=1e-10)


def paper_by_hand(x, bank, positive, log_z):
    """g of the second line of Eq. (4) for maps of one filter, with the minus sign and footnote 2."""
    prior = 1 / len(bank)
    p = sum(prior * max(math.exp((m * t).sum()) for m in x) / math.exp(z) for t, z in zip(bank, log_z, strict=True))
    gradients = []
    for m, is_positive in zip(x, positive, strict=True):
        index = int(m.argmax()) if is_positive else len(bank) - 1
        fit, z = (m * bank[index]).sum().item(), log_z[index].item()
        gradients.append(-prior * bank[index] / math.exp(z) * math.exp(fit) * (fit - z - math.log(p)))
    return torch.stack(gradients)


@quick
@given(seed=seeds, n=sizes)
def test_paper_gradient_follows_equation_4_with_a_running_z(seed, n):
    bank, images = bank64(n), 1000
    gradient = PaperGradient(bank, 2, images=images)
    first, second = random_maps(seed, n), random_maps(seed + 7, n)
    positive = random_positive(seed)
    gradient(first, positive)
    found = gradient(second, positive)
    for f in range(2):
        past, now = (
            torch.stack([images * (x[:, f] * t).sum(dim=(1, 2)).exp().mean() for t in bank]) for x in (first, second)
        )
        log_z = (0.9 * past + 0.1 * now).log()
        assert torch.allclose(gradient.log_z[f], log_z, atol=1e-10)
        assert torch.allclose(found[:, f], paper_by_hand(second[:, f], bank, positive[:, f], log_z), atol=1e-10)


def test_paper_gradient_can_take_p_of_x_from_the_image_itself():
    bank, x, positive = bank64(4), random_maps(3, 4), random_positive(3)
    found = PaperGradient(bank, 2, images=1000, marginal="own")(x, positive)
    for f in range(2):
        z = torch.stack([1000 * (x[:, f] * t).sum(dim=(1, 2)).exp().mean() for t in bank])
        for image, is_positive, gradient in zip(x[:, f], positive[:, f], found[:, f], strict=True):
            likelihood = torch.stack([(image * t).sum().exp() for t in bank]) / z
            chosen = int(image.argmax()) if is_positive else len(bank) - 1
            ratio = likelihood[chosen] / likelihood.mean()
            expected = -bank[chosen] / len(bank) * likelihood[chosen] * ratio.log()
            assert torch.allclose(gradient, expected, atol=1e-12)


def test_paper_gradient_as_printed_lowers_weak_peaks_and_raises_them_with_p_of_x_of_the_image():
    bank, x = bank64(8), torch.rand(64, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    positive = torch.ones(x.shape[:2], dtype=torch.bool)
    peak = x.flatten(2).argmax(2, keepdim=True)
    at_peak = {
        marginal: PaperGradient(bank, 2, marginal=marginal)(x, positive).flatten(2).gather(2, peak)
        for marginal in ("largest", "own")
    }
    assert (at_peak["largest"] > 0).float().mean() > 0.8  # descending lowers the peak
    assert (at_peak["own"] < 0).float().mean() > 0.5


def test_paper_gradient_leaves_its_z_alone_in_eval_mode():
    gradient = PaperGradient(bank64(4), 2)
    gradient(random_maps(0, 4), random_positive(0))
    before = gradient.log_z.clone()
    gradient.eval()(3 * random_maps(1, 4), random_positive(0))
    assert torch.equal(gradient.log_z, before)
    assert before.isfinite().all()


def released_by_hand(x, bank, positive, kappa=0.5):
    """The released code's update of maps (images, filters, n, n), one filter and one image at a time."""
    mask = (bank / -bank[-1, 0, 0])[centroid_position(x)]
    reversed_mask = mask.flip(0).flip(1)
    out = torch.zeros_like(x)
    for f in range(x.shape[1]):
        groups = {True: [], False: []}
        level_pos = kappa * math.log(
            sum(math.exp((x[k, f] * reversed_mask[k, f]).mean() / kappa) for k in range(len(x))) / len(x)
        )
        level_neg = kappa * math.log(sum(math.exp(-x[k, f].mean() / kappa) for k in range(len(x))) / len(x))
        for k in range(len(x)):
            if positive[k, f]:
                s, level = (x[k, f] * mask[k, f]).mean().item(), level_pos
            else:
                s, level = -x[k, f].mean().item(), level_neg
            groups[bool(positive[k, f])].append((k, math.exp(s / kappa) * (s - level + kappa)))
        for k, q in groups[True]:
            mean = sum(value for _, value in groups[True]) / len(groups[True])
            out[k, f] -= mask[k, f] * q / mean
        for k, q in groups[False]:
            out[k, f] += q / (sum(value for _, value in groups[False]) / len(groups[False]))
    return out


@quick
@given(seed=seeds, n=sizes)
def test_released_gradient_follows_the_batch_statistics_of_the_code(seed, n):
    x, bank, positive = random_maps(seed, n, 5, 3), bank64(n, 2.0), random_positive(seed, 5, 3)
    found = ReleasedGradient(bank, 3)(x, positive)
    assert torch.allclose(found, released_by_hand(x, bank, positive), rtol=1e-6, atol=1e-8)


def test_released_gradient_weighs_the_two_groups_by_the_balance():
    x, bank, positive = random_maps(4, 5), bank64(5), random_positive(4)
    plain = ReleasedGradient(bank, 2)(x, positive)
    weighted = ReleasedGradient(bank, 2, balance=(3.0, 0.25))(x, positive)
    factor = torch.where(positive, 3.0, 0.25)[:, :, None, None]
    assert torch.allclose(weighted, plain * factor)


def test_released_gradient_survives_activations_whose_exponentials_overflow():
    x, positive = 1e4 * random_maps(5, 4).float(), random_positive(5)
    found = ReleasedGradient(templates(4), 2)(x, positive)
    assert found.isfinite().all()
    assert found.abs().sum() > 0


def test_released_gradient_of_a_batch_without_positives_is_a_uniform_push_down():
    found = ReleasedGradient(bank64(4), 2)(random_maps(6, 4), torch.zeros(4, 2, dtype=torch.bool))
    assert torch.allclose(found, found[:, :, :1, :1].expand_as(found))
    assert torch.allclose(found.mean(dim=(0, 2, 3)), torch.ones(2, dtype=torch.float64))


def test_two_balanced_categories_weigh_both_groups_by_one():
    assert category_balance(1) == category_balance(2) == (1.0, 1.0)
    assert category_balance(20) == pytest.approx((10.0, 0.5 / 0.95))


@pytest.mark.parametrize("name", ["exact", "paper", "released"])
def test_filters_do_not_share_a_gradient_except_through_the_reversed_masks(name):
    x, bank, positive = random_maps(8, 5, 4, 3), bank64(5), random_positive(8, 4, 3)
    together = filter_gradient(name, bank, 3)(x, positive)
    alone = filter_gradient(name, bank, 1)(x[:, :1], positive[:, :1])
    assert torch.allclose(together[:, :1], alone) == (name != "released")


def test_exact_gradient_stays_finite_where_likelihoods_underflow():
    x = torch.zeros(3, 1, 6, 6)
    x[0], x[1, 0, 2, 2], x[2, 0, 4, 4] = 300.0, 5000.0, 4000.0
    found = ExactGradient(templates(6, tau=8 / 36), 1)(x)
    assert found.isfinite().all()


def peakedness(x: torch.Tensor) -> torch.Tensor:
    """Share of each map's activation in the support of the template at its argmax."""
    n = x.shape[-1]
    support = templates(n, tau=1.0)[:-1] > 0
    return (x * support[x.flatten(2).argmax(dim=2)]).sum(dim=(2, 3)) / x.sum(dim=(2, 3))


# the exact loss only asks that templates tell images apart; the released gradient pulls each map to its own template
@pytest.mark.parametrize(("name", "gain"), [("exact", 0.1), ("released", 0.3)])
def test_descending_the_gradient_raises_information_and_concentrates_maps_on_their_template(name, gain):
    raw = torch.randn(24, 2, 6, 6, generator=torch.Generator().manual_seed(9)).requires_grad_()
    loss = FilterLoss(templates(6, tau=8 / 36), 2, name)
    positive = torch.ones(24, 2, dtype=torch.bool)
    optimiser = torch.optim.Adam([raw], lr=0.1)
    before, start = peakedness(raw.detach().relu()).mean(), loss(raw.relu(), positive).item()
    for _ in range(50):
        optimiser.zero_grad()
        loss(raw.relu(), positive).backward()
        optimiser.step()
    assert loss(raw.relu(), positive).item() < start - 0.5
    assert peakedness(raw.detach().relu()).mean() > before + gain


def test_paper_gradient_moves_every_cell_of_an_image_along_its_one_template():
    x, bank = random_maps(10, 6), bank64(6)
    positive = torch.tensor([[True], [True], [False], [True]]).expand(4, 2)
    found = PaperGradient(bank, 2)(x, positive)
    template = bank[torch.where(positive, x.flatten(2).argmax(dim=2), 36)]
    factor = (found * template).sum(dim=(2, 3)) / (template**2).sum(dim=(2, 3))
    assert torch.allclose(found, factor[:, :, None, None] * template)
    assert factor.abs().min() > 0


def test_an_unknown_gradient_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match="no filter gradient named 'exakt'; did you mean 'exact'"):
        filter_gradient("exakt", templates(4), 2)


def test_a_positive_mask_of_the_wrong_kind_is_refused_with_what_was_found():
    x = random_maps(0, 4)
    with pytest.raises(ValueError, match=r"positive is torch.int64 \(4,\), expected torch.bool \(4, 2\)"):
        filter_gradient("paper", bank64(4), 2)(x, torch.ones(4, dtype=torch.long))
