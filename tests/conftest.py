"""What all tests share: a cache folder of their own, and the real photographs where they are."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

REPOSITORY = Path(__file__).resolve().parents[1]
PHOTOS = REPOSITORY.parent / "shared" / "data" / "animal-part"

# Hundreds of processes import the package: it is compiled once, also where the environment says to write no bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# for `make mutants`: the same examples each time, and no smaller counterexample once a test has failed
settings.register_profile("mutants", derandomize=True, phases=[Phase.explicit, Phase.generate])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """The garbage collector passes over what is imported and collected, which stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker begins with half of the tests, in order, and takes over from the other one when it has no more.

    The tests of a file then nearly always stay in one worker, which makes what they share once.
    """
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A fresh cache, one for all workers of a run, and an empty configuration; both are inherited by subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp()
        folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"
        folder.mkdir(exist_ok=True)
        patch.setenv("PARTBENCH_CACHE", str(folder))
        patch.setenv("PARTBENCH_CONFIG", str(tmp_path_factory.mktemp("config") / "config.toml"))
        patch.delenv("PARTBENCH_DATA", raising=False)
        yield folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The real photographs of Animal-Part, which users do not have."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no real photographs at {PHOTOS.relative_to(REPOSITORY.parent)} beside the repository")
    return PHOTOS
