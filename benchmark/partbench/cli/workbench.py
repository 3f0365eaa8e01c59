"""Plugins and a workbench for the commands that compute, with progress on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from partbench.imported import imported_to_stay

if TYPE_CHECKING:
    from partbench.cli.console import Reporter
    from partbench.opening import Workbench
    from partbench.registry import Registry


def open_workbench(
    device: str, data_root: Path | None, files: Sequence[str | Path] = (), other: Path | None = None
) -> tuple[Registry, Workbench]:
    """All plugins, those of `files` too, and a workbench on a device; `other` holds random photographs."""
    from partbench.cache.upkeep import prepare_cache

    prepare_cache()
    with imported_to_stay():
        from partbench.nn.torch_setup import choose_device, set_up_training
        from partbench.opening import Workbench
        from partbench.registry import load

        set_up_training()
        registry = load(files)
    return registry, Workbench(registry, data_root, choose_device(device), other=other)


@contextmanager
def progress_of(workbench: Workbench) -> Iterator[Reporter]:
    """Show the progress of whatever the workbench opens."""
    from partbench.cli.console import Reporter

    with Reporter() as reporter:
        workbench.progress = reporter.progress
        yield reporter
