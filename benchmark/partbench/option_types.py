"""Types of options: looked up where a class writes them, and as they are written for a reader."""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator

SEVERAL = (tuple, list, set, frozenset)


def names(cls: type) -> list[str]:
    """The options a class has: the fields that its constructor takes."""
    return [f.name for f in dataclasses.fields(cls) if f.init] if dataclasses.is_dataclass(cls) else []


def types_of(cls: type) -> dict[str, Any]:
    """The types of the options of a class; those written as text are looked up where the class that has them stands.

    Names that a module imports under `if TYPE_CHECKING` are imported now. Types of other annotations are not looked up.
    """
    hints: dict[str, Any] = {}
    for name in names(cls):
        owner = next(base for base in cls.__mro__ if name in inspect.get_annotations(base))
        module = sys.modules.get(owner.__module__)
        stand_in = type(cls.__name__, (), {"__annotations__": {name: owner.__annotations__[name]}})
        known = {**vars(module), **vars(owner)} if module else None
        try:
            hints |= typing.get_type_hints(stand_in, known, include_extras=True)
        except NameError:
            known = {**_for_type_checkers(module), **(known or {})}
            hints |= typing.get_type_hints(stand_in, known, include_extras=True)
    return hints


def plain_member(member: enum.Enum) -> Any:
    """A member of an enum as plain data: its value, or its name where the value is no number and no text."""
    return member.value if type(member.value) in (int, float, str) else member.name


def with_member_names(hint: Any) -> Any:
    """A type that also accepts names of members where it has an enum."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return Annotated[(with_member_names(arguments[0]), *arguments[1:])]
    if origin in (Union, types.UnionType):
        return Union[tuple(map(with_member_names, arguments))]  # noqa: UP007
    if origin in SEVERAL:
        return origin[tuple(part if part is ... else with_member_names(part) for part in arguments)]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Annotated[hint, BeforeValidator(functools.partial(_member, hint))]
    return hint


def _member(kind: type[enum.Enum], value: Any) -> Any:
    named = isinstance(value, str) and value in kind.__members__ and value not in [one.value for one in kind]
    return kind[value] if named else value


def _for_type_checkers(module: types.ModuleType | None) -> dict[str, Any]:
    """What a module imports under `if TYPE_CHECKING`, by name, as far as it can be imported."""
    found: dict[str, Any] = {}
    try:
        tree = ast.parse(inspect.getsource(module)) if module else ast.Module([], [])
    except (OSError, TypeError, SyntaxError):
        return found
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    for statement in [node for block in blocks for node in block.body]:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            _import(statement, module, found)
    return found


def _import(statement: ast.Import | ast.ImportFrom, module: types.ModuleType | None, found: dict[str, Any]) -> None:
    scope = dict(vars(module)) if module else {}
    try:
        exec(compile(ast.Module([statement], []), "<annotations>", "exec"), scope)
    except ImportError:
        return
    for alias in statement.names:
        name = alias.asname or alias.name.partition(".")[0]
        found[name] = scope[name]


def kinds_of(hint: Any) -> Iterator[Any]:
    """The types that a union is of, without bounds; a type that is no union itself."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        yield from kinds_of(arguments[0])
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from kinds_of(argument)
    else:
        yield hint


def written(hint: Any) -> str:
    """A type as it is written, without bounds: float | None."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return written(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(written(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return " | ".join(str(plain_member(member)) for member in hint)
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
