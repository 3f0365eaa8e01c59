"""The command line as users meet it: real subprocesses, real files, one-line answers to mistakes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner

from partbench.cli.main import main
from partbench.results.folders import cell_paths
from partbench.results.store import load_results

BIRD = ["--task", "fauna/multi:bird", "--plugin", "centre_map"]
FAST = [*BIRD, "--jobs", "1"]  # a second worker would only import torch
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "partbench-saliency" / "partbench_saliency.py"


def bench(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from partbench.cli.main import main; main(prog_name='bench')"
    return subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, timeout=300)


def mistake(*words: str) -> str:
    """Of `bench run`, in this process: check that it costs exit code 2 and one line after the progress; that line."""
    result = CliRunner().invoke(main, ["run", *words, "--jobs", "1"])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith("preparing")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("ran")
    return folder, bench("run", *BIRD, cwd=folder)


def test_a_run_leaves_results_a_leaderboard_and_a_picture(ran) -> None:
    folder, result = ran
    assert result.returncode == 0, result.stderr
    frame = load_results(folder / "results")
    assert set(frame["explainer"]) == {"centre_map"}
    assert "locality" in set(frame["metric"])
    assert (folder / "leaderboards" / "fauna.md").read_text().count("centre_map")
    (picture,) = (folder / "pictures").rglob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "locality" in result.stdout
    assert "Traceback" not in result.stderr


def test_what_cannot_be_scored_is_a_row_with_the_reason(ran) -> None:
    frame = load_results(ran[0] / "results")
    row = frame[(frame["metric"] == "faithfulness_regression") & (frame["unit"] == "all")].iloc[0]
    assert row["status"] == "skipped"
    assert "no logits" in row["reason"]
    assert "relative_deviation (the explanation has no logits)" in ran[1].stderr


def test_a_finished_cell_is_not_done_again(ran) -> None:
    folder, _ = ran
    (path,) = cell_paths(folder / "results")
    before = path.stat().st_mtime_ns
    again = bench("run", *FAST, cwd=folder)
    assert again.returncode == 0
    assert "finished before" in again.stderr
    assert path.stat().st_mtime_ns == before


def test_a_run_without_pages_names_the_command_that_writes_them(ran) -> None:
    folder, _ = ran
    pages = {path: path.stat().st_mtime_ns for path in (folder / "leaderboards").rglob("*.md")}
    result = bench("run", *FAST, "--no-pages", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "`bench leaderboard` writes them to pages, or --metric NAME" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in (folder / "leaderboards").rglob("*.md")} == pages


def test_a_run_leaves_results_and_pages_of_other_data_alone(ran, tmp_path: Path) -> None:
    folder, _ = ran
    shutil.copytree(folder / "results", tmp_path / "results")
    for name, text in (("results/other/torn.parquet", "PAR1"), ("leaderboards/other.md", "as it was")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    result = CliRunner().invoke(main, ["run", *FAST, "--results", str(tmp_path / "results")])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("torn.parquet") == 1  # the ledger of claims is made of all results
    assert (tmp_path / "leaderboards" / "other.md").read_text() == "as it was"
    assert (tmp_path / "leaderboards" / "fauna.md").read_text() == (folder / "leaderboards" / "fauna.md").read_text()


def test_show_draws_a_cell_by_the_beginning_of_its_key(ran) -> None:
    folder, _ = ran
    key = cell_paths(folder / "results")[0].stem.rpartition("-")[2]
    result = bench("show", key[:6], "--images", "2", "--out", "picture.png", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_the_leaderboard_check_fails_when_a_page_is_edited(ran, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = ran
    monkeypatch.chdir(folder)
    leaderboard = lambda *words: CliRunner().invoke(main, ["leaderboard", *words])  # noqa: E731
    assert leaderboard("--check").exit_code == 0
    page = folder / "leaderboards" / "fauna.md"
    page.write_text(page.read_text() + "edited")
    stale = leaderboard("--check")
    assert stale.exit_code == 1
    assert "fauna.md" in stale.stderr
    assert leaderboard().exit_code == 0
    assert leaderboard("--check").exit_code == 0


def test_json_is_parsable_and_alone_on_stdout(ran) -> None:
    result = bench("run", *FAST, "--json", cwd=ran[0])
    rows = pd.DataFrame(json.loads(result.stdout))
    assert {"metric", "value", "low", "high", "status"} <= set(rows.columns)


def test_an_explainer_in_a_file_runs_without_packaging(tmp_path: Path) -> None:
    result = bench("run", "--plugin", str(EXAMPLE), "--task", "fauna/multi:cat", "--no-pictures", "--jobs", "1",
                   cwd=tmp_path)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert set(load_results(tmp_path / "results")["explainer"]) == {"saliency"}


RAISES = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from partbench import Explainer, Explanation, hookimpl

@dataclass
class Bad(Explainer):
    "A plugin that misbehaves."
    name: ClassVar[str] = "bad"
    def fit(self, task): ...
    def explain(self, images):
        {body}

@hookimpl
def register_explainers(register):
    register(Bad)
"""


