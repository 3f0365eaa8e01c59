"""A training that is killed again and again ends with the bits of an undisturbed one."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TRAINING = Path(__file__).parents[1] / "partbench" / "running" / "training"
EPOCHS, KILLS = 25, 4


def training(folder: Path, name: str) -> subprocess.Popen[bytes]:
    words = [
        "performer", "train", "colours/multi", "--network", "tiny", "--weights", "random", "--epochs", str(EPOCHS),
        "--batch-size", "8", "--threads", "1", "--device", "cpu", "--name", name, "--plugin-file",
        str(TRAINING / "squares_plugin.py"),
    ]  # fmt: skip
    return subprocess.Popen([sys.executable, "-m", "partbench", *words], cwd=folder, start_new_session=True)


def test_a_training_that_is_killed_ends_with_the_bits_of_an_undisturbed_one(tmp_path: Path) -> None:
    assert training(tmp_path, "whole").wait() == 0
    checkpoint = tmp_path / "performers" / "killed.training" / "checkpoint.safetensors"
    draw, kills = random.Random(0), 0
    while kills < KILLS:
        process = training(tmp_path, "killed")
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(draw.random() * 0.1)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)  # its worker ends with it
        process.wait()
        kills += 1
    assert kills, "the training ended before it was killed"
    if not (tmp_path / "performers" / "killed").exists():
        assert training(tmp_path, "killed").wait() == 0
    bits = [(tmp_path / "performers" / name / "weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert bits[0] == bits[1]
    assert sorted(path.name for path in (tmp_path / "performers").iterdir()) == ["killed", "whole"]


pytestmark = pytest.mark.soak
