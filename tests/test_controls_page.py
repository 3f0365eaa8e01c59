"""docs/controls.md: its table says which floors have which metric."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tabulate import tabulate

from partbench.opening import Workbench
from partbench.registry import load
from partbench.running.cell import run_cell

PAGE = Path(__file__).resolve().parents[1] / "docs" / "controls.md"
QUICK = {"masked_accuracy": {"limit": 2}, "part_effect_agreement": {"most": 2}}


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, bool]]:
    """Whether a floor has a value, by metric and floor."""
    registry, found = load(), {}
    task = Workbench(registry).task("fauna/multi:bird")
    floors = {name: entry.cls() for name, entry in registry.explainers.items() if entry.cls().control() == "floor"}
    for name, floor in sorted(floors.items()):
        metrics = [entry.cls(**QUICK.get(metric, {})) for metric, entry in registry.metrics.items()]
        for row in run_cell(floor, task, metrics).rows:
            if row["unit"] == "all" and row["metric"] in registry.metrics:
                found.setdefault(row["metric"], {})[name] = row["status"] == "ok"
    return found


def test_every_metric_has_a_floor(measured: dict[str, dict[str, bool]]) -> None:
    assert [metric for metric, floors in measured.items() if not any(floors.values())] == []


def test_the_page_says_which_floors_have_which_metric(measured: dict[str, dict[str, bool]]) -> None:
    names = sorted(next(iter(measured.values())))
    rows = [[metric, *("✓" if measured[metric][name] else "" for name in names)] for metric in sorted(measured)]
    table = tabulate(rows, ["metric", *names], tablefmt="pipe", colalign=["left", *["center"] * len(names)])
    (printed,) = re.findall(r"<!-- floors -->\n(.*?)\n<!-- /floors -->", PAGE.read_text(), re.S)
    assert printed == table
