"""`bench metric-card`, and the cards that `bench leaderboard` writes and checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cards_sources import METRIC, TASKS, cheat, oracle, random_weights
from click.testing import CliRunner, Result
from planted_cells import cell, rows

from partbench.cli.main import main
from partbench.results.planted import planted_folder, planted_path, write_planted
from partbench.results.store import write_cell


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four explainers and a floor on four tasks, two seeds each, and planted runs beside them."""
    folder = tmp_path_factory.mktemp("cards") / "results"
    for task in TASKS:
        for place, name in enumerate(("a", "b", "c", "d", "random_maps")):
            for seed in range(2):
                values = [place / 5 + image / 100 for image in range(6)] if place < 4 else [0.0] * 6
                of_cell = cell(explainer=name, task=f"fauna/multi:{task}", category=task, seed=seed)
                about = {"higher_is_better": True, "control": "floor" if place == 4 else "", "unit_kind": "image"}
                write_cell(folder, [row | about for row in rows(values, METRIC)], of_cell)
    for run in (oracle(), random_weights(), cheat()):
        path = planted_path(planted_folder(folder), run[0]["task"], run[0]["planted"], run[0]["subject"])
        write_planted(path, run, "planted by a test")
    return folder


def bench(results: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--results", str(results)])


def test_a_card_is_printed(results: Path) -> None:
    found = bench(results, "metric-card", METRIC)
    assert found.exit_code == 0, found.output
    for text in (METRIC, "ranks", "Dose and response", "Random weights", "copied_logit", "Kendall's tau"):
        assert text in found.output


def test_a_card_is_printed_as_json_alone(results: Path) -> None:
    data = json.loads(bench(results, "metric-card", METRIC, "--json").stdout)
    assert data["metric"] == METRIC
    assert data["tables"]["Dose and response"][0]["0"] == 0.95


def test_without_a_name_the_verdicts_on_all_metrics_are_printed(results: Path) -> None:
    [row] = json.loads(bench(results, "metric-card", "--json").stdout)
    assert (row["metric"], row["dataset"], row["verdict"]) == (METRIC, "fauna", "ranks")
    assert "ranks" in bench(results, "metric-card").output


def test_a_misspelt_metric_gets_a_hint(results: Path) -> None:
    found = bench(results, "metric-card", "part_folowing")
    assert found.exit_code == 2
    assert f"did you mean '{METRIC}'?" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_without_planted_runs_the_published_verdicts_are_printed(tmp_path: Path) -> None:
    absent = bench(tmp_path / "results", "metric-card")
    assert (absent.exit_code, "run `bench run` first" in absent.stderr) == (2, True)
    write_cell(tmp_path / "results", rows([1.0]), cell())
    found = bench(tmp_path / "results", "metric-card", "locality")
    assert (found.exit_code, "bench metric-card --run" in found.stderr) == (0, True)
    assert "do not use here" in found.stdout
    nowhere = bench(tmp_path / "results", "metric-card", "localty")
    assert (nowhere.exit_code, "did you mean 'locality'?" in nowhere.stderr) == (2, True)


def test_the_leaderboard_writes_and_checks_cards(results: Path) -> None:
    assert bench(results, "leaderboard", "--check").exit_code == 1
    written = bench(results, "leaderboard")
    page = results.parent / "leaderboards" / "metrics" / f"{METRIC}.md"
    assert str(page) in written.output
    assert bench(results, "leaderboard", "--check").exit_code == 0
    page.write_text(page.read_text() + "more\n")
    found = bench(results, "leaderboard", "--check")
    assert (found.exit_code, f"stale: metrics/{METRIC}.md;" in found.stderr) == (1, True)
    bench(results, "leaderboard")
