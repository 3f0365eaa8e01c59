"""Trainings that take a moment: coloured squares and a network of two convolutions, opened in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from partbench.opening import Workbench
from partbench.registry import Entry, Registry
from partbench.running.training.images import Pixels, split_rows
from partbench.running.training.loop import Learned, Training
from partbench.running.training.recipe import Recipe
from partbench.running.training.request import TrainingRequest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def squares() -> Iterator[ModuleType]:
    """The plugin file with the dataset and the network, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        import squares_plugin

        yield squares_plugin
    for name in ("squares_plugin", "tiny_network", "coloured_squares"):
        sys.modules.pop(name, None)


@pytest.fixture
def workbench(squares: ModuleType) -> Workbench:
    """Tasks on coloured squares, with the network `tiny`."""
    registry = Registry()
    for kind, cls in (("datasets", squares.Colours), ("performers", squares.Tiny)):
        getattr(registry, kind)[cls.name] = Entry(cls.name, cls, "test", "test", "1")
    registry.performers["lite0_head"] = Entry("lite0_head", squares.Tiny, "test", "test", "1")
    return Workbench(registry)


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., TrainingRequest]:
    """`asked(epochs=2, ...)`: a request to train `tiny` on `colours/multi`."""

    def made(**options: Any) -> TrainingRequest:
        usual = {"task": "colours/multi", "network": "tiny", "name": "mine", "weights": "random", "batch_size": 8}
        return TrainingRequest(**{**usual, "epochs": 2, "out": str(tmp_path / "mine"), **options})

    return made


@pytest.fixture
def training(squares: ModuleType) -> Callable[..., Training]:
    """`training(epochs=3, lr=0.01, frozen=frozenset())`: a training before its first epoch, the same at each call."""

    def made(epochs: int = 3, lr: float = 0.01, frozen: frozenset[str] = frozenset()) -> Training:
        dataset = squares.Colours()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            performer = squares.Tiny.variant("tiny,weights=random").to_train(dataset, torch.device("cpu"))
        labels = dataset.train.labels
        images = Learned(Pixels(dataset.train, 32), labels, *split_rows(labels, dataset.classes))
        return Training(performer, Recipe("cosine", epochs, 8, lr, 3, False), images, frozen)

    return made
