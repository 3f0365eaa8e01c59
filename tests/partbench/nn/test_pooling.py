from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from partbench.nn.pooling import QuickPooling

SIZES = st.integers(1, 4)


def maps(*shape: int) -> torch.Tensor:
    """Maps with equal neighbours, zeros of both signs, values without end, and one that is no number."""
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0)).mul(2).round()
    drawn.flatten()[0] = torch.nan
    drawn.flatten()[-1] = -torch.inf
    return drawn


@settings(deadline=None)
@given(size=SIZES, step=SIZES, border=st.integers(0, 2), dilation=st.integers(1, 2), ceil=st.booleans())
def test_maxima_are_those_of_torch(size: int, step: int, border: int, dilation: int, ceil: bool) -> None:
    pool = nn.MaxPool2d(size, step, min(border, size // 2), dilation, ceil_mode=ceil)
    with torch.no_grad(), QuickPooling():
        quick = pool(maps(2, 3, 9, 7))
    torch.testing.assert_close(quick, pool(maps(2, 3, 9, 7)), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d((3, 2), (2, 1), (1, 0)), nn.MaxPool2d((2, 4)), nn.MaxPool2d(3, padding=1)]
)
def test_windows_need_not_be_square(pool: nn.Module) -> None:
    with torch.no_grad(), QuickPooling():
        quick = pool(maps(3, 8, 9))
    torch.testing.assert_close(quick, pool(maps(3, 8, 9)), rtol=0, atol=0, equal_nan=True)


def test_what_is_written_into_maxima_leaves_the_maps_as_they_are() -> None:
    given = maps(1, 2, 5, 5)
    with torch.no_grad(), QuickPooling():
        nn.MaxPool2d(1, 2)(given).zero_()
    assert torch.equal(given.nan_to_num(), maps(1, 2, 5, 5).nan_to_num())


def test_gradients_go_to_the_first_of_equal_maxima() -> None:
    given = torch.ones(1, 1, 2, 2, requires_grad=True)
    with QuickPooling():
        nn.MaxPool2d(2)(given).sum().backward()
    assert given.grad is not None
    assert given.grad.flatten().tolist() == [1, 0, 0, 0]


def test_places_of_maxima_are_found() -> None:
    with torch.no_grad(), QuickPooling():
        _, places = nn.MaxPool2d(2, return_indices=True)(torch.arange(4.0).view(1, 1, 2, 2))
    assert places.item() == 3


@pytest.mark.parametrize(
    ("pool", "found"), [(nn.MaxPool2d(4), "too small"), (nn.MaxPool2d(2, padding=2), "pad should")]
)
def test_what_cannot_be_pooled_is_refused_in_the_words_of_torch(pool: nn.Module, found: str) -> None:
    with torch.no_grad(), QuickPooling(), pytest.raises(RuntimeError, match=found):
        pool(torch.zeros(1, 1, 3, 3))
