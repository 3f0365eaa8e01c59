"""What users give to short forms, checked where they write it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from partbench.declaration import fault
from partbench.errors import InputError


def expect(right: object, title: str, what: str, value: object, expected: str) -> None:
    """Raise InputError, such as "birds: folder is 3, expected a path", unless `right`."""
    if not right:
        raise InputError(f"{title}: {what} is {value!r:.60}, expected {expected}")


def expect_text(title: str, **texts: object) -> None:
    """Raise InputError for an argument that is no text; it may be empty."""
    for what, value in texts.items():
        expect(isinstance(value, str), title, what, value, "a text")


def expect_declared(kind: str, cls: type) -> None:
    """Raise InputError for a class that could not be registered as one of `kind`, for the reason."""
    if wrong := fault(kind, cls):
        raise InputError(wrong)


def expect_parameters(function: Callable[..., Any], title: str, *names: str) -> None:
    """Raise InputError for a function that cannot be called with so many values by place and nothing else."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of functions written in C
        return
    try:
        signature.bind(*names)
    except TypeError as error:
        raise InputError(f"{title} is {title.rpartition('.')[2]}{signature}, expected ({', '.join(names)})") from error
