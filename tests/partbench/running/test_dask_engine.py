"""A real scheduler and workers that share nothing with the client but the machine; one worker is killed mid-cell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import partbench
from partbench.errors import InputError
from partbench.results.schema import Cell
from partbench.results.store import load_results, read_cell, write_cell
from partbench.running.cell_job import CellJob, CellOutcome, Limits, Setting, plain
from partbench.running.crew import Silent, Step
from partbench.running.dask_cluster import scheduler_at
from partbench.running.dask_crew import Reply, Source
from partbench.running.dask_engine import DaskEngine, received, sources_of
from partbench.running.engine import Plan, PlannedCell, Request
from partbench.running.failure import log_of

pytest.importorskip("distributed", reason="needs the extra partbench[cluster]")

HOSTILE = Path(__file__).with_name("hostile_plugin.py")
TASK = "hostile_squares/multi:red"
SAME = ["cell", "metric", "unit", "status", "value", "low", "high", "images", "variant", "control"]
NAPS = '''

@dataclass
class Naps(Hostile):
    """Takes a minute, but for the second time."""

    name: ClassVar[str] = "naps"
    place: str = ""

    def fit(self, task: TrainingTask) -> None:
        super().fit(task)
        file = Path(self.place) / str(task.seed)
        if not file.exists():
            file.write_text(str(os.getpid()))
            time.sleep(60)


@hookimpl
def register_explainers(register):
    for cls in (Hostile, Trained, Builds, Naps):
        register(cls)
'''
INSTALLED = """
from dataclasses import dataclass
from typing import ClassVar
from partbench import Explainer, Explanation, Images, TrainingTask, hookimpl

@dataclass
class Installed(Explainer):
    name: ClassVar[str] = "installed"

    def fit(self, task: TrainingTask) -> None:
        pass

    def explain(self, images: Images) -> Explanation:
        return Explanation(images.pixels)

@hookimpl
def register_explainers(register):
    register(Installed)
