"""A performer: three convolutions, trained on the dataset that it is opened for."""

import hashlib

import torch
from torch import nn

from partbench import Normalise, Performer, PerformerPlugin, cached_weights, hookimpl

EPOCHS, BATCH, SIZE = 5, 32, 32


def network(outputs: int) -> nn.Sequential:
    """The layers by name, with random weights: maps of 8 x 8 cells, 4 px apart."""
    stages = nn.Sequential()
    stages.add_module("normalise", Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    stages.add_module("conv1", nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
    stages.add_module("conv2", nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
    stages.add_module("conv3", nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.ReLU()))
    stages.add_module("fc", nn.Sequential(nn.Flatten(), nn.Linear(24 * 8 * 8, 32), nn.ReLU()))
    stages.add_module("logits", nn.Linear(32, outputs))
    return stages


def trained(dataset, outputs: int) -> dict[str, torch.Tensor]:
    """The weights after Adam on the cross-entropy; in a single task the only logit is the log-odds of label 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = network(outputs)
        optimiser = torch.optim.Adam(stages.parameters(), 2e-3)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(dataset.train)).split(BATCH):
                batch = dataset.train.batch(rows.tolist())
                logits = stages(batch.pixels)
                if outputs == 1:
                    logits = torch.cat([torch.zeros_like(logits), logits], 1)
                optimiser.zero_grad()
                nn.functional.cross_entropy(logits, batch.labels).backward()
                optimiser.step()
    return stages.state_dict()


class TinyCnn(PerformerPlugin):
    """A network of 32 px, trained within seconds for each dataset, or category against others, and cached."""

    name = "tiny_cnn"
    input_size = SIZE

    @staticmethod
    def open(dataset, device):
        names = tuple(dataset.categories) if dataset.negatives else tuple(dataset.classes)
        text = "|".join((TinyCnn.name, TinyCnn.version, dataset.train.fingerprint, *names))
        key = hashlib.sha256(text.encode()).hexdigest()
        weights = cached_weights("performers", f"{TinyCnn.name}-{key[:16]}", lambda: trained(dataset, len(names)))
        with torch.random.fork_rng(devices=[]):
            stages = network(len(names))
        stages.load_state_dict(weights)
        return Performer(
            name=TinyCnn.name, version=TinyCnn.version, input_size=SIZE, stages=dict(stages.named_children()),
            roles={"target": "conv2", "top_conv": "conv3", "fc1": "fc", "logits": "logits"}, outputs=names,
            targets={name: names.index(name) for name in dataset.categories}, fingerprint=key, device=device,
        )  # fmt: skip


@hookimpl
def register_performers(register):
    register(TinyCnn)
