"""The hooks through which plugins hand partbench their classes, and the entry points of third-party plugins."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import pluggy

hookspec = pluggy.HookspecMarker("partbench")

Register = Callable[[type], None]
GROUP = "partbench"


def entry_points() -> list[importlib.metadata.EntryPoint]:
    """The entry points of third-party plugins, in an order that does not depend on the machine."""
    return sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))


@hookspec
def register_explainers(register: Register) -> None:
    """Call `register(ExplainerClass)` for each explainer; its `name` is what users type."""


@hookspec
def register_metrics(register: Register) -> None:
    """Call `register(MetricClass)` for each metric."""


@hookspec
def register_datasets(register: Register) -> None:
    """Call `register(DatasetClass)` for each dataset."""


@hookspec
def register_performers(register: Register) -> None:
    """Call `register(PerformerClass)` for each performer."""
