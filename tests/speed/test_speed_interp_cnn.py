"""Training of an interpretable CNN against the same loop without filter loss, on cached activations, in one run.

Rounds are interleaved and medians compared, so that a busy machine slows both alike.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest
import torch

from partbench import InputError, Task
from partbench.opening import Workbench
from partbench.registry import load
from partbench_plugins.interp_cnn.interp_cnn import InterpCnn
from partbench_plugins.interp_cnn.training import train

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "animal-part"
ROUNDS, EPOCHS, DEFAULT_EPOCHS = 3, 2, 36


def opened(name: str) -> Task:
    try:
        return Workbench(load(), PHOTOS if PHOTOS.is_dir() else None).task(name)
    except InputError as error:
        pytest.skip(f"no photographs beside the repository: {error}")


def seconds(task: Task, *, loss: bool) -> float:
    """Seconds of training for a few epochs, the start of the network left out."""
    explainer = InterpCnn(epochs=EPOCHS, warm_up=0, loss=loss)
    torch.manual_seed(0)
    network = explainer._started(task.training)
    started = time.perf_counter()
    train(network, task.training, explainer.task_loss, explainer.training)
    return time.perf_counter() - started


@pytest.mark.parametrize("name", ["fauna/bird", "animal_part/cat"])
def test_the_filter_loss_makes_training_at_most_1_4_times_as_long(name: str) -> None:
    torch.set_num_threads(1)
    task = opened(name)
    seconds(task, loss=True)  # reads the activations
    taken = {loss: [seconds(task, loss=loss) for _ in range(ROUNDS)] for loss in (True, False)}
    with_loss, without = (median(taken[loss]) / EPOCHS for loss in (True, False))
    print(f"\n{name}: {with_loss:.2f} s an epoch, {with_loss / without:.2f} times those without filter loss")
    assert with_loss <= 1.4 * without
