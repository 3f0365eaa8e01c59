"""Plugins checked in a worker; `bench check` gets what was found as plain data."""

from __future__ import annotations

import ast
import dataclasses
import faulthandler
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from partbench import options
from partbench.advice import advice_of, causes
from partbench.errors import InputError, unknown
from partbench.plugin.dataset import ImageSet
from partbench.registry import KINDS, Registry
from partbench.running.cell_job import Setting
from partbench.testing.checks import ContractError
from partbench.testing.finding import Finding
from partbench.testing.source_lines import SourceLine, declared_at, neighbours, raised_at, raised_in
from partbench.testing.trial import Trial

BEFORE = 0.5  # seconds before the time limit at which the place in the code is noted in the log


def named(worker: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Kind and name of each plugin of a file or name as "plugins", or the "finding" of a file that cannot be loaded.

    Raises InputError where there is no such file or name.
    """
    setting = Setting.of(request["setting"])
    try:
        registry = worker.workbench(setting).registry
    except InputError as error:
        named_file = [file for file in setting.plugin_files if file in str(error)]
        if not named_file or str(error).startswith("no plugin file"):
            raise
        return {"finding": dataclasses.asdict(unloadable(named_file[0], error))}, True
    return {"plugins": [list(pair) for pair in meant(registry, request["plugin"])]}, True


def checked(worker: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What is found of one plugin. Raises InputError for a mistake of the user."""
    workbench = worker.workbench(Setting.of(request["setting"]))
    trial = Trial(workbench, request["task"], options.parse(request["options"]))
    worker.say("started")  # from here on the time is limited
    with place_noted(request["seconds"] - BEFORE):
        found = finding_of(trial, request["kind"], request["name"])
    return dataclasses.asdict(found), True


def meant(registry: Registry, plugin: str) -> Sequence[tuple[str, str]]:
    """Kind and name of each plugin in a file or of a name. Raises InputError if there is none."""
    if plugin.endswith(".py"):
        return [(kind, name) for kind, names in registry.of_file(plugin).items() for name in names]
    found = [(kind, plugin) for kind in KINDS if plugin in getattr(registry, kind)]
    if not found:
        registry.raise_if_broken(plugin)
        raise unknown("plugin", plugin, {name for kind in KINDS for name in getattr(registry, kind)})
    return found


def finding_of(trial: Trial, kind: str, name: str) -> Finding:
    """Try a plugin; what is wrong with it, where, and how to mend it. Raises InputError for a mistake of the user."""
    cls = trial.workbench.registry.find(kind, name).cls
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            notes = trial.check(kind, name)
        except ContractError as error:
            return broken(cls, kind, name, error)
    remarks = dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning)
    return Finding(kind, name, remarks=tuple(remarks), notes=tuple(notes))


def broken(cls: type, kind: str, name: str, error: ContractError) -> Finding:
    """The finding of a plugin that breaks the contract."""
    advice = advice_of(error)
    names = advice.about.split("|") if advice else [""]
    places = [declared_at(each, name) for each in (cls, *neighbours(cls, ImageSet)) for name in names]
    named = [place for place in places if place and not place.name.startswith("class ")]
    place = raised_at(error, cls) or next(iter([*named, *filter(None, places)]), None)
    told = "" if error.__cause__ is None else "".join(traceback.format_exception(error.__cause__))
    return Finding(kind, name, str(error), _shown(place), advice.mend if advice else "", told)


def unloadable(file: str, error: InputError) -> Finding:
    """The finding of a plugin file that cannot be imported, or whose classes cannot be registered."""
    text = str(error).partition(" is broken: ")[2] or str(error).removeprefix(f"plugin file {file} ")
    advice = advice_of(error)
    place = raised_in(error, Path(file).parent)
    if place is None and (found := re.match(r"class (\w+): ", text)):
        place = _class_in(Path(file), found[1])
    first = next(causes(error))
    told = "" if first is error else "".join(traceback.format_exception(first))
    return Finding("file", Path(file).name, text, _shown(place), advice.mend if advice else "", told)


@contextmanager
def place_noted(seconds: float) -> Iterator[None]:
    """After so many seconds, what all threads are at is written to the log, where the parent finds it."""
    if seconds <= 0:
        yield
        return
    faulthandler.dump_traceback_later(seconds)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _class_in(file: Path, name: str) -> SourceLine | None:
    with suppress(OSError, ValueError, SyntaxError):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name == name:
                return SourceLine(str(file), node.lineno, f"class {name}")
    return None


def _shown(place: SourceLine | None) -> str:
    """A place, its file as seen from the current folder where that is shorter."""
    if place is None:
        return ""
    here, file = Path.cwd(), Path(place.file)
    return str(place._replace(file=str(file.relative_to(here)) if file.is_relative_to(here) else place.file))
