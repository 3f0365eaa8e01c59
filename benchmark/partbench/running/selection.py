"""Which explainers, tasks and metrics a run has, from the plugins given by name or file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from partbench.registry import Registry
from partbench.running.defaults import Defaults, defaults


@dataclass(frozen=True)
class Selection:
    """Explainers to run, tasks to run them on, metrics to print (none: all)."""

    explainers: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]


def selected(registry: Registry, plugins: Sequence[str], tasks: Sequence[str], metrics: Sequence[str]) -> Selection:
    """Fill in what was not given.

    A file stands for the explainers in it. Files without one are run with the explainers named beside them, or else
    with the default companions. Without tasks, a dataset in a file is run on its own tasks; else a
    performer in a file on the default ones. Without metrics, those of a file that has no explainer are printed.
    """
    usual = defaults()
    brought = [registry.of_file(plugin) for plugin in plugins if plugin.endswith(".py")]
    explainers = [name for name in plugins if not name.endswith(".py")]
    explainers += [name for file in brought for name in file["explainers"]]
    shown = [name for file in brought if not file["explainers"] for name in file["metrics"]]
    wanted = tasks or _tasks_of(brought, usual) or usual.tasks
    return Selection(tuple(explainers or usual.companions), tuple(wanted), tuple(metrics or shown))


def _tasks_of(brought: Sequence[dict[str, list[str]]], usual: Defaults) -> list[str]:
    datasets = [name for file in brought for name in file["datasets"]]
    performers = [name for file in brought for name in file["performers"]]
    if datasets:
        return [usual.of_dataset.format(dataset=name) for name in datasets]
    return [f"{task}@{name}" for name in performers for task in usual.tasks]
