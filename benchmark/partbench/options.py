"""Options of an explainer: the fields of its dataclass, set from `name=value` texts."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from partbench.errors import InputError, unknown


def parse(texts: Iterable[str]) -> dict[str, str]:
    """`name=value` texts as a mapping. Raises InputError for a text without "="."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"-o {text}: expected option=value, as in -o epochs=30")
        pairs[name.strip()] = value.strip()
    return pairs


def names(cls: type) -> list[str]:
    """The options an explainer class has."""
    return [f.name for f in dataclasses.fields(cls) if f.init] if dataclasses.is_dataclass(cls) else []


def build(cls: type, given: Mapping[str, str]) -> Any:
    """An instance of `cls` with these options, each converted to its field's type.

    Raises InputError for an unknown option or a value of the wrong type, quoting it.
    """
    hints = typing.get_type_hints(cls)
    values = {}
    for name, text in given.items():
        if name not in names(cls):
            raise unknown(f"option of {cls.name}", name, names(cls))  # type: ignore[attr-defined]
        values[name] = _convert(name, text, hints[name])
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{cls.name}: {error}") from error  # type: ignore[attr-defined]


def resolved(explainer: Any) -> dict[str, Any]:
    """Every option of an explainer with its value."""
    return {name: getattr(explainer, name) for name in names(type(explainer))}


def _convert(name: str, text: str, hint: Any) -> Any:
    wanted = "[" + text + "]" if "tuple" in str(hint) and not text.startswith("[") else text
    try:
        value = json.loads(wanted)
    except json.JSONDecodeError:
        value = None if text in ("None", "none") else text
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise InputError(f"-o {name}={text}: {_expectation(hint, error)}") from error


def _expectation(hint: Any, error: ValidationError) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return f"expected one of {', '.join(map(str, typing.get_args(hint)))}"
    kind = getattr(hint, "__name__", str(hint)).replace("typing.", "")
    return f"expected {kind}; {error.errors()[0]['msg'].lower()}"
