"""A metric that is not there costs one line, before any worker is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from planted_cells import cell, rows

from partbench.catalogue import catalogue
from partbench.cli.main import main
from partbench.cli.metric_names import expect_metrics
from partbench.results.store import write_cell
from partbench.running import crew


@pytest.mark.parametrize("command", [["run", "--plugin", "centre"], ["score"]])
def test_a_misspelt_metric_starts_no_worker_and_names_the_nearest(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue()  # of a first `bench list`
    monkeypatch.setattr(crew, "WorkerProcess", None)
    write_cell(tmp_path, rows([1.0]), cell())
    words = [*command, "--metric", "accuracy", "--metric", "localty", "--results", str(tmp_path)]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert found.output == "bench: no metric named 'localty'; did you mean 'locality'?\n"


def test_variants_and_metrics_of_plugin_files_are_left_to_the_worker() -> None:
    catalogue()
    expect_metrics(["locality@shuffled"], files=False)
    expect_metrics(["of_a_file"], files=True)