MISBEHAVIOUR = {
    "raise RuntimeError('out of cheese')": "out of cheese",
    "return Explanation(scores=torch.full((len(images), 2), float('nan')))": "NaN",
    "return Explanation(torch.ones(len(images), 2, 4))": "expected (64, k, h, w)",
    "return Explanation(-torch.ones(len(images), 2, 4, 4))": "must not be negative",
    "return Explanation(lambda: -torch.ones(len(images), 2, 4, 4))": "must not be negative",
    "return 1 / 0": "ZeroDivisionError",
}


def test_misbehaving_plugins_fail_their_own_cells_and_the_others_go_on(tmp_path: Path) -> None:
    words = ["run", *FAST, "--no-pictures", "--results", str(tmp_path / "results")]
    for number, body in enumerate(MISBEHAVIOUR):
        file = tmp_path / f"bad_{number}.py"
        file.write_text(RAISES.format(body=body).replace('"bad"', f'"bad_{number}"'))
        words += ["--plugin", str(file)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    frame = load_results(tmp_path / "results").astype({"explainer": str, "status": str, "reason": str})
    for number, reason in enumerate(MISBEHAVIOUR.values()):
        bad = frame[frame["explainer"] == f"bad_{number}"]
        assert set(bad["status"]) == {"failed"}
        assert bad["reason"].str.contains(reason, regex=False).all()
    assert (frame[frame["explainer"] == "centre_map"]["status"] == "ok").any()


def test_a_picture_that_cannot_be_drawn_costs_no_score(tmp_path: Path) -> None:
    body = """return Explanation(images.pixels, scores=images.pixels.mean((2, 3)))
    def concept_names(self):
        return ("one of three",)"""
    (tmp_path / "bad.py").write_text(RAISES.format(body=body))
    words = ["run", "--plugin", str(tmp_path / "bad.py"), *FAST, "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "no pictures, IndexError" in result.output
    assert (load_results(tmp_path / "results")["status"] == "ok").any()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_finished_cells_ends_the_workers_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    waits = "open('waiting', 'w').close(); import time; time.sleep(300)"
    (tmp_path / "waits.py").write_text(RAISES.format(body=waits))
    words = ["run", *FAST, "--plugin", str(tmp_path / "waits.py"), "--no-pictures"]
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in a background job
    code += "from partbench.cli.main import main; main(prog_name='bench')"
    process = subprocess.Popen([sys.executable, "-c", code, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (tmp_path / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished cells are kept" in errors
    assert "Traceback" not in errors
    assert set(load_results(tmp_path / "results")["explainer"]) == {"centre_map"}
    assert not psutil.wait_procs(workers, timeout=5)[1]


def test_json_stays_json_whatever_plugins_print_and_the_parent_imports_no_torch(tmp_path: Path) -> None:
    body = (
        "print('noise'); import os; os.write(1, b'more noise'); return Explanation(scores=images.pixels.mean((2, 3)))"
    )
    (tmp_path / "noisy.py").write_text("print('at import')\n" + RAISES.format(body=body))
    code = "import sys; from partbench.cli.main import main\ntry: main(prog_name='bench')\n"
    code += "finally: print('torch' in sys.modules, file=sys.stderr)"
    words = ["run", "--plugin", str(tmp_path / "noisy.py"), "--task", "fauna/multi:bird", "--no-pictures", "--json"]
    words += ["--jobs", "1"]
    result = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert {row["explainer"] for row in json.loads(result.stdout)} == {"bad"}
    assert result.stderr.splitlines()[-1] == "False"


def test_a_dry_run_lists_cells_and_what_they_will_take_and_runs_nothing(ran, tmp_path: Path) -> None:
    shutil.copytree(ran[0] / "results", tmp_path / "results")
    words = ["run", *FAST, "--plugin", "random_maps", "--seed", "0", "--seed", "1", "--jobs", "2", "--dry-run"]
    result = bench(*words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "cells: 4, to do: 3, workers: 2, time: unknown" in result.stdout
    cells = json.loads(bench(*words, "--json", cwd=tmp_path).stdout)
    assert [(cell["explainer"], cell["seed"], cell["finished"]) for cell in cells] == [
        ("centre_map", 0, True), ("centre_map", 1, False), ("random_maps", 0, False), ("random_maps", 1, False),
    ]  # fmt: skip
    assert len(list((tmp_path / "results" / "fauna").rglob("*.parquet"))) == 1
    elsewhere = bench(*words, "--results", "new/results", cwd=tmp_path)
    assert "cells: 4, to do: 4" in elsewhere.stdout
    assert not (tmp_path / "new").exists()


DEADLY = """
import os
from typing import ClassVar
from partbench import PerformerPlugin, hookimpl

class Deadly(PerformerPlugin):
    "Ends the process that opens it."
    name: ClassVar[str] = "deadly"
    input_size: ClassVar[int] = 64
    @staticmethod
    def open(dataset, device):
        os._exit(3)

@hookimpl
def register_performers(register):
    register(Deadly)
"""


def test_a_performer_that_ends_the_process_costs_the_cells_on_it(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    words = ["run", *FAST, "--task", "fauna/multi:cat@deadly", "--plugin", str(tmp_path / "deadly.py"), "--no-pictures"]
    result = bench(*words, cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    reason = "preparing fauna/multi@deadly failed: its process ended with exit code 3, as by os._exit(3)"
    assert f"failed: centre_map on fauna/multi:cat@deadly, seed 0, not written ({reason})" in result.stderr
    assert set(load_results(tmp_path / "results")["task"]) == {"fauna/multi:bird"}
    alone = bench(*words[:1], *words[3:], cwd=tmp_path)  # nothing can be run
    assert (alone.returncode, "Traceback" in alone.stderr) == (1, False)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_arrows_gets_other_signs(ran, encoding: str) -> None:
    code = "from partbench.cli.main import main; main(prog_name='bench')"
    result = subprocess.run(
        [sys.executable, "-c", code, "run", *FAST], cwd=ran[0], capture_output=True, timeout=300,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    text = result.stdout.decode(encoding)
    assert "(-)" in text
    assert "?" not in text


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "did you mean 'srae'" in mistake("--plugin", "srea")


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    for words, near in ((["rnu"], "run"), (["data", "chekc"], "check")):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert result.stderr == f"bench: no command named '{words[-1]}'; did you mean '{near}'?\n"


def test_a_wrong_option_type_quotes_the_value() -> None:
    assert "-o epochs=many: expected int" in mistake("--plugin", "srae", "-o", "epochs=many")


def test_real_data_without_a_folder_says_how_to_name_it(tmp_path: Path) -> None:
    words = ["--plugin", "centre_map", "--task", "animal_part/multi:cat", "--results", str(tmp_path / "r")]
    assert "--data-root" in mistake(*words)
    assert str(tmp_path / "none") in mistake(*words, "--data-root", str(tmp_path / "none"))


def test_a_results_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "choose another" in mistake(*FAST, "--results", str(tmp_path / "file" / "results"))


def test_a_corrupt_result_is_named_and_ignored(ran, tmp_path: Path) -> None:
    results = tmp_path / "results"
    (results / "fauna").mkdir(parents=True)
    (path,) = cell_paths(ran[0] / "results")
    (results / "fauna" / path.name).write_bytes(path.read_bytes())
    (results / "fauna" / "torn.parquet").write_bytes(path.read_bytes()[:1000])
    result = CliRunner().invoke(main, ["leaderboard", "--results", str(results)])
    assert result.exit_code == 0
    assert "torn.parquet" in result.stderr


def test_doctor_reports_environment_data_and_plugins() -> None:
    result = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert {row["name"]: row["status"] for row in found["data"]} == {
        "animal_part": "absent",
        "celeba": "absent",
        "cub": "absent",
        "fauna": "ok",
        "fauna_scenes": "ok",
        "fauna_species": "ok",
        "funnybirds": "absent",
        "pascal_part": "absent",
        "places": "absent",
    }
    assert found["environment"][0]["name"] == "partbench"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_shell_code(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_BENCH_COMPLETE" in result.output


def test_names_are_completed() -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(main, {}, "bench", "_BENCH_COMPLETE")
    assert "srae" in [item.value for item in complete.get_completions(["run", "--plugin"], "sr")]


def test_list_of_everything_shows_patterns_of_tasks_and_list_tasks_every_task() -> None:
    assert "cub/multi:bobolink" in CliRunner().invoke(main, ["list", "tasks"]).stdout
    everything = CliRunner().invoke(main, ["list"]).stdout
    assert "cub/multi:bobolink" not in everything
    row = next(line for line in everything.splitlines() if "fauna/attribute-*" in line)
    assert "(4 tasks, such as fauna/attribute-wild)" in row
    assert "small_vgg_attributes" in row


def test_list_as_json_has_versions_and_owners() -> None:
    listing = json.loads(CliRunner().invoke(main, ["list", "--json"]).stdout)
    assert {"explainers", "metrics", "datasets", "tasks", "performers", "broken"} == set(listing)
    assert all(row["owner"].startswith("partbench ") for row in listing["metrics"])
