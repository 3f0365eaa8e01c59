"""The hooks through which plugins hand partbench their classes."""

from __future__ import annotations

from collections.abc import Callable

import pluggy

hookspec = pluggy.HookspecMarker("partbench")

Register = Callable[[type], None]


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
