"""Where the Dask workers of a run come from: a scheduler that runs already, or jobs of SLURM started for the run."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from partbench.errors import InputError, in_one_line, unknown

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster
    from distributed import Client

ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx|ucxx)://)?[^\s/]+:\d+")
EXPECTED = "expected an address such as tcp://host:8786, as `dask scheduler` prints it"
PATIENCE = 10  # seconds until a scheduler must answer
MISSING = "--engine dask needs distributed and dask-jobqueue; run: pip install 'partbench[cluster]'"
# name of an option of a user: argument of SLURMCluster, and its default
SLURM_OPTIONS: dict[str, tuple[str, Any]] = {
    "queue": ("queue", None),
    "account": ("account", None),
    "walltime": ("walltime", "24:00:00"),
    "memory": ("memory", "8GB"),
    "interface": ("interface", None),
    "local_directory": ("local_directory", None),
    "log_directory": ("log_directory", None),
}
SLURM_LISTS = {"directive": "job_extra_directives", "prologue": "job_script_prologue"}


@contextmanager
def scheduler_at(address: str) -> Iterator[Client]:
    """A client of a scheduler that runs. Raises InputError if none answers there."""
    distributed = _imported("distributed")
    if not ADDRESS.fullmatch(address):
        raise InputError(f"no Dask scheduler is at '{address}'; {EXPECTED}")
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"no Dask scheduler answers at '{address}' ({in_one_line(error)}); {EXPECTED}") from error
    try:
        with _quiet():
            yield client
    finally:
        client.close(timeout=PATIENCE)


@contextmanager
def slurm_jobs(count: int, options: Mapping[str, str | list[str]]) -> Iterator[Client]:
    """A client of a scheduler in this process whose `count` workers are jobs of SLURM; they end with the block.

    Raises InputError where there is no SLURM.
    """
    distributed = _imported("distributed")
    if shutil.which("sbatch") is None:
        raise InputError("--cluster slurm: there is no `sbatch` here; run it on a login node of the cluster")
    with slurm_cluster(options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        cluster.scale(jobs=count)
        with _quiet():
            yield client


def slurm_cluster(options: Mapping[str, str | list[str]]) -> SLURMCluster:
    """A scheduler whose workers are jobs of SLURM with one thread each; none is submitted yet."""
    given: dict[str, Any] = dict(SLURM_OPTIONS.values())
    for name, value in options.items():
        given[SLURM_OPTIONS[name][0] if name in SLURM_OPTIONS else SLURM_LISTS[name]] = value
    try:
        return _imported("dask_jobqueue").SLURMCluster(
            cores=1,
            processes=1,
            job_name="partbench",
            silence_logs=logging.ERROR,
            scheduler_options={"dashboard_address": ":0"},
            **given,
        )
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"--cluster-option: {in_one_line(error)}") from error


def parsed_options(texts: Sequence[str]) -> dict[str, str | list[str]]:
    """Options of `--cluster slurm` from `name=value`; `directive` and `prologue` may be repeated.

    Raises InputError for one that is not known, has no value, or is repeated.
    """
    found: dict[str, str | list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise InputError(f"--cluster-option {text}: expected NAME=VALUE, such as queue=long")
        if name in SLURM_LISTS:
            found[name] = [*found.get(name, []), value]
        elif name not in SLURM_OPTIONS:
            raise unknown("cluster option", name, (*SLURM_OPTIONS, *SLURM_LISTS))
        elif name in found:
            raise InputError(f"--cluster-option {name} is given twice, as {found[name]} and {value}; give it once")
        else:
            found[name] = value
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask logs of lost connections is not printed: the run says it."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _imported(name: str) -> Any:
    """A library of the extra `cluster`. Raises InputError if it is not installed."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(MISSING) from error
