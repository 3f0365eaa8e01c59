"""What a class must declare to be registered: a valid name, defaults for its fields, and the methods of its kind."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

from partbench import advice
from partbench.advice import Advice
from partbench.names import in_ascii
from partbench.plugin.dataset import Dataset
from partbench.plugin.explainer import Explainer
from partbench.plugin.metric import Metric
from partbench.plugin.performer import PerformerPlugin

LONGEST_NAME = 100
SEPARATORS = r"\s/\\@:*?\[\]=,"
BASES: dict[str, type] = {
    "explainers": Explainer, "metrics": Metric, "datasets": Dataset, "performers": PerformerPlugin,
}  # fmt: skip
METHODS = {
    "explainers": ("fit", "explain"), "metrics": ("update", "compute"), "datasets": (), "performers": ("open",),
}  # fmt: skip
ATTRIBUTES = {
    "explainers": (), "metrics": ("higher_is_better",), "datasets": ("default_performer",),
    "performers": ("input_size",),
}  # fmt: skip


class Fault(str):
    """Why a class cannot be registered, in one line, with advice on how to mend it."""

    advice: Advice | None = None

    @staticmethod
    def of(text: str, mending: Advice | None) -> Fault:
        """A text with advice."""
        made = Fault(text.replace("\n", " "))
        made.advice = mending
        return made


def fault(kind: str, cls: Any) -> Fault:
    """Why a class cannot be registered as one of `kind` ("explainers", ...), in one line; "" if it can."""
    if not isinstance(cls, type):
        return Fault.of(f"registered {cls!r:.60}, expected a class", advice.NO_CLASS)
    name = getattr(cls, "name", None)
    if type(name) is not str:  # a subclass could read otherwise at every call
        found = "there is none" if name is None else f"it is {name!r:.60}"
        text = f"expected a class attribute `name`, a text; {found}"
        mending: Advice | None = advice.NAME_MISSING
    elif text := fault_of_name(kind, name):
        mending = advice.NAME
    else:
        text, mending = _missing(kind, cls) or _fault_of_fields(kind, cls) or _fault_of_values(kind, cls)
    return Fault.of(f"class {cls.__name__}: {text}", mending) if text else Fault()


def fault_of_name(kind: str, name: str) -> str:
    if not 0 < len(name) <= LONGEST_NAME:
        return f"its name has {len(name)} characters, expected 1 to {LONGEST_NAME}"
    if len(name.encode(errors="surrogatepass")) > LONGEST_NAME:  # it is part of the names of files
        return f"its name takes more than {LONGEST_NAME} bytes in UTF-8; write a shorter one"
    separators = SEPARATORS.replace(":", "") if kind == "performers" else SEPARATORS  # as in timm:resnet18
    if re.search(f"[{separators}]", name) or not name.isprintable() or name.startswith("-"):
        return f"its name is {name!r}; expected no spaces, separators or control characters"
    if not name.isascii():
        return f"its name is {in_ascii(name)!r}; expected ASCII, which nothing else looks like"
    if name == "all" or name.endswith(".py"):
        return f"its name is {name!r}, which `--plugin` takes for something else"
    return ""


def _missing(kind: str, cls: type) -> tuple[str, Advice] | None:
    base = BASES[kind]
    if not issubclass(cls, base):
        return f"expected a subclass of partbench.{base.__name__}", advice.BASE_CLASS
    absent = [f"{name}()" for name in METHODS[kind] if vars(base)[name] is inspect.getattr_static(cls, name)]
    absent += [f"{name}()" for name in sorted(getattr(cls, "__abstractmethods__", ()))]
    absent += [f"`{name}`" for name in ATTRIBUTES[kind] if not hasattr(cls, name)]
    if absent:
        return f"expected of {kind.removesuffix('s')}s, and not there: {', '.join(absent)}", advice.ABSENT
    if issubclass(cls, Dataset) and not _names(cls.categories):
        return "expected `categories`, a tuple of names", advice.CATEGORIES
    return None


def _fault_of_values(kind: str, cls: type) -> tuple[str, Advice | None]:
    """What is declared is read by whoever ranks, plots or stores: a value of another type would fail there."""
    for name, (right, expected) in VALUES[kind].items():
        value = getattr(cls, name)
        if not right(value):
            return f"its {name} is {value!r:.60}, expected {expected}", Advice(name, "correct this class attribute")
    return "", None


def _is_range(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    return all(isinstance(end, (int, float)) for end in value) and value[0] < value[1]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _names(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(name, str) for name in value)


def _fault_of_fields(kind: str, cls: type) -> tuple[str, Advice] | None:
    """Explainers and metrics are built without arguments: each field needs a default."""
    if kind not in ("explainers", "metrics") or not dataclasses.is_dataclass(cls):
        return None
    if "name" in [f.name for f in dataclasses.fields(cls)]:
        return "`name` is a field, and so an option; write `name: ClassVar[str] = ...`", advice.NAME_FIELD
    missing = dataclasses.MISSING
    bare = [f.name for f in dataclasses.fields(cls) if f.init and f.default is missing is f.default_factory]
    return (f"expected a default for each field; {', '.join(bare)} lack one", advice.DEFAULTS) if bare else None


_VERSION = {"version": (lambda value: _is_text(value) and value, 'a text such as "1"')}
VALUES: dict[str, dict[str, tuple[Callable[[Any], Any], str]]] = {
    "explainers": {},
    "metrics": {
        **_VERSION,
        "higher_is_better": (lambda value: isinstance(value, bool), "True or False"),
        "bounds": (_is_range, "two numbers, the lower first"),
        "unit": (_is_text, "a text on one line"),
        "images": (lambda value: value in ("positive", "all"), '"positive" or "all"'),
    },
    "datasets": {**_VERSION, "default_performer": (_is_text, "the name of a performer")},
    "performers": {
        **_VERSION,
        "input_size": (lambda value: type(value) is int and value > 0, "a number of px above 0"),
    },
}
