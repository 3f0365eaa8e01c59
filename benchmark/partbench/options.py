"""Options of explainers and metrics: the fields of a dataclass. Their types hold the bounds of the values."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import os
import reprlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, cast

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from partbench.advice import PLAIN_OPTIONS, advised
from partbench.errors import InputError, unknown
from partbench.option_types import SEVERAL, kinds_of, names, plain_member, types_of, with_member_names, written

Value = TypeVar("Value")
FINITE = ConfigDict(allow_inf_nan=False)
PREFIX = "Input should be "  # of pydantic's messages
LONGEST = 10_000  # characters of a value as text, or values in a sequence
DEEPEST = 20  # sequences within sequences

_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother, _repr.maxlong = 4, 300, 300, 300
_repr.maxtuple = _repr.maxlist = _repr.maxset = _repr.maxfrozenset = _repr.maxdict = 20


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
        _check_size(f"{_title(cls)}: {name}", value)
        try:
            setattr(explainer, name, option.adapter.validate_python(value))
        except ValidationError as error:
            found = f"{_title(cls)}: {name} is {_repr.repr(value)}"
            raise InputError(f"{found}, expected {_expectation(option.hint, error)}") from error


def _check_size(what: str, value: Any) -> None:
    if isinstance(value, (str, *SEVERAL)) and len(value) > LONGEST:
        unit = "characters" if isinstance(value, str) else "values"
        raise InputError(f"{what} has {len(value)} {unit}, expected at most {LONGEST}")
    if not _is_within(DEEPEST, value):
        raise InputError(f"{what} is nested more than {DEEPEST} deep")


def parse(texts: Iterable[str]) -> dict[str, str]:
    """`name=value` texts as a mapping; spaces belong to the value. Raises InputError for a text without "="."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"-o {text}: expected option=value, as in -o epochs=30")
        pairs[name.strip()] = value
    return pairs


def check_types(cls: type) -> None:
    """Look up the types of the options of a class, once. Raises InputError for a type that cannot be checked."""
    _options(cls)


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
    """Every option of an explainer with its value, as plain data: of an enum its value, a path as text."""
    return {name: plain(getattr(explainer, name)) for name in names(type(explainer))}


def plain(value: Any) -> Any:
    """A value as numbers, texts, None and sequences of them, from which its option is read again.

    Of a member of an enum its value, or its name where the value is no number and no text. Other values stay.
    """
    if isinstance(value, enum.Enum):
        return plain_member(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, SEVERAL):
        made = [plain(part) for part in value]
        return (
            tuple(made)
            if isinstance(value, tuple)
            else sorted(made, key=str)
            if isinstance(value, set | frozenset)
            else made
        )
    return value


def as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Texts from which `build` makes these values again. Raises InputError for a value that has no such text."""
    return {name: _as_text(name, value) for name, value in values.items()}


def _as_text(name: str, value: Any) -> str:
    try:
        return json.dumps(plain(value))
    except (TypeError, ValueError, RecursionError) as error:
        expected = "expected a number, a text, None, an enum, a path, or a tuple of them"
        raise InputError(f"option {name} is {_repr.repr(value)}; {expected}") from error


def _title(cls: type) -> str:
    return str(getattr(cls, "name", cls.__name__))


@functools.cache
def _options(cls: type) -> dict[str, Option]:
    try:
        hints = types_of(cls)
        return {name: Option(hint, TypeAdapter(with_member_names(hint), config=FINITE)) for name, hint in hints.items()}
    except (NameError, PydanticUserError, TypeError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        found = f"{_title(cls)}: the type of an option cannot be checked: {reason}"
        raise advised(InputError(found), PLAIN_OPTIONS) from error


def _convert(name: str, text: str, option: Option) -> Any:
    if len(text) > LONGEST:
        raise InputError(f"-o {name}={text[:60]}...: {len(text)} characters, expected at most {LONGEST}")
    errors = []
    for value in _readings(text, option.hint):
        try:
            made = option.adapter.validate_python(value)
        except ValidationError as error:
            errors.append(error)
        else:
            if not _takes_truth_for_number(value, made):
                return made
    nearest = max(errors, key=lambda error: len(error.errors()[0]["loc"]))  # a value of the right shape
    raise InputError(f"-o {name}={text}: expected {_expectation(option.hint, nearest)}") from nearest


def _takes_truth_for_number(value: Any, made: Any) -> bool:
    """Whether true or false became 1 or 0."""
    if isinstance(value, list) and isinstance(made, SEVERAL):
        return any(map(_takes_truth_for_number, value, made))
    return isinstance(value, bool) and type(made) in (int, float)


def _readings(text: str, hint: Any) -> Iterator[Any]:
    """The values that a text may mean, likeliest first: JSON, None, several values without brackets, the text itself.

    A text without comma is one value rather than a sequence of one. Last comes the text without the spaces around it.
    """
    listed = any(typing.get_origin(kind) in SEVERAL or kind in SEVERAL for kind in kinds_of(hint))
    yield from _in_json(text)
    if text.strip() in ("None", "none"):
        yield None
    if listed and ("," in text or not text.strip()):
        yield from _separated(text)
    yield text
    if listed:
        yield from _separated(text)
    yield text.strip()


def _in_json(text: str) -> Iterator[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, a number of over 4,300 digits, or brackets in thousands
        return
    if _is_within(DEEPEST, value):
        yield value


def _is_within(depth: int, value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, SEVERAL) else ()
    return depth >= 0 and all(_is_within(depth - 1, part) for part in parts)


def _separated(text: str) -> Iterator[Any]:
    yield from _in_json(f"[{text}]")
    yield [part.strip() for part in text.split(",")]


def _expectation(hint: Any, error: ValidationError) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    details = error.errors()
    messages = [detail["msg"] for detail in details]
    bounds = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
    if details[0]["type"] in bounds:
        return " or ".join(message.removeprefix(PREFIX) for message in messages)
    return f"{written(hint)}; {messages[0].lower()}"
