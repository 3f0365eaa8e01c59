"""Options of `bench run` that say who runs the cells: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import jobs_option
from partbench.errors import InputError

if TYPE_CHECKING:
    from partbench.running.cell_job import Limits
    from partbench.running.crew import Listener
    from partbench.running.dask_engine import Connect, DaskEngine
    from partbench.running.engine import Engine, Request

OPTIONS = (
    jobs_option,
    click.option(
        "--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True,
        help="Who runs the cells: processes of this machine, or the workers of a Dask cluster.",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Scheduler of `--engine dask`, such as tcp://host:8786."),
    click.option(
        "--cluster", type=click.Choice(["slurm"]), help="Start workers for `--engine dask`, as `--jobs` jobs of SLURM."
    ),
    click.option(
        "--cluster-option", "cluster_options", multiple=True, metavar="NAME=VALUE",
        help="Of the jobs of `--cluster`: queue, account, walltime, memory and others (docs/running.md); repeatable.",
    ),
)  # fmt: skip


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --jobs, --engine, --scheduler, --cluster and --cluster-option to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class EngineChoice:
    """What was given for these options."""

    jobs: int | None
    engine: str
    scheduler: str | None
    cluster: str | None
    cluster_options: Sequence[str]

    def connection(self) -> Connect | None:
        """What leads to the workers of a cluster; None for this machine. Raises InputError for a wrong choice."""
        from partbench.running.dask_cluster import parsed_options, scheduler_at, slurm_jobs

        found = parsed_options(self.cluster_options)
        if self.engine == "local":
            if named := [name for name in ("scheduler", "cluster") if getattr(self, name)]:
                raise InputError(f"--{named[0]} is of a Dask cluster; add --engine dask, or leave it out")
            if found:
                raise InputError("--cluster-option is of --engine dask --cluster slurm; add these, or leave it out")
            return None
        if bool(self.scheduler) == bool(self.cluster):
            raise InputError("--engine dask needs either --scheduler ADDRESS or --cluster slurm")
        if self.scheduler:
            if found:
                raise InputError("--cluster-option is of --cluster slurm; the workers of a --scheduler run already")
            return partial(scheduler_at, self.scheduler)
        if self.jobs is None:
            raise InputError("--cluster slurm needs --jobs N, how many jobs of one core each to start")
        return partial(slurm_jobs, self.jobs, found)

    def opened(self, request: Request, limits: Limits, listener: Listener, plan_only: bool) -> Engine | DaskEngine:
        """The engine; where it is to plan only, that of this machine. Raises InputError for a wrong choice.

        `limits` without memory stand for four fifths of the memory of the machine that runs a cell.
        """
        from partbench.running.cell_job import Limits
        from partbench.running.engine import Engine

        connect = self.connection()
        if connect is not None and not plan_only:
            from partbench.running.dask_engine import DaskEngine

            return DaskEngine(request, connect, self.jobs, limits, listener)
        if limits.memory is None:
            limits = replace(limits, memory=Limits.usual().memory)
        jobs = self.jobs or cores()
        return Engine(request, jobs if connect is None else min(jobs, cores()), limits, listener, plan_only)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
