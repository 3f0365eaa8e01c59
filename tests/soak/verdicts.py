"""How reading a mutated input ends. An exception beside `REFUSALS` is a fault, and so is a refusal of several lines."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import torch

from partbench import InputError
from partbench.cache.item import DamagedItem
from partbench.results.sealed import Damaged

REFUSALS = (InputError, Damaged, DamagedItem)
Input = TypeVar("Input")


def verdicts(inputs: Iterable[Input], read: Callable[[Input], object], whole: object) -> Counter[str]:
    """How many inputs are "refused" in one line, read as "equal" to the values of the whole one, or as "other"."""
    return Counter(_verdict(number, each, read, whole) for number, each in enumerate(inputs))


def _verdict(number: int, each: Input, read: Callable[[Input], object], whole: object) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "equal" if same(read(each), whole) else "other"
    except REFUSALS as error:
        text = str(error)
    except BaseException as error:
        error.add_note(f"input {number}: {each!r:.300}")
        raise
    assert text.strip(), f"input {number} is refused without a reason"
    assert "\n" not in text, f"input {number} is refused in several lines: {text}"
    assert len(text) < 2000, f"input {number} is refused in {len(text)} characters"
    return "refused"


def same(a: object, b: object) -> bool:
    """Whether values are equal to the bit, NaN too, whatever they are nested in."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | torch.Tensor) and isinstance(b, np.ndarray | torch.Tensor):
        left, right = np.asarray(a), np.asarray(b)
        return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    return bool(a == b) or (a != a and b != b)
