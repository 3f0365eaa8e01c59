"""What becomes of the answers of workers that score cells again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from planted_cells import cell, rows

from partbench.errors import InputError
from partbench.results.store import load_results, write_cell
from partbench.running.cell_job import Setting
from partbench.running.crew import Answer, Crew, Step
from partbench.running.rescoring import expect_known, rescored


class OneAnswer:
    """A crew that answers all steps in one way."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.text = kind, text
        self.asked: list[Step] = []

    def run(self, steps: Iterable[Step]) -> Iterator[Answer]:
        for step in steps:
            self.asked.append(step)
            yield Answer(step, Path("log"), self.kind, self.text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (0, 2**63 + 1):
        write_cell(tmp_path, rows([1.0]), cell(seed=seed))
    return tmp_path


def answered(folder: Path, kind: str, text: str, **columns: str) -> tuple[list[Any], OneAnswer]:
    crew = OneAnswer(kind, text)
    found = [{**row, **columns} for row in load_results(folder).drop_duplicates("cell").to_dict("records")]
    setting = Setting(str(folder))
    return list(rescored(cast(Any, found), "accuracy", setting, False, cast(Crew, crew))), crew


def test_metrics_that_do_not_exist_and_a_broken_file_end_the_command_before_a_cell_is_scored(folder: Path) -> None:
    for text in ("no metric named 'acuracy'", "plugin file x.py is broken"):
        crew = OneAnswer("mistake", text)
        with pytest.raises(InputError, match=text):
            expect_known(["accuracy", "acuracy"], Setting(str(folder)), cast(Crew, crew))
        assert [step.request["metrics"] for step in crew.asked] == [["accuracy", "acuracy"]]


@pytest.mark.parametrize("kind", ["mistake", "failed", "ended"])
def test_what_is_wrong_with_one_cell_is_told_of_that_cell(folder: Path, kind: str) -> None:
    outcomes, crew = answered(folder, kind, "no explainer named 'srae'")
    assert [(one.status, one.reason) for one in outcomes] == [("failed", "no explainer named 'srae'")] * 2
    seeds = {step.request["job"]["seed"] for step in crew.asked}
    assert seeds == {0, 2**63 + 1}
    assert all(step.request["job"]["setting"]["device"] == "cpu" for step in crew.asked)


def test_a_cell_whose_plugin_file_is_not_given_is_named_by_its_key_and_asks_for_the_file(folder: Path) -> None:
    outcomes, _ = answered(folder, "mistake", "no explainer named 'srae'; known: none", distribution="mine.py")
    assert [one.reason.rpartition("; ")[2] for one in outcomes] == ["add --plugin-file PATH/mine.py"] * 2
    assert {one.columns["cell"] for one in outcomes} == set(load_results(folder)["cell"])
