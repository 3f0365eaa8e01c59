"""Options of short forms: the keyword-only parameters of a function, with their types and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Any

from partbench.errors import InputError


def expect_function(found: Any, form: str) -> None:
    """Raise InputError for what is no function written in Python: its parameters are read."""
    if not inspect.isfunction(found):
        raise InputError(f"{form} was given {found!r:.60}, expected a function written with def")


def option_class(base: type, function: Callable[..., Any], name: str, **attributes: Any) -> Any:
    """A dataclass derived from `base` that stands for a function: its docstring, its module, and its options.

    The options are the keyword-only parameters of the function. Raises InputError for one without default or with the
    name of a method, and for a function without a name.
    """
    fields = []
    for option in keyword_only(function):
        if option.default is inspect.Parameter.empty:
            raise InputError(f"{name}: the option {option.name} has no default; write `{option.name}: TYPE = VALUE`")
        if hasattr(base, option.name) or option.name in ("name", *attributes):
            raise InputError(f"{name}: no option can be called {option.name}, as {base.__name__} has that; rename it")
        if isinstance(option.default, list | dict | set):
            raise InputError(f"{name}: the default of {option.name} is {option.default!r:.60}, expected a tuple")
        hint = Any if option.annotation is inspect.Parameter.empty else option.annotation
        fields.append((option.name, hint, field(default=option.default)))
    if name == "<lambda>":
        raise InputError("a function written with lambda has no name; write it with def, or give name=...")
    namespace = {
        "name": name, "__doc__": inspect.getdoc(function), "__module__": function.__module__,
        "__qualname__": function.__qualname__, **attributes,
    }  # fmt: skip
    cls = make_dataclass(function.__name__, fields, bases=(base,), namespace=namespace)
    cls.__module__ = function.__module__  # where its types are looked up, and whose code is its version
    return cls


def option_values(plugin: Any, base: type) -> dict[str, Any]:
    """The options of a plugin by name: its fields but for those of the base class."""
    inherited = {f.name for f in fields(base)} if is_dataclass(base) else set()
    return {f.name: getattr(plugin, f.name) for f in fields(plugin) if f.name not in inherited}


def keyword_only(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters after `*`."""
    return [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]


def positional(function: Callable[..., Any]) -> list[str]:
    """The parameters before `*`; with their asterisks where they stand for several."""
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return [stars.get(p.kind, "") + p.name for p in found]
