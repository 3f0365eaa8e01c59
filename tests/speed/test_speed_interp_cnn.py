"""Training of an interpretable CNN on cached activations, by one thread: how long, and what the filter loss adds.

With and without filter loss, rounds are interleaved and medians compared, so that a busy machine slows both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
ROUNDS, EPOCHS = 3, 2
IMAGES, SECONDS = 800, 90  # the most CPU seconds of a training with default options on so many photographs


def opened(name: str) -> Task:
    try:
        return Workbench(load(), PHOTOS if PHOTOS.is_dir() else None).task(name)
    except InputError as error:
        pytest.skip(f"no photographs beside the repository: {error}")


def seconds(task: Task, *, loss: bool, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of training for a few epochs, the start of the network left out."""
    explainer = InterpCnn(epochs=EPOCHS, warm_up=0, loss=loss)
    torch.manual_seed(0)
    network = explainer._started(task.training)
    started = clock()
    train(network, task.training, explainer.task_loss, explainer.training)
    return clock() - started


@pytest.mark.parametrize("name", ["fauna/bird", "animal_part/cat"])
def test_the_filter_loss_makes_training_at_most_1_4_times_as_long(name: str) -> None:
    torch.set_num_threads(1)
    task = opened(name)
    seconds(task, loss=True)  # reads the activations
    taken = {loss: [seconds(task, loss=loss) for _ in range(ROUNDS)] for loss in (True, False)}
    with_loss, without = (median(taken[loss]) / EPOCHS for loss in (True, False))
    print(f"\n{name}: {with_loss:.2f} s an epoch, {with_loss / without:.2f} times those without filter loss")
    assert with_loss <= 1.4 * without


def test_photographs_of_a_category_train_in_90_seconds_of_one_thread() -> None:
    torch.set_num_threads(1)
    task = opened("animal_part/cat")
    seconds(task, loss=True, clock=time.process_time)  # reads the activations
    of_epoch = min(seconds(task, loss=True, clock=time.process_time) for _ in range(ROUNDS)) / EPOCHS
    drawn = 2 * int(task.training.labels.bincount().min())  # an epoch, see BalancedTraining
    of_training = of_epoch * InterpCnn().epochs * IMAGES / drawn
    print(f"\n{drawn} photographs in {of_epoch:.2f} CPU s; a training of {IMAGES}: {of_training:.0f} s")
    assert of_training <= SECONDS
