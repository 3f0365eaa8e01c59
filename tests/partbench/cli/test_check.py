"""`bench check`: files and names of every kind, in plain words and exit codes."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from partbench.cli.main import main

METRIC = """
from dataclasses import dataclass, field
from typing import ClassVar
from partbench import Metric, Scores, hookimpl

@dataclass
class MeanMap(Metric):
    "The mean of the maps."
    name: ClassVar[str] = "mean_map"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("maps",)
    images: ClassVar[str] = "positive"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0, {high})
    of: ClassVar[str] = "image"
    _ids: list = field(default_factory=list, init=False)
    _values: list = field(default_factory=list, init=False)
    def update(self, batch, explanation, outputs):
        self._ids += batch.ids
        self._values += explanation.maps.mean((1, 2, 3)).tolist()
    def compute(self):
        {compute}

@hookimpl
def register_metrics(register):
    register(MeanMap)
"""


def bench(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def metric(folder: Path, high: str = "1", compute: str = "return {self.name: Scores(self._ids, self._values)}") -> str:
    path = folder / "mean_map.py"
    path.write_text(METRIC.replace("{high}", high).replace("{compute}", compute))
    return str(path)


def test_an_explainer_that_keeps_the_contract_is_told_which_metrics_it_has_nothing_for() -> None:
    result = bench("check", "centre_map")
    assert result.exit_code == 0, result.output
    assert "explainer centre_map keeps the contract" in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if "the explanation has no logits" in line]
    assert "faithfulness_regression" in line


def test_a_project_is_checked_by_its_folder_and_a_broken_rule_costs_exit_code_1(tmp_path: Path) -> None:
    metric(tmp_path, high="0.001")
    (tmp_path / "pyproject.toml").write_text('[project.entry-points.partbench]\nmean_map = "mean_map"\n')
    result = bench("check", str(tmp_path))
    assert result.exit_code == 1
    first, where, mend = result.stdout.splitlines()
    assert first.startswith("metric mean_map does not keep the contract: ")
    assert "mean_map.py, line 14, in bounds" in where
    assert mend.startswith("  mend: ")


def test_a_performer_is_checked_by_name() -> None:
    result = bench("check", "small_vgg_attributes")
    assert "tried on fauna/attribute-" in result.stdout


def test_a_users_mistake_costs_exit_code_2_and_a_line() -> None:
    for words, answer in (
        (["locality", "-o", "epochs=1"], "-o is for explainers"),
        (["animal_part"], "--data-root"),
    ):
        result = bench("check", *words)
        assert result.exit_code == 2, result.output
        assert answer in result.stderr
        assert "Traceback" not in result.output
