"""The truth of one task of fauna, found once."""

from __future__ import annotations

import pytest

from partbench.opening import Workbench
from partbench.registry import load
from partbench.running.planted.truth import Truth, truth_of


@pytest.fixture(scope="package")
def workbench() -> Workbench:
    return Workbench(load())


@pytest.fixture(scope="package")
def truth(workbench: Workbench) -> Truth:
    return truth_of(workbench.task("fauna/multi:bird"))
