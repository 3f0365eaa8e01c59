"""The engine with real workers: hostile plugins lose their own cells, values do not depend on workers or order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import partbench
from partbench.errors import InputError
from partbench.results.schema import Cell
from partbench.results.store import load_results, read_cell
from partbench.running.cell_job import CellJob, CellOutcome, Limits, Setting, plain
from partbench.running.crew import Crew, Step
from partbench.running.engine import (
    Engine,
    PlannedCell,
    Request,
    end_idle_worker,
    outcome_of,
    run_in_worker,
    steps_of,
)
from partbench.running.failure import log_of

PLUGIN = Path(__file__).with_name("hostile_plugin.py")
TASK = "hostile_squares/multi:red"
SAME = ("cell", "metric", "unit", "status", "reason", "value", "low", "high", "images", "variant", "control")

FAILURES = {
    "exits": "SystemExit: enough",
    "exits_at_once": "its process ended with exit code 3, as by os._exit(3)",
    "kills_itself": "killed by signal 9 (SIGKILL)",
    "spins": "longer than 2 s",
    "fills_memory": "more than 1.0 GB",
    "generator_exit": "GeneratorExit",
    "keyboard_interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError: never mind",
    "private": "PrivateError: mine",
    "garbage_and_fail": "ValueError: after the garbage",
    "float64": "StateChanged: the cell changed torch's default dtype",
    "meta_device": "StateChanged: the cell changed torch's default device",
    "no_grad": "StateChanged: the cell changed torch's grad mode",
    "inference": "torch's inference mode",
    "anomaly": "StateChanged: the cell changed torch's anomaly mode",
    "deterministic": "StateChanged: the cell changed torch's deterministic flags",
    "threads": "StateChanged: the cell changed torch's number of threads",
    "global_hook": "StateChanged: the cell changed hooks of all modules",
    "performer_hook": "PerformerChanged: the explainer changed the performer: fc1 (hooks)",
    "weights": "PerformerChanged: the explainer changed the performer: conv1.0 (weights)",
    "environment": "StateChanged: the cell changed $HOME",
    "numpy_errors": "StateChanged: the cell changed numpy's handling of errors",
    "no_folder": "StateChanged: the cell changed the working directory",
    "patch": "StateChanged: the cell changed torch.nn.functional.relu",
    "patch_core": "StateChanged: the cell changed Explanation.accepted",
    "patch_method": "StateChanged: the cell changed Tensor.mean",
    "patch_class": "StateChanged: the cell changed ReLU.forward",
    "patch_builtin": "StateChanged: the cell changed builtins.max",
    "patch_constant": "StateChanged: the cell changed partbench.functional.masking.RADIUS",
    "direction": "StateChanged: the cell changed Accuracy.higher_is_better",
    "another_class": "PerformerChanged: the explainer changed the performer: conv1.0 (class)",
    "function_mode": "StateChanged: the cell changed modes of torch",
    "one_dnn": "StateChanged: the cell changed torch's use of oneDNN",
    "few_files": "StateChanged: the cell changed limits of the process",
    "profile": "StateChanged: the cell changed tracing",
    "closes_streams": "StateChanged: the cell changed the standard streams",
    "closes_everything": "its process ended with exit code",
    "writes_events": "the worker sent what is no event",
    "alarm": "StateChanged: the cell changed an alarm",
}
HARMLESS = ("garbage", "forks", "thread", "leaves_a_process")
OF_PICTURES = {
    "exits_in_a_picture": "no pictures, its process ended with exit code 5, as by os._exit(5)",
    "fails_in_a_picture": "no pictures, GeneratorExit: no picture",
}
LIMITS = Limits(seconds=120, memory=1 << 30)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(str(tmp_path_factory.mktemp("engine") / "results"), (str(PLUGIN),), device="cpu")


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """One worker for all kinds of harm, replaced where it ends."""
    with Crew(1, LIMITS) as crew:
        yield crew


def hostile(how: str, setting: Setting, seed: int = 0) -> CellJob:
    return CellJob("hostile", {"how": how} if how else {}, TASK, seed, setting)


def outcome(crew: Crew, job: CellJob, limits: Limits = LIMITS) -> CellOutcome:
    crew.watch(limits, None)
    [answer] = crew.run([Step("cell", {"do": "cell", "job": plain(job)}, job.label)])
    return outcome_of(job, answer)


@pytest.mark.parametrize(("how", "reason"), FAILURES.items())
def test_harm_fails_its_own_cell_with_the_reason(crew: Crew, setting: Setting, how: str, reason: str) -> None:
    limits = replace(LIMITS, seconds=2) if how == "spins" else LIMITS
    found = outcome(crew, hostile(how, setting), limits)
    assert found.status == "failed"
    assert found.failed
    assert reason in found.reason
    assert found.path is not None
    rows = read_cell(Path(found.path))
    assert set(rows["status"]) == {"failed"}
    assert set(rows["reason"]) == {found.reason}
    assert set(rows["explainer"]) == {"hostile"}


@pytest.mark.parametrize("how", HARMLESS)
def test_what_changes_nothing_for_others_costs_no_score(crew: Crew, setting: Setting, how: str) -> None:
    found = outcome(crew, hostile(how, setting))
    assert found.status == "done"
    assert not found.failed
    assert not log_of(Path(str(found.path))).exists()


@pytest.mark.parametrize(("how", "note"), OF_PICTURES.items())
def test_a_picture_that_fails_is_a_note_and_the_cell_stands(crew: Crew, setting: Setting, how: str, note: str) -> None:
    drawn = replace(setting, pictures=str(Path(setting.results).parent / "pictures"))
    found = outcome(crew, hostile(how, drawn))
    assert found.status == "done"
    assert note in found.notes
    assert (read_cell(Path(str(found.path)))["status"] == "ok").any()


def test_a_cell_after_harm_is_as_if_there_had_been_none(crew: Crew, setting: Setting) -> None:
    for how in ("weights", "performer_hook", "float64", "patch_core", "patch_class", "another_class", "global_hook"):
        assert outcome(crew, hostile(how, setting, seed=1)).failed
    after = read_cell(Path(str(outcome(crew, hostile("", setting, seed=1)).path)))
    alone = partbench.run([PLUGIN], TASK, 1)
    alone = alone[alone["explainer"] == "hostile"]
    assert set(after["status"]) == {"ok", "skipped"}
    assert after.set_index("metric")["value"].to_dict() == pytest.approx(
        alone.set_index("metric")["value"].to_dict(), abs=0, rel=0, nan_ok=True
    )


def test_a_task_that_does_not_apply_is_skipped_with_the_words_of_the_plugin(crew: Crew, setting: Setting) -> None:
    found = outcome(crew, hostile("inapplicable", setting))
    assert (found.status, found.reason, found.failed) == ("skipped", "not for squares", False)


def test_what_a_failed_cell_printed_lies_beside_it_and_is_named_in_the_reason(crew: Crew, setting: Setting) -> None:
    found = outcome(crew, hostile("garbage_and_fail", setting, seed=2))
    log = log_of(Path(str(found.path)))
    assert found.reason.endswith(f"; its output: {log.name}")
    text = log.read_bytes()
    assert text.count(b"\xff\xfe\x00 binary garbage") == 20_000
    assert b"to stderr" in text
    assert b"ValueError: after the garbage" in text


def test_a_process_that_a_plugin_leaves_behind_is_ended_with_its_worker(crew: Crew, setting: Setting) -> None:
    assert outcome(crew, hostile("leaves_a_process", setting, seed=3)).status == "done"
    assert [process for process in psutil.process_iter(["name"]) if marked(process)] == []


def marked(process: psutil.Process) -> bool:
    try:
        return process.info["name"] == "sleep" and process.environ().get("PARTBENCH_LEFT") == str(os.getpid())
    except psutil.Error:
        return False


def request(setting: Setting, **given: object) -> Request:
    return Request(setting, **{"plugins": [str(PLUGIN)], "tasks": [TASK], "seeds": [0, 1]} | given)  # type: ignore[arg-type]


def frame_of(folder: Path) -> pd.DataFrame:
    found = load_results(folder, aggregates_only=False)
    found = found.astype(dict.fromkeys(("cell", "metric", "unit", "status", "reason", "variant", "control"), str))
    return found.sort_values(["cell", "metric", "unit"], ignore_index=True)[list(SAME)]


def planned_and_run(asked: Request, jobs: int, backwards: bool = False) -> list[CellOutcome]:
    with Engine(asked, jobs) as engine:
        plan = engine.planned()
        if backwards:
            plan = replace(plan, cells=plan.cells[::-1])
        return list(engine.run(plan))


def test_values_are_the_same_bits_for_any_number_of_workers_any_order_and_in_this_process(tmp_path: Path) -> None:
    names = {"plugins": [str(PLUGIN), "srae", "random_maps"], "options": ["srae.epochs=2", f"log={tmp_path}/l"]}
    for folder, jobs, backwards in (("one", 1, False), ("two", 2, True)):
        asked = request(Setting(str(tmp_path / folder), (str(PLUGIN),)), **names)
        found = planned_and_run(asked, jobs, backwards)
        assert len(found) == 10
        assert not any(outcome.failed for outcome in found)
    options = {"srae.epochs": 2, "log": f"{tmp_path}/l"}
    partbench.run([PLUGIN, "random_maps", "srae"], TASK, [1, 0], options, results=tmp_path / "here")
    frames = [frame_of(tmp_path / folder) for folder in ("one", "two", "here")]
    assert len(frames[0]) > 500
    for other in frames[1:]:
        pd.testing.assert_frame_equal(frames[0], other, check_exact=True)
        assert np.array_equal(frames[0]["value"], other["value"], equal_nan=True)
    threads = load_results(tmp_path / "two")["threads"]
    assert set(threads) == {1}


def test_a_network_that_several_build_on_is_trained_once_before_them(tmp_path: Path) -> None:
    log = tmp_path / "trainings"
    setting = Setting(str(tmp_path / "results"), (str(PLUGIN),))
    asked = request(setting, plugins=["builds"], options=[f"log={log}"], seeds=[0])
    found = planned_and_run(replace(asked, options=[f"log={log}"]), 2)
    more = request(setting, plugins=["builds"], options=[f"log={log}", "scale=2"], seeds=[0])
    found += planned_and_run(more, 1)
    assert [outcome.status for outcome in found] == ["done", "done"]
    assert log.read_text().splitlines() == [f"{TASK} 0"]


def planned(key: str, job: CellJob, *builds_on: tuple[str, CellJob]) -> PlannedCell:
    names = ("distribution", "plugin_version", "task_version", "category", "performer")
    cell = Cell(explainer=job.explainer, options={"key": key}, task=job.task, dataset="d", seed=0,
                data_fingerprint="", **dict.fromkeys(names, ""))  # fmt: skip
    return PlannedCell(job, cell, "", False, "group", builds_on)


def test_a_network_is_fitted_by_its_own_cell_where_that_is_in_the_run() -> None:
    setting = Setting("/none")
    base, top, other = (CellJob(name, {}, TASK, 0, setting) for name in ("base", "top", "other"))
    own = planned("base", base)
    key = own.cell.key
    steps, jobs = steps_of([planned("top", top, (key, base)), planned("other", other, (key, base)), own])
    names = [step.name for step in steps]
    assert not any(name.startswith("network") for name in names)
    assert names.index(f"cell {key}") < min(names.index(name) for name in jobs if name != f"cell {key}")
    assert all(f"cell {key}" in step.after for step in steps if step.name in jobs and step.name != f"cell {key}")
    steps, _ = steps_of([planned("top", top, (key, base)), planned("other", other, (key, base))])
    assert [step.name for step in steps].count(f"network {key}") == 1


def test_workers_share_the_preparation_of_a_group_by_splits_and_cells_wait_for_both() -> None:
    job = CellJob("base", {}, TASK, 0, Setting("/none"))
    steps, jobs = steps_of([planned("a", job), planned("b", job)])
    shared = {step.name: step.request["split"] for step in steps if step.request["do"] == "activations"}
    assert sorted(shared.values()) == ["test", "train"]
    assert all(step.after == shared.keys() for step in steps if step.name in jobs)


def test_a_finished_cell_is_not_done_again(tmp_path: Path) -> None:
    asked = request(Setting(str(tmp_path), (str(PLUGIN),)), plugins=["hostile"])
    assert [outcome.status for outcome in planned_and_run(asked, 1)] == ["done", "done"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("hostile_squares/*/*.parquet")}
    assert [outcome.status for outcome in planned_and_run(asked, 1)] == ["finished before"] * 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("hostile_squares/*/*.parquet")} == before


def test_a_plan_alone_has_no_second_worker_come_up(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[int] = []
    monkeypatch.setattr(Crew, "start", lambda crew, count: ahead.append(count))
    for plan_only in (True, False):
        with Engine(request(setting), 4, plan_only=plan_only):
            pass
    assert ahead == [1, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tasks": ["fauna/multi:brid"]}, "did you mean 'fauna/multi:bird'"),
        ({"tasks": ["animal_part/multi:cat"]}, "--data-root"),
    ],
)
def test_a_mistake_is_one_line_from_the_planner(setting: Setting, given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as error, Engine(request(setting, **given), 1) as engine:
        engine.planned()
    assert "\n" not in str(error.value)


def install(folder: Path, name: str, source: str) -> None:
    """A distribution with one plugin, installed in a folder that is put on the path."""
    (folder / f"{name}_module.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[partbench]\n{name} = {name}_module\n")


def test_installed_plugins_that_exit_or_hang_at_import_are_broken_and_the_rest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "exiting", "import os\nprint('gone')\nos._exit(7)\n")
    install(tmp_path, "hanging", "import time\ntime.sleep(1000)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    asked = request(Setting(str(tmp_path / "results"), (str(PLUGIN),)), plugins=["hostile"], seeds=[0])
    with pytest.warns(UserWarning, match="is broken") as warned, Engine(asked, 1, Limits(loading=3)) as engine:
        assert [outcome.status for outcome in engine.run(engine.planned())] == ["done"]
    texts = [str(warning.message) for warning in warned]
    assert any("plugin exiting is broken: its process ended with exit code 7" in text for text in texts)
    assert any("plugin hanging is broken: importing hanging took longer than 3 s" in text for text in texts)


def test_a_plugin_file_that_ends_the_process_is_the_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "ends.py"
    path.write_text("import os\nos._exit(3)\n")
    asked = Request(Setting(str(tmp_path / "results"), (str(path),)), [str(path)])
    with (
        pytest.raises(InputError, match=r"ends\.py is broken: its process ended with exit code 3"),
        Engine(asked, 1) as engine,
    ):
        engine.planned()


def test_a_single_cell_is_run_in_a_worker_that_serves_the_next_one_too(tmp_path: Path) -> None:
    setting = Setting(str(tmp_path / "results"), (str(PLUGIN),), device="cpu")
    before = psutil.Process().children()  # such as of fixtures of other tests in this process
    try:
        first = run_in_worker(hostile("", setting), Limits())
        children = psutil.Process().children()
        assert run_in_worker(hostile("", setting), Limits()).status == "finished before"
        assert psutil.Process().children() == children
        failed = run_in_worker(hostile("exits_at_once", setting), Limits())
        assert (failed.status, CellOutcome.of(plain(failed))) == ("failed", failed)
        assert first.status == "done"
        assert CellOutcome.of(plain(first)).columns["task"] == TASK
        assert run_in_worker(hostile("", setting, seed=5), Limits()).status == "done"
    finally:
        end_idle_worker()
    after = [child for child in psutil.Process().children() if child not in before]
    assert not [child for child in after if child.status() != psutil.STATUS_ZOMBIE]
