"""Runs of `bench run` that are killed at random moments: no cell is lost, doubled or unreadable, and values stay."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

from partbench.results.folders import cell_paths
from partbench.results.store import load_results, read_cell

PLUGIN = Path(__file__).parents[1] / "partbench" / "running" / "hostile_plugin.py"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SEEDS = 3
CELLS = 2 * SEEDS * 3  # tasks, seeds, explainers of the file
KILLS = int(os.environ.get("PARTBENCH_SOAK_KILLS", "100"))
SAME = ["explainer", "task", "seed", "metric", "unit", "status", "value", "low", "high"]
GRACE = 10.0  # seconds in which the processes of a killed run must be gone


def command(results: Path) -> list[str]:
    """Two tasks of tiny images on two workers; two of the explainers share networks, which take a second to train."""
    tasks = ("--task", "hostile_squares/multi:red", "--task", "hostile_squares/multi:blue")
    seeds = [word for seed in range(SEEDS) for word in ("--seed", str(seed))]
    options = ("--no-pictures", "--jobs", "2", "--results", str(results), "-o", f"log={results.with_name('trained')}")
    return [sys.executable, "-m", "partbench", "run", "--plugin", str(PLUGIN), *tasks, *seeds, *options]


def run(results: Path, cache: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PARTBENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(results), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def values(results: Path) -> pd.DataFrame:
    """What does not tell of times and machines."""
    return load_results(results)[SAME].sort_values(SAME[:5]).reset_index(drop=True)


def left_behind(group: int) -> list[int]:
    """Living processes of a run's session, once they have had time to end."""
    deadline = time.monotonic() + GRACE
    while True:
        found = []
        for process in psutil.process_iter(["status"]):
            try:
                if os.getsid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except ProcessLookupError:
                continue
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


@pytest.mark.soak
def test_killed_runs_lose_no_cell_and_change_no_value(tmp_path: Path) -> None:
    undisturbed, cache, chance = tmp_path / "undisturbed", tmp_path / "cache", random.Random(0)
    begun = time.monotonic()
    assert run(undisturbed, cache).wait() == 0
    whole = time.monotonic() - begun
    results, done, ended = tmp_path / "results", set(), Counter[str]()
    for kill in range(KILLS):
        if len(done) == CELLS:  # the next kills fall into a run that starts from nothing
            pd.testing.assert_frame_equal(values(results), values(undisturbed))
            results, done = tmp_path / f"results{kill}", set()
        process = run(results, cache)
        number = SIGNALS[kill % len(SIGNALS)]
        try:
            process.wait(chance.uniform(0.0, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        _, printed = process.communicate(timeout=60)
        ended[f"{number.name}: {process.returncode}"] += 1
        assert b"Traceback" not in printed, printed.decode()[-2000:]
        assert not left_behind(process.pid), f"processes outlive a run that got {number.name}"
        found = {path.name: read_cell(path) for path in cell_paths(results)} if results.exists() else {}
        assert done <= found.keys(), "a finished cell is lost"
        assert all(set(rows["status"]) != {"failed"} for rows in found.values()), "a cell is failed by a kill"
        done = set(found)
    print(f"\n{KILLS} kills of runs of {whole:.1f} s: {dict(ended)}")
    assert run(results, cache).wait() == 0
    assert len(cell_paths(results)) == CELLS
    pd.testing.assert_frame_equal(values(results), values(undisturbed))
