"""Planning a run in a worker, which may load plugins: what the parent gets is plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from partbench import options
from partbench.imported import imported_to_stay
from partbench.nn.torch_setup import choose_device, set_up_training
from partbench.opening import VIEWS, Workbench
from partbench.plugin.dataset import Progress
from partbench.registry import load
from partbench.running.cell_job import CellJob, Setting, plain
from partbench.running.jobs import plan
from partbench.running.selection import selected


class Events(Protocol):
    """Where a planner says what it does."""

    @property
    def progress(self) -> Progress: ...

    def say(self, event: str, **data: Any) -> None: ...


def workbench_of(setting: Setting, events: Events) -> Workbench:
    """All plugins of a setting, each announced before it is imported, and a workbench with them."""
    with imported_to_stay():
        set_up_training()
        announce = lambda owner: events.say("loading", plugin=owner)  # noqa: E731
        registry = load(setting.plugin_files, setting.without, announce)
    events.say("loading", plugin="")
    roots = [None if folder is None else Path(folder) for folder in (setting.data_root, setting.other)]
    return Workbench(registry, roots[0], choose_device(setting.device), events.progress, roots[1])


def planned(events: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The jobs of a run by the group of tasks that share a performer and a dataset, and the metrics to print.

    Raises InputError for a mistake in names, options or tasks, before anything is computed.
    """
    setting = Setting.of(request["setting"])
    workbench = events.workbench(setting)
    registry = workbench.registry
    chosen = selected(registry, request["plugins"], request["tasks"], request["metrics"])
    for name in chosen.metrics:
        registry.find("metrics", name.partition("@")[0])
    names = workbench.expand(chosen.tasks)
    given = request["options"]
    texts = options.parse(given) if isinstance(given, list) else given
    found = plan(registry, chosen.explainers, names, list(dict.fromkeys(request["seeds"])), texts)
    setting = replace(setting, device=workbench.device.type)
    jobs = [CellJob(job.entry.name, dict(job.given), job.task, job.seed, setting) for job in found]
    return {
        "groups": _groups(workbench, jobs), "metrics": list(chosen.metrics), "setting": plain(setting),
        "broken": [f"plugin {broken.plugin} is broken: {broken.error}" for broken in registry.broken],
    }  # fmt: skip


def expect_metrics(events: Any, request: Mapping[str, Any]) -> tuple[None, bool]:
    """Raise InputError for a metric that is not registered; `request` has a setting and the names."""
    registry = events.workbench(Setting.of(request["setting"])).registry
    for name in request["metrics"]:
        registry.find("metrics", name)
    return None, True


def _groups(workbench: Workbench, jobs: Sequence[CellJob]) -> list[dict[str, Any]]:
    """Jobs by what is opened once for all of them, in the order of their tasks."""
    groups: dict[tuple[str, ...], list[CellJob]] = {}
    for job in jobs:
        task = workbench.parse(job.task)
        groups.setdefault((task.dataset, task.what if task.form in VIEWS else "", task.performer), []).append(job)
    return [
        {"name": f"{dataset}/{what or 'multi'}@{performer}", "dataset": dataset, "jobs": [plain(job) for job in found]}
        for (dataset, what, performer), found in groups.items()
    ]
