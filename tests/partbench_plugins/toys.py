"""A task small enough to fit in a moment: coloured squares, a network of four stages, activations in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from partbench import Activations, Batch, Dataset, ImageSet, Performer, Task

SIDE, CHANNELS, HIDDEN = 12, 6, 24


class Squares(ImageSet):
    """Noise with a bright square: red in one corner half of the time, green in another half of the time.

    Images with both are labelled 0, others 1 or 2.
    """

    def __init__(self, prefix: str, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.fingerprint = f"{prefix}{count}-{seed}"
        self.ids = tuple(f"{prefix}/{i:03d}" for i in range(count))
        self.images = torch.rand(count, 3, SIDE, SIDE, generator=generator) * 0.3
        red, green = torch.rand(2, count, generator=generator) < 0.5
        self.images[red, 0, 1:5, 1:5] += 0.6
        self.images[green, 1, 7:11, 7:11] += 0.6
        self.labels = torch.where(red & green, 0, torch.where(red, 1, 2))

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        return Batch(tuple(self.ids[i] for i in rows), self.images[rows], self.labels[rows])


class ToyDataset(Dataset):
    name: ClassVar[str] = "squares"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "toy"
    classes: tuple[str, ...] = ("both", "red", "green")
    categories: tuple[str, ...] = ("both", "red")

    def __init__(self, train: int, test: int) -> None:
        super().__init__(None, SIDE)
        self.train, self.test = Squares("train", train, 1), Squares("test", test, 2)


def toy_performer(without: Sequence[str] = ()) -> Performer:
    """conv, conv, fully-connected layer, logits; random weights, the same at every call; `without` some roles."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = {
            "conv1": nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            "conv2": nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU()),
            "fc1": nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * (SIDE // 2) ** 2, HIDDEN), nn.ReLU()),
            "logits": nn.Linear(HIDDEN, 3),
        }
    roles = {"target": "conv1", "top_conv": "conv2", "fc1": "fc1", "logits": "logits"}
    kept = {role: layer for role, layer in roles.items() if role not in without}
    if "fc1" in without:
        stages["hidden"] = stages.pop("fc1")
        stages["logits"] = stages.pop("logits")
    targets = {"both": 0, "red": 1}
    return Performer("toy", "1", SIDE, stages, kept, ("both", "red", "green"), targets, "toy")


def toy_task(folder: Path, category: str = "both", performer: Performer | None = None, train: int = 120) -> Task:
    """The task of one category ("multi" for all), its activations kept in `folder`."""
    dataset, performer = ToyDataset(train, 20), performer or toy_performer()
    return Task(dataset, performer, category, Activations(dataset, performer, folder))


def planted_task(folder: Path, z: Tensor, logit: Callable[[Tensor], Tensor]) -> Task:
    """A task whose fc1 activations over the training split are `z` and whose explained logit is `logit(z)`.

    The performer's own layers stay as they are: only what `fit` learns from is planted.
    """
    task = toy_task(folder, train=len(z))
    planted = {"fc1": z, "logits": logit(z)[:, None].expand(-1, 3).contiguous()}
    for layer, values in planted.items():
        task.activation_cache.item("train", layer).write(lambda file, values=values: np.save(file, values.numpy()))
    return task
