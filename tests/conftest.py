"""What all tests share: a cache folder of their own, and the real photographs where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase, settings

REPOSITORY = Path(__file__).resolve().parents[1]
PHOTOS = REPOSITORY.parent / "shared" / "data" / "animal-part"

# for `make mutants`: the same examples each time, and no smaller counterexample once a test has failed
settings.register_profile("mutants", derandomize=True, phases=[Phase.explicit, Phase.generate])


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A fresh cache and an empty configuration for the whole run, inherited by subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
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
