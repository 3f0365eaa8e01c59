"""Activations on disk in half precision that whoever reads them computes with in single precision."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from partbench.errors import InputError

VARIABLE = "PARTBENCH_ACTIVATIONS"
LARGEST = torch.finfo(torch.half).max
Precision = torch.dtype

_GATHER = {Tensor.__getitem__, Tensor.index_select, torch.index_select}
_VIEWS = {
    Tensor.split, torch.split, Tensor.chunk, torch.chunk, Tensor.unbind, torch.unbind, Tensor.__iter__, Tensor.narrow,
    Tensor.flatten, torch.flatten, Tensor.view, Tensor.permute, Tensor.squeeze, Tensor.unsqueeze, Tensor.detach,
}  # fmt: skip
_FACTS = {Tensor.size, Tensor.dim, Tensor.numel, Tensor.nelement, Tensor.stride, Tensor.__len__, Tensor.data_ptr}


def stored_precision() -> Precision:
    """What PARTBENCH_ACTIVATIONS asks for: float32, the default, or float16. Raises InputError for another value."""
    given = os.environ.get(VARIABLE, "float32")
    if given not in ("float32", "float16"):
        raise InputError(f"{VARIABLE} is '{given}', expected float32 or float16; set it, or unset it")
    return torch.half if given == "float16" else torch.float


def rounded(values: Tensor) -> Tensor:
    """Values in half precision. Raises InputError where one is too large for it."""
    if bool((values.abs() > LARGEST).any()):
        raise InputError(f"activations of {float(values.abs().max()):.3g} are too large for float16; unset {VARIABLE}")
    return values.half()


class HalfStored(Tensor):
    """A tensor of halves, such as a memory mapping, that passes for one in single precision.

    What is read out of it by an index, and what an operation gets, is converted; slices, splits and other views are not
    yet. It cannot be written to.
    """

    @classmethod
    def of(cls, halves: Tensor) -> HalfStored:
        """These halves, shared and not copied."""
        return halves.as_subclass(cls)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Do `func` on the halves where it gives a view or a shape, else on what they are in single precision."""
        name = getattr(func, "__name__", "")
        if func is Tensor.__setitem__ or (name.endswith("_") and not name.endswith("__")):
            raise RuntimeError(f"{name}: activations stored in half precision cannot be written to; clone them")
        if name == "__get__" and func.__self__ is Tensor.dtype:  # type: ignore[attr-defined]
            return torch.float
        with torch._C.DisableTorchFunctionSubclass():
            if func in _GATHER or func in _VIEWS:
                return _read(args[0], func(*args, **(kwargs or {})))
            if func in _FACTS or name == "__get__":
                return func(*args, **(kwargs or {}))
            return func(*map(_single, args), **{key: _single(value) for key, value in (kwargs or {}).items()})


def _read(source: Tensor, found: Any) -> Any:
    """What was read: views of the source as halves, copies of its values in single precision."""
    if isinstance(found, Tensor):
        shares = found.untyped_storage().data_ptr() == source.untyped_storage().data_ptr()
        return found.as_subclass(HalfStored) if shares else found.as_subclass(Tensor).float()
    return tuple(_read(source, one) for one in found)


def _single(value: Any) -> Any:
    if isinstance(value, HalfStored):
        return value.as_subclass(Tensor).float()
    return type(value)(map(_single, value)) if type(value) in (list, tuple) else value
