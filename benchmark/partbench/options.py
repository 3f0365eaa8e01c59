"""Options of explainers and metrics: the fields of a dataclass. Their types hold the bounds of the values."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from partbench.errors import InputError, unknown

Value = TypeVar("Value")
FINITE = ConfigDict(allow_inf_nan=False)
PREFIX = "Input should be "  # of pydantic's messages


class Option(NamedTuple):
    """The type of an option, and pydantic's check of it."""

    hint: Any
    adapter: TypeAdapter[Any]


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Placeholder of an option that was left out; `resolve_options` replaces it by a value."""

    choose: Callable[[Any, str], Any]


def default_from(choose: Callable[[Any], Value]) -> Value:
    """A default computed from the explainer when it is made, as in `rate: float = default_from(lambda o: o.beta / 2)`.

    The explainer's `__post_init__` must call `resolve_options`. Options that are fields before this one have their
    values by then. As for `dataclasses.field`, the type is that of the value.
    """
    return cast(Value, LeftOut(lambda explainer, name: choose(explainer)))


def of_profile() -> Any:
    """A default that the profile in use gives, as in `rho: float = of_profile()`.

    The explainer has an option `profile`, which is resolved first wherever it stands, a class attribute `profiles` that
    maps each of its choices to values of options by name, and a `__post_init__` that calls `resolve_options`.
    """
    return LeftOut(lambda explainer, name: explainer.profiles[explainer.profile][name])


def resolve_options(explainer: Any) -> None:
    """Give options that were left out their values, and check every option against its type; called once, when made.

    Values are converted as pydantic does: 3 to 3.0 for a float, a list to a tuple. Numbers must be finite. Raises
    InputError, such as "interp_cnn: rho is -1.0, expected greater than or equal to 0".
    """
    cls: type = type(explainer)
    for name, option in sorted(_options(cls).items(), key=lambda item: item[0] != "profile"):
        value = getattr(explainer, name)
        if isinstance(value, LeftOut):
            value = value.choose(explainer, name)
        try:
            setattr(explainer, name, option.adapter.validate_python(value))
        except ValidationError as error:
            found = f"{_title(cls)}: {name} is {value!r}"
            raise InputError(f"{found}, expected {_expectation(option.hint, error)}") from error


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
    """An instance of `cls` with these options, each converted from text to its field's type.

    Raises InputError for an unknown option or a value of the wrong type, quoting it.
    """
    for name in given:
        if name not in names(cls):
            raise unknown(f"option of {_title(cls)}", name, names(cls))
    values = {name: _convert(name, text, _options(cls)[name]) for name, text in given.items()}
    try:
        return cls(**values)
    except InputError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of a __post_init__ of the explainer's own, which may call sys.exit
        raise InputError(f"{_title(cls)}: {' '.join(str(error).split()) or type(error).__name__}") from error


def resolved(explainer: Any) -> dict[str, Any]:
    """Every option of an explainer with its value."""
    return {name: getattr(explainer, name) for name in names(type(explainer))}


def as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Texts from which `build` makes these values again."""
    return {name: json.dumps(value) for name, value in values.items()}


def _title(cls: type) -> str:
    return str(getattr(cls, "name", cls.__name__))


@functools.cache
def _options(cls: type) -> dict[str, Option]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
        return {name: Option(hints[name], TypeAdapter(hints[name], config=FINITE)) for name in names(cls)}
    except (NameError, PydanticUserError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(f"{_title(cls)}: the type of an option cannot be checked: {reason}") from error


def _convert(name: str, text: str, option: Option) -> Any:
    errors = []
    for value in _readings(text, option.hint):
        try:
            return option.adapter.validate_python(value)
        except ValidationError as error:
            errors.append(error)
    raise InputError(f"-o {name}={text}: expected {_expectation(option.hint, errors[0])}") from errors[0]


def _readings(text: str, hint: Any) -> Iterator[Any]:
    """The values that a text may mean, likeliest first: JSON, None, the text itself; tuples also without brackets."""
    listed = "tuple" in str(hint) and not text.startswith("[")
    try:
        yield json.loads(f"[{text}]" if listed else text)
    except (ValueError, RecursionError):  # no JSON, a number of over 4,300 digits, or brackets in thousands
        if text in ("None", "none"):
            yield None
    yield [part.strip() for part in text.split(",")] if listed else text


def _expectation(hint: Any, error: ValidationError) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    details = error.errors()
    messages = [detail["msg"] for detail in details]
    bounds = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
    if details[0]["type"] in bounds:
        return " or ".join(message.removeprefix(PREFIX) for message in messages)
    return f"{_kind(hint)}; {messages[0].lower()}"


def _kind(hint: Any) -> str:
    """A type as it is written, without bounds: float | None."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(_kind(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
