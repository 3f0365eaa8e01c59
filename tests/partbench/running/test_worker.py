"""The worker program, spoken to as its parent does: its events, its output, its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from partbench.running.cell_job import CellJob, Setting, plain
from partbench.running.worker_process import _environment

PLUGIN = Path(__file__).with_name("hostile_plugin.py")
TASK = "hostile_squares/multi:red"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", "partbench.running.worker", str(tmp_path / "log")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(None))
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def send(worker: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(request).encode() + b"\n")
    worker.stdin.flush()


def events_until(worker: subprocess.Popen[bytes], *kinds: str) -> list[dict[str, Any]]:
    assert worker.stdout is not None
    found = []
    while not found or found[-1]["event"] not in kinds:
        found.append(json.loads(worker.stdout.readline()))
    return found


def cell(how: str, folder: Path) -> dict[str, Any]:
    setting = Setting(str(folder / "results"), (str(PLUGIN),), device="cpu")
    job = CellJob("hostile", {"how": how} if how else {}, TASK, 0, setting)
    return {"do": "cell", "job": plain(job), "log": str(folder / "log")}


def test_a_worker_answers_with_events_alone_and_what_is_printed_goes_to_the_log(
    worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    send(worker, cell("garbage", tmp_path))
    found = events_until(worker, "done", "mistake", "failed")
    kinds = [event["event"] for event in found]
    assert kinds[:2] == ["ready", "begun"]
    assert [kind for kind in kinds if kind in ("started", "written", "done")] == ["started", "written", "done"]
    assert {event["plugin"] for event in found if event["event"] == "loading"} >= {str(PLUGIN), ""}
    assert found[-1]["result"]["status"] == "done"
    log = (tmp_path / "log").read_bytes()
    assert b"printed at import" in log
    assert b"binary garbage" in log
    send(worker, cell("", tmp_path))
    events_until(worker, "done")
    assert b"binary garbage" not in (tmp_path / "log").read_bytes()
    send(worker, {**cell("", tmp_path), "do": "plan", "plugins": ["srea"], "tasks": [], "metrics": [], "seeds": [0],
                  "options": [], "setting": cell("", tmp_path)["job"]["setting"]})  # fmt: skip
    assert "did you mean 'srae'" in events_until(worker, "mistake", "failed", "done")[-1]["text"]


@pytest.mark.parametrize("how", ["", "spins"])
def test_a_worker_ends_within_5_seconds_of_its_parent(
    worker: subprocess.Popen[bytes], tmp_path: Path, how: str
) -> None:
    if how:
        send(worker, cell(how, tmp_path))
        events_until(worker, "started")
    else:
        events_until(worker, "ready")
    assert worker.stdin is not None
    worker.stdin.close()
    started = time.monotonic()
    worker.wait(timeout=20)
    assert time.monotonic() - started < 5


ORPHAN = """
import os, sys
from pathlib import Path
from partbench.running.cell_job import Limits
from partbench.running.worker_process import WorkerProcess
worker = WorkerProcess(Path(sys.argv[1]), Limits())
print(worker.pid, os.getpgid(worker.pid) == os.getpgid(0), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_worker_stays_in_the_group_of_its_parent_and_does_not_outlive_its_kill(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "log")], capture_output=True, text=True, timeout=60
    )
    pid, same_group = result.stdout.split()
    assert same_group == "True"
    deadline = time.monotonic() + 5
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_worker_that_has_traced_a_network_goes_on(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pytest.importorskip("tqdm", reason="torch.fx makes a bar of it, which starts a thread")
    asked = {"do": "call", "function": "partbench.running.layers:layers", "name": "small_vgg", "task": "fauna/multi"}
    send(worker, {**asked, "setting": plain(Setting("", device="cpu")), "log": str(tmp_path / "log")})
    assert events_until(worker, "done", "mistake", "failed")[-1]["clean"]


def test_a_worker_has_one_thread_for_each_library() -> None:
    found = _environment(None)
    assert {found[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"1"}


def test_the_parent_of_workers_imports_no_torch() -> None:
    modules = ("running.engine", "running.expectation", "cli.main", "cli.progress", "cli.scores")
    code = f"import sys, {', '.join(f'partbench.{name}' for name in modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_workers_are_started_before_pandas_is_imported() -> None:
    code = "import sys, partbench.cli.progress, partbench.running.engine; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
