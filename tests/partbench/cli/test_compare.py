from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from planted_cells import cell, rows

from partbench.cli.compare import _narrow, _signed
from partbench.cli.main import main
from partbench.results.store import write_cell


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """srae is nn minus 1, in a metric of which less is better; two seeds each."""
    folder = tmp_path_factory.mktemp("made") / "results"
    noise = np.random.default_rng(0).normal(size=(2, 20))
    for name, shift in (("srae", -1.0), ("nn", 0.0)):
        for seed in (0, 1):
            made = rows(list(noise[seed] * 0.1 + shift))
            for one in made[1:]:
                one["unit_kind"] = "image"
            write_cell(folder, made, cell(explainer=name, seed=seed, options={}))
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy, to add to."""
    return shutil.copytree(made, tmp_path / "results")


def bench(results: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["compare", *words, "--results", str(results)])


def test_the_table_says_who_is_better_by_how_much(results: Path) -> None:
    found = bench(results, "srae", "nn")
    assert found.exit_code == 0, found.output
    assert "fauna/multi:*: srae - nn" in found.output
    assert "srae better" in found.output
    assert "20/20" in found.output
    assert "srae better" in bench(results, "nn", "srae").output


def test_no_p_is_zero(results: Path) -> None:
    for name, shift in (("srae", -1.0), ("nn", 0.0)):
        for seed in (2, 3):
            made = rows(list(np.full(20, shift + 1e-6 * seed)))
            write_cell(results, [one | {"unit_kind": "image"} if one["unit"] != "all" else one for one in made],
                       cell(explainer=name, seed=seed, options={}, task="fauna/multi:dog"))  # fmt: skip
    only = ["srae", "nn", "--task", "fauna/multi:dog"]
    assert "< .0001" in bench(results, *only).output
    [row] = json.loads(bench(results, *only, "--json").output)
    assert row["p"] > 0


def test_what_no_board_says_is_said_in_other_words(results: Path) -> None:
    write_cell(results, varied(-3.0), cell(explainer="nn", seed=0, options={"k": 2}))
    found = bench(results, "srae", "nn (k=2)").output
    assert "nn ahead" in found
    assert "ahead: within this line alone" in found
    assert "nn better" not in found


def test_weights_of_a_performer_that_differ_are_told_of_what_is_compared_alone(results: Path) -> None:
    line = "the weights of small_vgg differ between the results compared"
    for name, digest in (("srae", "f00"), ("nn", "f00"), ("sae", "beef")):
        made = [one | {"performer_digest": digest} for one in rows([1.0, 2.0])]
        made[1:] = [one | {"unit_kind": "image"} for one in made[1:]]
        write_cell(results, made, cell(explainer=name, options={}, task="fauna/multi:dog"))
    assert line not in bench(results, "srae", "nn").output
    assert line in bench(results, "srae", "sae").output
    found = bench(results, "srae", "sae", "--json")
    assert found.exit_code == 0
    json.loads(found.stdout)


def varied(shift: float) -> list[dict[str, Any]]:
    made = rows(list(np.random.default_rng(1).normal(size=20) * 0.1 + shift))
    return [one | {"variant": "k=2", "unit_kind": one.get("unit_kind") or "image"} for one in made]


@pytest.mark.parametrize("task", ["*/multi:*", "fa?na/multi:*", "[f]auna/**", "fauna/multi:cat"])
def test_tasks_are_chosen_by_the_patterns_of_a_run_in_any_dataset(results: Path, task: str) -> None:
    [row] = json.loads(bench(results, "srae", "nn", "--task", task, "--json").output)
    assert row["family"] == "board"


def test_json_holds_the_numbers(results: Path) -> None:
    [row] = json.loads(bench(results, "nn", "srae", "--json").output)
    assert row["difference"] == pytest.approx(1, abs=1e-6)
    assert row["low"] < 1 < row["high"]
    assert (row["verdict"], row["images"], row["better"], row["one_seed"]) == ("b better", 20, 0.0, False)


@pytest.mark.parametrize("words", [["srae", "nm"], ["srae", "nn", "--metric", "x"], ["srae", "nn", "--scope", "new"]])
def test_a_mistake_ends_in_one_line(results: Path, words: list[str]) -> None:
    found = bench(results, *words)
    assert found.exit_code == 2
    assert len(found.output.strip().splitlines()) == 1
    assert found.output.startswith("bench: no ")


def test_explainers_without_own_results_are_looked_for_among_the_published(results: Path) -> None:
    words = ["lasso", "excitation_bp", "--task", "fauna/multi:bird", "--metric", "part_following"]
    found = bench(results, *words)
    assert found.exit_code == 0, found.output
    assert "lasso (published) - excitation_bp (published)" in found.output
    assert "(part_following ↑)" in found.output  # it ranks nobody, as its card says
    assert "bench metric-card" in found.output
    [row] = json.loads(bench(results, *words, "--json").output)
    assert row["published"] == ["lasso", "excitation_bp"]


def test_a_name_that_is_nowhere_is_answered_with_own_and_published_names(results: Path) -> None:
    found = bench(results, "srae", "no_such_thing")
    assert found.output.startswith("bench: no explainer among your results or the published ones named 'no_such_thing'")
    assert "lasso" in found.output
    assert "srae" in found.output


def test_published_results_of_other_data_are_refused_with_the_reason(results: Path) -> None:
    found = bench(results, "srae", "lasso")
    assert found.exit_code == 2
    assert found.output.startswith("bench: published results of lasso do not fit yours: fauna/multi:cat: ")


def test_before_the_first_run_published_explainers_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "lasso", "nn", "--task", "fauna/multi:bird", "--metric", "relative_deviation"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    assert "lasso (published) - nn (published)" in found.output
    assert "│ relative_deviation ↓" in found.output
    assert "nn ahead" in found.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("p", "text"), [(0.012, "p = 0.012"), (1e-9, "p < .0001")])
def test_a_narrow_table_has_the_interval_and_p_below_and_fits_80_characters(p: float, text: str) -> None:
    numbers = {"difference": -0.000741, "low": -0.00193, "high": 0.000451, "p_adjusted": p, "better": 0.5, "images": 9}
    row = {
        "metric": "faithfulness_classification",
        "higher_is_better": True,
        "use": "",
        "of_images": 9,
        "far_out": False,
    }
    row |= {"a": "autoencoder_cls", "b": "autoencoder", "verdict": "a better", "one_seed": True, **numbers}
    first, second = _narrow(row)
    assert first == {"metric": "faithfulness_", "difference": "-0.000741", "verdict": "autoencoder_cls better *"}
    assert second == {"metric": "classification ↑", "difference": "-0.00193 to +0.000451", "verdict": text}
    assert sum(max(len(line[name]) for line in (first, second)) + 3 for name in first) + 1 <= 80


def test_a_difference_by_rounding_is_0() -> None:
    assert (_signed(-9e-20), _signed(2.5e-9), _signed(-1.5)) == ("0", "+2.5e-09", "-1.5")


def test_without_the_folder_of_results_that_was_named_the_error_says_what_to_do(tmp_path: Path) -> None:
    assert "run `bench run` first" in bench(tmp_path / "none", "srae", "nn").output


def test_comparing_needs_no_torch() -> None:
    code = "import sys, partbench.cli.compare, partbench.leaderboard.compared; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
