"""Plugins that end or stop their process are found out, and the check of the others goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.cli.isolated_check import IsolatedCheck
from partbench.running.cell_job import Setting

SOURCE = """
import os, time
from dataclasses import dataclass
from typing import ClassVar
from partbench import Explainer, hookimpl

@dataclass
class Ends(Explainer):
    "Ends the process."
    name: ClassVar[str] = "ends"
    def fit(self, task):
        os._exit(4)
    def explain(self, images): ...

@dataclass
class Loops(Explainer):
    "Never ends."
    name: ClassVar[str] = "loops"
    def fit(self, task):
        while True:
            time.sleep(0.01)
    def explain(self, images): ...

@hookimpl
def register_explainers(register):
    register(Ends)
    register(Loops)
"""


def test_a_plugin_that_ends_or_never_ends_is_told_and_costs_no_other_its_check(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    check = IsolatedCheck(str(path), Setting("", (str(path),)), None, (), seconds=3)
    found = {finding.name: finding for finding, _ in check.findings()}
    assert "ended with exit code 4" in found["ends"].problem
    assert "os._exit" in found["ends"].mend
    assert "it took longer than 3 s" in found["loops"].problem
    assert "--time-limit" in found["loops"].mend
    assert found["loops"].where == "" or "mine.py" in found["loops"].where


@pytest.mark.soak
def test_a_file_that_ends_the_process_when_it_is_imported_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import os; os._exit(3)")
    [(finding, _)] = IsolatedCheck(str(path), Setting("", (str(path),)), None, (), seconds=60).findings()
    assert (finding.kind, finding.name) == ("file", "mine.py")
    assert "exit code 3" in finding.problem


TAKES_A_PLACE = """
from partbench import Explainer, Explanation, hookimpl

class Mine(Explainer):
    "One map: the mean over the channels of the explained layer."
    name = "centre_map"
    def fit(self, task): ...
    def explain(self, images):
        print("explaining")
        return Explanation(images.activations("target").mean(1, keepdim=True))

@hookimpl
def register_explainers(register):
    register(Mine)
"""


def test_a_warning_is_told_once_and_is_not_what_the_plugin_printed(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TAKES_A_PLACE)
    with pytest.warns(UserWarning, match="takes the place of 'centre_map'") as caught:
        [(finding, printed)] = IsolatedCheck(str(path), Setting("", (str(path),)), None, (), seconds=300).findings()
    assert len(caught) == 1
    assert not finding.problem
    assert set(printed.splitlines()) == {"explaining"}
