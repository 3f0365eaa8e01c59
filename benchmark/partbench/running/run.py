"""Running cells from a script or a notebook, in this process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from partbench.declaration import fault
from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.plugin import Explainer
from partbench.registry import Entry, Registry, load
from partbench.results.schema import AGGREGATE
from partbench.results.store import read_cell
from partbench.running.cell_job import check_writable
from partbench.running.jobs import Campaign, Job, plan

Plugin = str | Path | type[Explainer]


def run(
    plugins: Plugin | Sequence[Plugin], tasks: str | Sequence[str] = "fauna/multi:*", seeds: int | Sequence[int] = 0,
    options: Mapping[str, Any] | None = None, results: str | Path | None = None, jobs: int = 1,
    data_root: str | Path | None = None, other: str | Path | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Run explainers on tasks and return the aggregate rows: one per cell, metric and variant (docs/results.md).

    `plugins` are names, files or Explainer classes. `options` maps "option" or "explainer.option" to a value. If
    `results` is a folder, finished cells are read from it and new cells are written to it, as by `bench run`; if it is
    None, nothing is written. `other` is a folder of random photographs, for single tasks of datasets that have none.
    Cells run in this process on one thread; the number of threads is restored afterwards. Raises InputError for a wrong
    name, option or task. A plugin that fails gives rows with status "failed".
    """
    if jobs != 1:
        raise InputError(f"jobs is {jobs}; cells run one at a time from Python, expected 1")
    given = [plugins] if isinstance(plugins, str | Path | type) else list(plugins)
    if not given:
        raise InputError("no plugin to run; give a name, a file, an Explainer class, or a list of them")
    roots = [None if folder is None else Path(folder) for folder in (data_root, other)]
    workbench = Workbench(registry_of(given), roots[0], other=roots[1])
    names = workbench.expand([tasks] if isinstance(tasks, str) else list(tasks))
    several = [seeds] if isinstance(seeds, int) else list(seeds)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (options or {}).items()}
    planned = plan(workbench.registry, [name_of(plugin) for plugin in given], names, several, texts)
    if results is not None:
        check_writable(Path(results))
    with one_thread():
        return pd.concat(_rows(workbench, planned, results), ignore_index=True)


def name_of(plugin: Plugin) -> str:
    """What a plugin is called in a plan."""
    return plugin.name if isinstance(plugin, type) else str(plugin)


def registry_of(plugins: Sequence[Plugin]) -> Registry:
    """All that is registered, files among the plugins, and explainer classes defined in a script or notebook.

    A class takes the place of a registered explainer of its name. Raises InputError for one that is no explainer.
    """
    registry = load(list(map(str, filter(is_file, plugins))))
    for cls in plugins:
        if isinstance(cls, type):
            if wrong := fault("explainers", cls):
                raise InputError(wrong)
            registry.explainers[cls.name] = Entry(cls.name, cls, cls.__module__, cls.__module__, "0")
    return registry


def is_file(plugin: Plugin) -> bool:
    """Whether a plugin is given as a file."""
    return not isinstance(plugin, type) and str(plugin).endswith(".py")


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, so that values do not depend on the machine's cores; as before on leaving."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _rows(workbench: Workbench, planned: Sequence[Job], results: str | Path | None) -> list[pd.DataFrame]:
    if results is not None:
        return [read_cell(outcome.path) for outcome in Campaign(workbench, planned, Path(results))]
    run_id, frames = uuid.uuid4().hex[:12], []
    for job in planned:
        task = workbench.task(job.task).with_seed(job.seed)
        done, cell = job.run(workbench, task, run_id), job.cell(task)
        rows = [row | cell.columns for row in done.rows if row["unit"] == AGGREGATE]
        frames.append(pd.DataFrame(rows))
    return frames
