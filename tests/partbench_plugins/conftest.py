"""A task on toy images, shared by the tests of a module."""

from __future__ import annotations

import pytest

from partbench import Task

from .toys import toy_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("toy"))
