"""Part templates and masks against the formulas of the paper."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.templates import PartMask, argmax_position, centroid_position, templates

quick = settings(max_examples=25, deadline=None)
sizes = st.integers(3, 7)
seeds = st.integers(0, 2**16)


def relu_maps(seed: int, n: int, images: int = 3, filters: int = 2) -> torch.Tensor:
    return torch.randn(images, filters, n, n, generator=torch.Generator().manual_seed(seed)).relu()


@quick
@given(n=sizes, beta=st.floats(0.5, 8), tau=st.floats(0.01, 2))
def test_every_template_follows_the_formula_of_the_paper(n, beta, tau):
    bank = templates(n, beta, tau)
    assert bank.shape == (n * n + 1, n, n)
    for row in range(n):
        for column in range(n):
            for i in range(n):
                for j in range(n):
                    value = tau * max(1 - beta * (abs(i - row) + abs(j - column)) / n, -1)
                    assert bank[row * n + column, i, j].item() == pytest.approx(value, abs=1e-5)
    assert bank[-1].unique().tolist() == pytest.approx([-tau])


@given(n=sizes)
@quick
def test_tau_is_half_over_the_number_of_cells_unless_given(n):
    assert templates(n).max().item() == pytest.approx(0.5 / n**2)
    assert templates(n, tau=8 / n**2).min().item() == pytest.approx(-8 / n**2)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 3, "tau": 0.0}, {"n": 3, "beta": -1.0}])
def test_templates_without_extent_or_height_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a positive number"):
        templates(**wrong)


@quick
@given(n=st.integers(3, 9), row=st.integers(0, 8), column=st.integers(0, 8))
def test_mask_peaks_at_one_on_the_part_and_is_positive_only_nearer_than_a_quarter_of_the_map(n, row, column):
    row, column = row % n, column % n
    maps = torch.ones(1, 1, n, n)
    maps[0, 0, row, column] = 2.0
    mask = PartMask(templates(n))(maps)[0, 0] / maps[0, 0]
    assert mask[row, column].item() == pytest.approx(1)
    distance = (torch.arange(n) - row).abs()[:, None] + (torch.arange(n) - column).abs()
    assert torch.equal(mask > 0, distance < n / 4)


def test_literal_mask_is_tau_times_the_default_one():
    maps, bank = relu_maps(0, 5), templates(5, tau=0.3)
    assert torch.allclose(PartMask(bank, literal=True)(maps), 0.3 * PartMask(bank)(maps))


@quick
@given(seed=seeds, n=sizes)
def test_masking_each_map_alone_equals_masking_the_batch(seed, n):
    maps, mask = relu_maps(seed, n), PartMask(templates(n))
    alone = torch.stack([torch.stack([mask(x[None, None])[0, 0] for x in image]) for image in maps])
    assert torch.equal(mask(maps), alone)


@pytest.mark.parametrize("position", ["argmax", "centroid"])
def test_backward_treats_the_mask_as_a_constant(position):
    maps = relu_maps(1, 6).requires_grad_()
    mask = PartMask(templates(6), position)
    out = mask(maps)
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    out.backward(grad)
    where = {"argmax": argmax_position, "centroid": centroid_position}[position](maps.detach())
    constant = templates(6, tau=1.0).clamp(min=0)[where]
    assert torch.allclose(maps.grad, grad * constant, atol=1e-6)


@quick
@given(seed=seeds, n=sizes)
def test_centroid_is_the_rounded_centre_of_mass(seed, n):
    maps = relu_maps(seed, n, 2, 2)
    found = centroid_position(maps)
    for image in range(2):
        for f in range(2):
            x = maps[image, f].double()
            mass = max(x.sum().item(), 1e-9)  # a map without activation stands at cell 0
            i = sum(i * x[i].sum().item() for i in range(n)) / mass
            j = sum(j * x[:, j].sum().item() for j in range(n)) / mass
            row, column = divmod(int(found[image, f]), n)
            assert abs(row - i) <= 0.5 + 1e-4
            assert abs(column - j) <= 0.5 + 1e-4


def test_two_equal_peaks_put_the_centroid_between_them_and_the_argmax_on_the_first():
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, 0, 0] = maps[0, 0, 4, 4] = 1.0
    assert centroid_position(maps).item() == 2 * 5 + 2
    assert argmax_position(maps).item() == 0


def test_a_centroid_half_way_between_two_cells_goes_to_the_later_one():
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 2, 0] = maps[0, 0, 2, 1] = 1.0
    assert centroid_position(maps).item() == 2 * 4 + 1


def test_a_silent_map_stays_silent_and_stands_at_the_first_cell():
    maps = torch.zeros(1, 1, 4, 4)
    assert centroid_position(maps).item() == argmax_position(maps).item() == 0
    assert PartMask(templates(4))(maps).abs().sum() == 0


def test_maps_of_another_size_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"maps are \(3, 2, 6, 6\), expected \(b, c, 5, 5\)"):
        PartMask(templates(5))(relu_maps(0, 6))


def test_an_unknown_position_is_refused():
    with pytest.raises(ValueError, match="no position 'mean'; expected one of argmax, centroid"):
        PartMask(templates(5), "mean")
