"""Training of the explainer auto-encoder on activations that are cached: seconds, and memory of its process.

A first command renders or reads the images and caches activations of the target layer, by fitting an explainer that
learns nothing; the second trains, draws nothing and is measured. Photographs are those beside the repository; without
them their test is skipped. Run with `pytest benchmarks/speed/test_speed_autoencoder.py -s`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = str(Path(sys.executable).parent / "bench")
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "animal-part"
MINUTE = 60


def run(folder: Path, task: str, plugin: str, *more: str) -> list[dict[str, object]]:
    """The aggregate rows of one cell."""
    environment = {**os.environ, "PARTBENCH_CACHE": str(folder / "cache")}
    words = [BENCH, "run", "--plugin", plugin, "--task", task, "--no-pictures", "--json", *more]
    words += ["--device", "cpu", "--results", str(folder / "results")]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


def trained(folder: Path, task: str, *more: str) -> tuple[float, float]:
    """Seconds of fitting, and the peak of the process in GB."""
    run(folder, task, "top_conv", *more)
    rows = run(folder, task, "autoencoder", *more)
    failed = {row["reason"] for row in rows if row["status"] == "failed"}
    assert not failed, failed
    seconds, memory = float(str(rows[0]["fit_seconds"])), float(str(rows[0]["peak_memory_mb"])) / 1024
    print(f"\nautoencoder on {task}: fitted in {seconds:.0f} s; the process took {memory:.2f} GB at most")
    return seconds, memory


def test_autoencoder_trains_on_fauna_in_three_minutes_and_four_gigabytes(tmp_path: Path) -> None:
    seconds, memory = trained(tmp_path, "fauna/bird")
    assert seconds < 3 * MINUTE
    assert memory < 4


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no real photographs at shared/data/animal-part beside the repository")
def test_autoencoder_trains_on_photographs_in_ten_minutes_and_four_gigabytes(tmp_path: Path) -> None:
    seconds, memory = trained(tmp_path, "animal_part/cat", "--data-root", str(PHOTOS))
    assert seconds < 10 * MINUTE
    assert memory < 4
