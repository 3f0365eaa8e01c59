"""Which category a filter is given, on maps where it is planted."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench.nn.categories import MeanCategories, PeakCategories

RULES = [MeanCategories, PeakCategories]


def planted(labels: torch.Tensor, loves: list[int], seed: int) -> torch.Tensor:
    """Maps of filters that each fire on images of one category and murmur on others."""
    generator = torch.Generator().manual_seed(seed)
    noise = 0.3 * torch.rand(len(labels), len(loves), 4, 4, generator=generator)
    return noise + (labels[:, None] == torch.tensor(loves)).float()[:, :, None, None]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None)
@given(loves=st.lists(st.integers(0, 3), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_filters_get_the_category_planted_in_their_maps(rule, loves, seed):
    categories = rule(len(loves), 4)
    for step in range(4):
        labels = torch.arange(-1, 4).repeat(2).roll(step)
        categories.update(planted(labels, loves, seed + step), labels)
    assert categories.category().tolist() == loves
    labels = torch.tensor([-1, 0, 1, 2, 3])
    expected = [[label == love for love in loves] for label in labels.tolist()]
    assert categories.positive(labels).tolist() == expected


def test_mean_rule_is_the_mean_over_images_not_over_batches():
    categories = MeanCategories(1, 2)
    maps = torch.rand(9, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 0, 0, -1, 1, 1, 0, 0])
    for part in (slice(0, 2), slice(2, 5), slice(5, 9)):
        categories.update(maps[part], labels[part])
    sums = maps.sum(dim=(1, 2, 3))
    assert categories.mean[0].tolist() == pytest.approx([sums[labels == c].mean().item() for c in (0, 1)])


def test_reset_forgets_what_a_category_was_once_it_is_seen_again():
    categories = MeanCategories(1, 2)
    categories.update(torch.ones(2, 1, 2, 2), torch.tensor([0, 1]))
    categories.reset()
    categories.update(torch.full((1, 1, 2, 2), 5.0), torch.tensor([1]))
    assert categories.mean.tolist() == [[4.0, 20.0]]


def test_peak_rule_starts_at_a_tenth_or_more_keeps_nine_tenths_and_skips_silent_batches():
    categories = PeakCategories(1, 1)

    def show(peak: float) -> float:
        maps = torch.zeros(2, 1, 3, 3)
        maps[:, 0, 1, 2] = peak
        categories.update(maps, torch.zeros(2, dtype=torch.long))
        return categories.mean.item()

    assert show(0.02) == pytest.approx(0.1)
    assert show(1.0) == pytest.approx(0.9 * 0.1 + 0.1)
    assert show(0.0) == pytest.approx(0.19)


def test_broad_and_peaked_activation_part_the_two_rules():
    maps = torch.zeros(2, 1, 4, 4)
    maps[0] = 0.5  # category 0: everywhere a little
    maps[1, 0, 0, 0] = 3.0  # category 1: once, strongly
    labels = torch.tensor([0, 1])
    chosen = []
    for rule in RULES:
        categories = rule(1, 2)
        categories.update(maps, labels)
        chosen.append(categories.category().item())
    assert chosen == [0, 1]


@pytest.mark.parametrize("rule", RULES)
def test_before_anything_is_seen_images_of_any_category_are_positive(rule):
    categories = rule(2, 3)
    assert categories.category().tolist() == [-1, -1]
    assert categories.positive(torch.tensor([2, -1, 0])).tolist() == [[True, True], [False, False], [True, True]]


@pytest.mark.parametrize("rule", RULES)
def test_with_one_category_every_filter_belongs_to_it_even_if_silent(rule):
    categories = rule(3, 1)
    categories.update(torch.zeros(2, 3, 4, 4), torch.tensor([0, -1]))
    assert categories.category().tolist() == [0, 0, 0]
    assert categories.positive(torch.tensor([0, -1])).tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize("rule", RULES)
def test_an_absent_category_keeps_its_value(rule):
    categories = rule(1, 3)
    categories.update(torch.ones(3, 1, 2, 2), torch.tensor([0, 1, 2]))
    before = categories.mean[0, 1].item()
    categories.update(torch.ones(2, 1, 2, 2) * 9, torch.tensor([0, 2]))
    assert categories.mean[0, 1].item() == before


def test_a_label_outside_the_categories_is_refused():
    with pytest.raises(ValueError, match=r"labels are 0 \.\.\. 5, expected -1 \.\.\. 2 for 3 categories"):
        MeanCategories(1, 3).update(torch.ones(2, 1, 2, 2), torch.tensor([0, 5]))
