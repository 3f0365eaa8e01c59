"""A toy performer with what an explainer auto-encoder asks for: a pool on its top convolution, fc1 and fc2."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import nn
from toys import CHANNELS, SIDE, ToyDataset

from partbench import Activations, Performer, Task

FILTERS, FC1, FC2 = 5, 20, 12
ROLES = {"target": "conv1", "top_conv": "conv2", "fc1": "fc1", "fc2": "fc2", "logits": "logits"}
OPTIONS = {"epochs": 3, "batch_size": 32}


def stages() -> dict[str, nn.Module]:
    """12 px, 6 cells at both convolutions, 3 after the pool; random weights."""
    return {
        "conv1": nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        "conv2": nn.Sequential(nn.Conv2d(CHANNELS, FILTERS, 3, padding=1), nn.ReLU(inplace=True)),
        "pool": nn.MaxPool2d(2),
        "fc1": nn.Sequential(nn.Flatten(), nn.Linear(FILTERS * (SIDE // 4) ** 2, FC1), nn.ReLU()),
        "fc2": nn.Sequential(nn.Dropout(0.9), nn.Linear(FC1, FC2), nn.ReLU()),
        "logits": nn.Linear(FC2, 3),
    }


@cache
def trained_weights() -> dict[str, torch.Tensor]:
    """Of a network that tells the three labels of the toy images apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, data = nn.ModuleDict(stages()), ToyDataset(200, 20).train
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(60):
            value = data.images
            for stage in network.eval().values():
                value = stage(value)
            optimiser.zero_grad()
            nn.functional.cross_entropy(value, data.labels).backward()
            optimiser.step()
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def performer(**changed: nn.Module) -> Performer:
    """The trained toy; stages given by name take the place of its own."""
    network = nn.ModuleDict(stages())
    network.load_state_dict(trained_weights())
    made = dict(network.items()) | changed
    return Performer("toy", "1", SIDE, made, ROLES, ("both", "red", "green"), {"both": 0, "red": 1}, "pooled")


def task(folder: Path, category: str = "both", of: Performer | None = None, train: int = 120) -> Task:
    dataset, network = ToyDataset(train, 20), of or performer()
    return Task(dataset, network, category, Activations(dataset, network, folder))
