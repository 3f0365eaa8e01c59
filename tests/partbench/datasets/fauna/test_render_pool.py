"""Rendering processes import nothing of the caller, draw the same pixels, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from partbench.datasets.fauna.render import render_many, rendered
from partbench.datasets.fauna.render_pool import chunks_in_order

MODULE = "partbench.datasets.fauna.render_worker"
JOB = {"seed": 2, "size": 16, "without": [], "scene_of": "partbench.datasets.fauna.scene:draw_scene"}


def workers_of(parent: int) -> list[int]:
    """Rendering processes that `parent` started and that still run."""
    lines = subprocess.run(["ps", "-ww", "-eo", "pid=,stat=,args="], capture_output=True, text=True).stdout.splitlines()
    rows = [line.split(None, 2) for line in lines]
    return [int(pid) for pid, state, words in rows if f"{MODULE} {parent}" in words and not state.startswith("Z")]


def gone(parent: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while workers_of(parent) and time.monotonic() < end:
        time.sleep(0.05)
    return not workers_of(parent)


def test_a_bare_script_without_a_guard_renders_a_whole_split_on_a_cold_cache(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("1 / 0  # a file beside the script that a worker must not take for the library")
    script = tmp_path / "code" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "print('once')\n"
        "from partbench.datasets.fauna.scene_set import FaunaSet\n"
        "print(FaunaSet(1, 70, 16).batch(range(70)).pixels.shape[0])\n"
    )
    environment = {**os.environ, "PARTBENCH_CACHE": str(tmp_path / "cold")}
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["once", "70"]
    assert list((tmp_path / "cold" / "fauna").glob("*.npz"))


IN_A_DAEMON = """
import multiprocessing, sys
import numpy as np
from partbench.datasets.fauna.render import render_many

def draw():
    np.save(sys.argv[1], render_many(2, range(20), 16, workers=2)["image"])

if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=draw, daemon=True)
    process.start()
    process.join(60)
"""


def test_a_daemonic_process_may_render_in_several_processes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", IN_A_DAEMON, tmp_path / "drawn.npy"], check=True, timeout=120)
    assert np.array_equal(np.load(tmp_path / "drawn.npy"), render_many(2, range(20), 16)["image"])


def test_pixels_and_truth_do_not_depend_on_the_number_of_processes() -> None:
    alone = render_many(2, range(40), 24, without=("head",))
    together = render_many(2, range(40), 24, workers=3, without=("head",))
    assert alone.keys() == together.keys()
    for name, values in alone.items():
        assert values.dtype == together[name].dtype
        assert np.array_equal(values, together[name], equal_nan=values.dtype.kind == "f")


def test_no_process_is_left_when_the_iterator_is_closed_early() -> None:
    samples = rendered(2, range(200), 16, workers=2)
    next(samples)
    assert len(workers_of(os.getpid())) == 2
    samples.close()
    assert not workers_of(os.getpid())


def test_a_process_that_dies_is_an_error_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="No module named 'nowhere'"):
        list(chunks_in_order({**JOB, "scene_of": "nowhere:draw"}, range(4), 1))
    assert not workers_of(os.getpid())


LONG = """
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
from partbench.datasets.fauna.render import rendered
for i, _ in enumerate(rendered(1, range(100_000), 64, 2)):
    if i == 0:
        print("drawing", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_when_their_parent_is_interrupted_or_killed(how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"drawing\n"
    assert workers_of(parent.pid)
    assert {os.getpgid(pid) for pid in workers_of(parent.pid)} == {os.getpgid(parent.pid)}
    parent.send_signal(how)
    parent.wait(timeout=10)
    assert gone(parent.pid)
