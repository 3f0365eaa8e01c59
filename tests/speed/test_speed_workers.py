"""What several workers are worth, and what a worker costs, on an otherwise idle machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCH = str(Path(sys.executable).parent / "bench")
SMALL = ("centre_map", "random_maps", "edges", "z")


def seconds(results: Path, jobs: int, *words: str) -> float:
    """Wall seconds of small cells of `fauna`, without pictures."""
    plugins = [word for name in SMALL for word in ("--plugin", name)]
    command = [BENCH, "run", *plugins, "--no-pictures", "--results", str(results), "--jobs", str(jobs), *words]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the target is for two cores")
def test_two_workers_take_at_most_six_tenths_of_the_time_of_one(tmp_path: Path) -> None:
    seconds(tmp_path / "warm", 2, "--task", "fauna/multi:bird")  # renderings and activations
    taken = {jobs: seconds(tmp_path / str(jobs), jobs, "--seed", "0", "--seed", "1") for jobs in (1, 2)}
    print(f"\n48 small cells: {taken[1]:.0f} s with one worker, {taken[2]:.0f} s with two ({taken[2] / taken[1]:.2f})")
    assert taken[2] <= 0.6 * taken[1]


def test_a_run_says_something_within_two_seconds(tmp_path: Path) -> None:
    started = time.perf_counter()
    command = [BENCH, "run", "--plugin", "centre_map", "--task", "fauna/multi:bird", "--results", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first, waited = process.stderr.readline(), time.perf_counter() - started
        process.stderr.read()
    print(f"\nfirst line after {waited:.1f} s")
    assert first.startswith("preparing")
    assert waited <= 2


def test_a_mistake_is_answered_in_eight_seconds(tmp_path: Path) -> None:
    started = time.perf_counter()
    command = [BENCH, "run", "--plugin", "srea", "--results", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    waited = time.perf_counter() - started
    print(f"\na misspelt name is answered after {waited:.1f} s")
    assert "did you mean 'srae'" in result.stderr
    assert waited <= 8
