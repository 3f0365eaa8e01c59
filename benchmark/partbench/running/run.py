"""Running cells from a script or a notebook: in this process, or in workers."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from partbench.declaration import fault
from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.options import as_texts
from partbench.plugin.explainer import Explainer
from partbench.registry import Entry, Registry, load
from partbench.results.schema import AGGREGATE, COLUMNS
from partbench.results.store import read_cell
from partbench.running.cell_job import Limits, Setting, new_run_id, prepare_results
from partbench.running.engine import Engine, Request
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
    None, nothing is kept. `other` is a folder of random photographs, for single tasks of datasets that have none.

    With one job, cells run in this process on one thread; the number of threads is restored afterwards. With more, they
    run in so many worker processes, with the limits of `bench run`; plugins are then names or files. Values are the
    same. Raises InputError for a wrong name, option or task. A plugin that fails gives rows with status "failed".
    """
    given = [plugins] if isinstance(plugins, str | Path | type) else list(plugins)
    if not given:
        raise InputError("no plugin to run; give a name, a file, an Explainer class, or a list of them")
    if jobs < 1:
        raise InputError(f"jobs is {jobs}, expected 1 or more")
    asked = [tasks] if isinstance(tasks, str) else list(tasks)
    several = [seeds] if isinstance(seeds, int) else list(seeds)
    exact = {name: value for name, value in (options or {}).items() if not isinstance(value, str)}
    texts = {**(options or {}), **as_texts(exact)}
    roots = [None if folder is None else Path(folder).resolve() for folder in (data_root, other)]
    if results is not None:
        prepare_results(Path(results))
    if jobs > 1:
        return _in_workers(_request(given, asked, several, texts, roots), jobs, results)
    workbench = Workbench(registry_of(given), roots[0], other=roots[1])
    planned = plan(workbench.registry, [name_of(plugin) for plugin in given], workbench.expand(asked), several, texts)
    with one_thread():
        return pd.concat(_rows(workbench, planned, results), ignore_index=True)


def _request(
    plugins: Sequence[Plugin], tasks: Sequence[str], seeds: Sequence[int], options: Mapping[str, str],
    roots: Sequence[Path | None],
) -> Request:  # fmt: skip
    """A request for workers, which import plugins by name or file. Raises InputError for a class."""
    for plugin in plugins:
        if isinstance(plugin, type):
            raise InputError(
                f"{plugin.__name__} is a class of this process, which workers cannot import; give its file, or jobs=1"
            )
    names = [str(Path(str(plugin)).resolve()) if is_file(plugin) else str(plugin) for plugin in plugins]
    files = tuple(name for name in names if is_file(name))
    data_root, other = (None if root is None else str(root) for root in roots)
    setting = Setting("", files, data_root, other, device="cpu")
    return Request(setting, names, tasks, seeds, options)


def _in_workers(request: Request, jobs: int, results: str | Path | None) -> pd.DataFrame:
    """The aggregate rows of all cells, in the order of the plan."""
    with tempfile.TemporaryDirectory(prefix="partbench-") as temporary:
        folder = str(Path(temporary if results is None else results).resolve())
        with Engine(replace(request, setting=replace(request.setting, results=folder)), jobs, Limits.usual()) as engine:
            plan = engine.planned()
            for outcome in engine.run(plan):
                if outcome.path is None:
                    warnings.warn(f"{outcome.job.label} is missing: {outcome.reason}", stacklevel=3)
        frames = [read_cell(Path(cell.path)) for cell in plan.cells if Path(cell.path).exists()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


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
    """All libraries on one thread, so that values do not depend on the machine's cores; as before on leaving."""
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)


def _rows(workbench: Workbench, planned: Sequence[Job], results: str | Path | None) -> list[pd.DataFrame]:
    if results is not None:
        return [read_cell(outcome.path) for outcome in Campaign(workbench, planned, Path(results))]
    run_id, frames = new_run_id(), []
    for job in planned:
        task = workbench.task(job.task).with_seed(job.seed)
        done, cell = job.run(workbench, task, run_id), job.cell(task)
        rows = [row | cell.columns for row in done.rows if row["unit"] == AGGREGATE]
        frames.append(pd.DataFrame(rows))
    return frames
