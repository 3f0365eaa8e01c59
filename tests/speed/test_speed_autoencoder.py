"""Training of the explainer auto-encoder on activations that are cached: seconds, and memory of its process.

Each task has a process of its own, which renders or reads the images and caches the activations first. Photographs are
those beside the repository; without them their test is skipped. Run with
`pytest tests/speed/test_speed_autoencoder.py -s`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "animal-part"
MINUTE = 60
CODE = """
import json, sys, time, torch
from pathlib import Path
from partbench.registry import load
from partbench.running.cell import fit, peak_memory
from partbench.opening import Workbench

registry, device = load(), torch.device("cpu")
task = Workbench(registry, Path(sys.argv[2]), device).task(sys.argv[1])
for layer in ("target", "top_conv", "fc1", "fc2", "logits"):
    task.training.activations(layer)
started = time.perf_counter()
fit(registry.explainers["autoencoder"].cls(), task)
print(json.dumps([time.perf_counter() - started, peak_memory(device) / 1024]))
"""


def trained(folder: Path, task: str) -> tuple[float, float]:
    """Seconds of fitting, and the peak of the process in GB."""
    words = [sys.executable, "-c", CODE, task, str(PHOTOS)]
    environment = {**os.environ, "PARTBENCH_CACHE": str(folder)}
    result = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory = json.loads(result.stdout)
    print(f"\nautoencoder on {task}: fitted in {seconds:.0f} s; the process took {memory:.2f} GB at most")
    return seconds, memory


def test_autoencoder_trains_on_fauna_in_three_minutes_and_four_gigabytes(tmp_path: Path) -> None:
    seconds, memory = trained(tmp_path, "fauna/multi:bird")
    assert seconds < 3 * MINUTE
    assert memory < 4


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no real photographs at shared/data/animal-part beside the repository")
def test_autoencoder_trains_on_photographs_in_ten_minutes_and_four_gigabytes(tmp_path: Path) -> None:
    seconds, memory = trained(tmp_path, "animal_part/multi:cat")
    assert seconds < 10 * MINUTE
    assert memory < 4
