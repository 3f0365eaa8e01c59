"""What a worker answers when it is asked to check plugins: findings as plain data."""

from __future__ import annotations

import dataclasses
import faulthandler
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from partbench import options
from partbench.errors import InputError, in_one_line, unknown
from partbench.registry import KINDS, Registry
from partbench.running.cell_job import Setting
from partbench.testing.advice import advice_on
from partbench.testing.checks import ContractError
from partbench.testing.finding import Finding
from partbench.testing.source_lines import SourceLine, declared_at, raised_at
from partbench.testing.trial import Trial

BEFORE = 1.0  # seconds before the time limit at which the place in the code is noted in the log


def named(worker: Any, request: Mapping[str, Any]) -> tuple[list[list[str]], bool]:
    """Kind and name of each plugin of a file or name. Raises InputError if there is none."""
    registry = worker.workbench(Setting.of(request["setting"])).registry
    return [list(pair) for pair in meant(registry, request["plugin"])], True


def checked(worker: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What is found of one plugin. Raises InputError for a mistake of the user."""
    workbench = worker.workbench(Setting.of(request["setting"]))
    trial = Trial(workbench, request["task"], options.parse(request["options"]))
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
            notes, error = trial.check(kind, name), None
        except ContractError as raised:
            notes, error = [], raised
        except InputError as raised:
            if raised_at(raised, cls) is None:
                raise
            notes, error = [], ContractError(in_one_line(raised))
            error.__cause__ = raised
    remarks = tuple(dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning))
    return Finding(kind, name, remarks=remarks, notes=tuple(notes)) if error is None else broken(cls, kind, name, error)


def broken(cls: type, kind: str, name: str, error: ContractError) -> Finding:
    """The finding of a plugin that breaks the contract."""
    advice = advice_on(str(error))
    place = raised_at(error, cls) or declared_at(cls, advice.about if advice else "")
    cause = error.__cause__
    told = "" if cause is None else "".join(traceback.format_exception(cause))
    return Finding(kind, name, str(error), _shown(place), advice.mend if advice else "", told)


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


def _shown(place: SourceLine | None) -> str:
    if place is None:
        return ""
    here = Path.cwd()
    file = Path(place.file)
    return str(place._replace(file=str(file.relative_to(here)) if file.is_relative_to(here) else place.file))
