"""Max pooling for networks that are run, not trained: the same maxima, several times as fast on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class QuickPooling(TorchFunctionMode):
    """A context in which `max_pool2d` compares whole rows and columns of maps, where no gradient is asked for.

    torch goes window by window instead, and notes where each maximum lies. Dilated windows, those that reach over the
    edge (`ceil_mode`) or are one cell wide or high, and maps on a GPU are left to it.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """The function itself, but for max pooling."""
        given = kwargs or {}
        if function is functional.max_pool2d and not torch.is_grad_enabled():
            pooled = _pooled(*args, **given)
            if pooled is not None:
                return pooled
        return function(*args, **given)


def _pooled(
    maps: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:  # fmt: skip
    windows = list(zip(*map(pair, (kernel_size, stride or kernel_size, padding)), maps.shape[-2:], strict=True))
    if any(2 * border > size or size > cells + 2 * border for size, _, border, cells in windows):
        return None  # torch says what is wrong with them
    if maps.device.type != "cpu" or pair(dilation) != (1, 1) or ceil_mode or return_indices:
        return None
    if any(size == 1 for size, *_ in windows):
        return None  # the result would be a view of the maps
    for axis, (size, step, border, _) in zip((-2, -1), windows, strict=True):
        maps = _largest(maps, axis, size, step, border)
    return maps


def _largest(maps: Tensor, axis: int, size: int, step: int, border: int) -> Tensor:
    """The largest of `size` neighbours along an axis, every `step` cells; there is nothing beyond the border."""
    if border:
        maps = functional.pad(maps, (border, border) if axis == -1 else (0, 0, border, border), value=-torch.inf)
    last = maps.shape[axis] - size
    found = maps.narrow(axis, 0, last + 1)[_every(axis, step)]
    for first in range(1, size):
        found = torch.maximum(found, maps.narrow(axis, first, last + 1)[_every(axis, step)])
    return found


def _every(axis: int, step: int) -> tuple[Any, ...]:
    return (..., slice(None, None, step)) if axis == -1 else (..., slice(None, None, step), slice(None))


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """What torch takes as one number for both axes, or as two: for height and for width."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