"""


@dataclass
class Recorder(Silent):
    """Notes what the workers do."""

    labels: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def began(self, worker: int, label: str) -> None:
        self.labels.append(label)

    def progress(self, worker: int, what: str, done: int, total: int) -> None:
        self.told.append(what)


def distribution(folder: Path, version: str) -> Path:
    """A folder with an installed plugin of some version."""
    information = folder / f"installed_plugin-{version}.dist-info"
    information.mkdir(parents=True)
    (folder / "installed_plugin.py").write_text(INSTALLED)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: installed-plugin\nVersion: {version}\n")
    (information / "entry_points.txt").write_text("[partbench]\ninstalled = installed_plugin\n")
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from dask_processes import DaskProcesses

    folder = tmp_path_factory.mktemp("dask")
    site = distribution(folder / "site", "1.0")
    with pytest.MonkeyPatch.context() as patch, DaskProcesses(folder) as found:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]))
        for _ in range(2):
            found.start_worker()
        yield found
    shutil.rmtree(folder)


@dataclass
class Finished:
    """A run during which a Dask worker was killed."""

    outcomes: list[CellOutcome]
    results: Path
    listener: Recorder
    warned: list[str]
    options: Mapping[str, str]
    plugin: Path
    plan: Plan


def kill_the_one_that_naps(place: Path) -> None:
    """Kill the Dask worker that does the napping cell of seed 0."""
    from dask_processes import until

    until(lambda: (place / "0").exists() and (place / "0").read_text(), 300)
    found = psutil.Process(int((place / "0").read_text())).parent()
    assert found is not None
    found.kill()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "naps_plugin.py"
    path.write_text(HOSTILE.read_text() + NAPS)
    return path


@pytest.fixture(scope="module")
def finished(cluster: Any, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("run")
    (folder / "1").touch()  # no nap for seed 1
    options = {
        "hostile.how": "garbage_and_fail", "naps.place": str(folder), "trained.log": f"{folder}/log",
        "builds.log": f"{folder}/log",
    }  # fmt: skip
    setting = Setting(str(folder / "results"), (str(plugin),), device="cpu")
    request = Request(setting, [str(plugin)], [TASK], [0, 1], options)
    listener = Recorder()
    killer = threading.Thread(target=kill_the_one_that_naps, args=(folder,))
    killer.start()
    connect = partial(scheduler_at, cluster.address)
    with warnings.catch_warnings(record=True) as caught, DaskEngine(request, connect, listener=listener) as engine:
        warnings.simplefilter("always")
        plan = engine.planned()
        outcomes = list(engine.run(plan))
    killer.join()
    warned = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    return Finished(outcomes, folder / "results", listener, warned, options, plugin, plan)


def test_a_cell_whose_dask_worker_is_killed_is_done_again_elsewhere(finished: Finished) -> None:
    found = {(outcome.job.explainer, outcome.job.seed): outcome.status for outcome in finished.outcomes}
    assert len(finished.outcomes) == len(found) == 8
    assert {status for (explainer, _), status in found.items() if explainer != "hostile"} == {"done"}
    [told] = [text for text in finished.warned if "Dask worker" in text]
    assert told.endswith(f"ended while it did naps on {TASK}, seed 0; it is done again elsewhere")
    assert finished.listener.labels.count(f"naps on {TASK}, seed 0") == 2


def test_values_of_dask_workers_are_those_of_this_process_to_the_bit(finished: Finished, tmp_path: Path) -> None:
    names = ["trained", "builds", "naps", finished.plugin]
    options = {**finished.options, "hostile.how": ""}
    partbench.run(names, TASK, [1, 0], options, results=tmp_path / "here")
    frames = [values(finished.results), values(tmp_path / "here")]
    assert len(frames[0]) > 300
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def values(folder: Path) -> pd.DataFrame:
    found = load_results(folder, aggregates_only=False)
    found = found[found["explainer"].isin(["trained", "builds", "naps"])].drop_duplicates(["cell", "metric", "unit"])
    found = found.astype(dict.fromkeys(("cell", "metric", "unit", "status", "variant", "control"), str))
    return found.sort_values(["cell", "metric", "unit"], ignore_index=True)[SAME]


def test_a_failed_cell_comes_with_what_it_printed(finished: Finished) -> None:
    failed = [outcome for outcome in finished.outcomes if outcome.job.explainer == "hostile"]
    assert len(failed) == 2
    for outcome in failed:
        path = Path(str(outcome.path))
        assert outcome.status == "failed"
        assert outcome.reason == f"ValueError: after the garbage; its output: {log_of(path).name}"
        assert set(read_cell(path)["reason"]) == {outcome.reason}
        assert b"binary garbage" in log_of(path).read_bytes()


def test_a_network_is_trained_once_on_each_machine(finished: Finished) -> None:
    lines = (finished.results.parent / "log").read_text().splitlines()
    assert {lines.count(f"{TASK} {seed}") for seed in (0, 1)} <= {1, 2, 3}  # here for the comparison, and by two homes


def test_what_the_workers_do_is_told_here(finished: Finished) -> None:
    assert any(label.startswith("preparing activations of hostile_squares") for label in finished.listener.labels)
    assert "explaining and scoring" in finished.listener.told


def test_an_interrupted_run_keeps_finished_cells_and_leaves_nothing_running(
    cluster: Any, plugin: Path, tmp_path: Path
) -> None:
    from dask_processes import until

    cluster.start_worker(distribution(tmp_path / "newer", "1.1"))
    words = ["run", "--plugin", str(plugin), "--task", TASK]
    words += ["-o", f"naps.place={tmp_path}", "-o", f"trained.log={tmp_path}/log", "-o", f"builds.log={tmp_path}/log"]
    words += ["--engine", "dask", "--scheduler", cluster.address, "--results", str(tmp_path / "results")]
    with open(tmp_path / "err", "wb") as errors:
        command = [sys.executable, "-m", "partbench", *words, "--no-pictures"]
        process = subprocess.Popen(command, stdout=errors, stderr=errors, cwd=tmp_path)
    said = (tmp_path / "err").read_text

    def interruptible(text: str) -> bool:
        return (tmp_path / "0").exists() and "trained on" in text and "left out" in text

    try:
        until(lambda: process.poll() is not None or interruptible(said()), 300)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, said()
    finally:
        process.kill()
        process.wait()
    assert "installed-plugin 1.1" in said()
    assert "there, installed-plugin 1.0" in said()
    assert said().splitlines()[-1].startswith("bench: interrupted; finished cells are kept")
    assert "naps" not in set(load_results(tmp_path / "results")["explainer"])
    assert "trained" in set(load_results(tmp_path / "results")["explainer"])
    until(lambda: not cluster.left(), 20)


class LosingCrew:
    """Loses every step."""

    def run(self, steps: list[Step], source: Source) -> Iterator[Reply]:
        for step in steps:
            yield Reply(step, "tcp://a:1", lost="3 Dask workers ended while they did it: a, b, c")

    def results_at_hand(self) -> list[Reply]:
        return []

    def close(self) -> None:
        pass


def test_a_cell_that_ended_three_dask_workers_is_written_as_failed(finished: Finished, tmp_path: Path) -> None:
    one = finished.plan.cells[0]
    setting = replace(one.job.setting, results=str(tmp_path))
    plan = replace(finished.plan, cells=[replace(one, job=replace(one.job, setting=setting))])
    with DaskEngine(Request(setting, []), partial(scheduler_at, "tcp://127.0.0.1:9")) as engine:
        engine._crew = LosingCrew()  # type: ignore[assignment]
        [outcome] = engine.run(plan)
    assert (outcome.status, outcome.reason) == ("failed", "3 Dask workers ended while they did it: a, b, c")
    assert outcome.path == str(one.cell.path(tmp_path))
    rows = read_cell(Path(str(outcome.path)))
    assert set(rows["status"]) == {"failed"}
    assert set(rows["reason"]) == {outcome.reason}
    assert len(rows) > 10


def cell() -> Cell:
    return Cell("nn", "partbench", "1", {}, "fauna/multi:cat", "1", "fauna", "cat", "small_vgg", "data", 0)


def planned(folder: Path, pictures: str | None = None) -> PlannedCell:
    job = CellJob("nn", {}, "fauna/multi:cat", 0, Setting(str(folder), pictures=pictures))
    return PlannedCell(job, cell(), str(cell().path(folder)), False, "fauna/multi@small_vgg")


def bytes_of(folder: Path, value: float = 0.5, of: Cell | None = None) -> bytes:
    row = {
        "run_id": "r", "created_at": "2026-01-01", "partbench_version": "1", "variant": "", "metric": "accuracy",
        "metric_version": "1", "unit": "all", "status": "ok", "value": value,
    }  # fmt: skip
    return write_cell(folder, [row], of or cell(), overwrite=True).read_bytes()


def found_of(one: PlannedCell, data: bytes | None, **given: Any) -> dict[str, Any]:
    outcome = CellOutcome(one.job, "done", "/elsewhere/x.parquet", columns=one.cell.columns)
    return {"kind": "done", "text": "", "outcome": plain(outcome), "cell": data, "log": None, "pictures": {}} | given


def test_a_cell_of_other_data_than_here_fails_and_is_not_written(tmp_path: Path) -> None:
    one = planned(tmp_path / "here")
    other = Cell(**{**vars(one.cell), "data_fingerprint": "others"})
    outcome = received(one, found_of(one, bytes_of(tmp_path / "there", of=other)), "tcp://a:1")
    assert (outcome.status, outcome.path) == ("failed", None)
    assert "Dask worker tcp://a:1: " in outcome.reason
    assert outcome.reason.endswith("do its data differ from those here?")
    assert not list((tmp_path / "here").rglob("*.parquet"))


def test_a_cell_that_another_run_finished_meanwhile_stays(tmp_path: Path) -> None:
    one = planned(tmp_path / "here")
    bytes_of(tmp_path / "here", 0.25)
    outcome = received(one, found_of(one, bytes_of(tmp_path / "there", 0.75)), "tcp://a:1")
    assert outcome.status == "finished before"
    assert read_cell(Path(str(outcome.path)))["value"].tolist() == [0.25]


def test_pictures_are_brought_here_and_where_that_fails_is_a_note(tmp_path: Path) -> None:
    data = bytes_of(tmp_path / "there")
    for name in ("pictures", "file"):
        (tmp_path / "file").touch()
        one = planned(tmp_path / f"{name}-results", pictures=str(tmp_path / name))
        outcome = received(one, found_of(one, data, pictures={"a/b.png": b"png"}), "tcp://a:1")
        assert outcome.status == "done"
        if name == "pictures":
            assert [Path(picture).read_bytes() for picture in outcome.pictures] == [b"png"]
        else:
            assert outcome.notes[0].startswith("not written: ")


def test_a_plugin_file_that_imports_its_neighbours_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "shared_code.py").write_text("X = 1\n")
    (tmp_path / "one.py").write_text("import os\nimport json\n")
    (tmp_path / "two.py").write_text("def f():\n    from shared_code import X\n")
    assert sources_of([str(tmp_path / "one.py")]) == {str(tmp_path / "one.py"): b"import os\nimport json\n"}
    with pytest.raises(InputError, match=r"two\.py imports shared_code beside it; single files only"):
        sources_of([str(tmp_path / "two.py")])


def test_no_answer_from_a_scheduler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partbench.running.dask_cluster.PATIENCE", 0.5)
    request = Request(Setting(str(tmp_path)), ["nn"])
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        DaskEngine(request, partial(scheduler_at, "tcp://127.0.0.1:9"), limits=Limits()) as engine,
    ):
        engine.planned()
