"""Training of a PartNetwork on the images and labels of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from partbench import TrainingTask
from partbench_plugins.balanced_training import BalancedTraining
from partbench_plugins.interp_cnn.architecture import PartNetwork

TaskLoss = Literal["logistic", "softmax"]
TRUNK_RATE = 0.1  # relative to the learning rate, for layers that the performer's own training has already fitted


@dataclass(frozen=True)
class PartTraining(BalancedTraining):
    """Balanced training of a network with part layers: the first `warm_up` epochs have neither mask nor filter loss.

    mirrored: half of the images drawn are mirrored; of a frozen trunk its maps are, as if the images had been.
    """

    warm_up: int = 0
    mirrored: bool = False

    def part_epoch(self, epoch: int) -> int:
        """The epoch of the part layers, which count from 1 after the warm-up; 0 during it."""
        return max(0, epoch - self.warm_up)

    @property
    def last_part_epoch(self) -> int:
        """The epoch of the part layers of a trained network: at least 1, so that masks are on."""
        return max(1, self.epochs - self.warm_up)


def train(network: PartNetwork, task: TrainingTask, task_loss: TaskLoss, training: PartTraining) -> None:
    """Train in place, with torch's global random numbers; reports progress to the task.

    In a task of one category all other images are negatives. In a task of several, images of none are left out.
    """
    labels = task.category_of(task.labels)
    several = len(task.explained_categories) > 1
    rows = torch.nonzero(labels >= 0).flatten() if several else torch.arange(len(labels))
    source = inputs(network, task)

    def loss(positions: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        drawn = rows[positions]
        known = labels[drawn].to(task.device)
        values = source(drawn)
        if training.mirrored:
            flipped = (torch.rand(len(drawn)) < 0.5).to(values.device)
            values = torch.where(flipped[:, None, None, None], values.flip(-1), values)
        return classification_loss(network(values, known).logits, known, task_loss)

    def before_epoch(epoch: int) -> None:
        for layer in network.part_layers:
            layer.start(training.part_epoch(epoch))

    def after_epoch(epoch: int) -> None:
        task.progress(f"training on {task.name}", epoch, training.epochs)

    network.train()
    training.minimise(loss, parameter_groups(network, training), labels[rows], before_epoch, after_epoch)
    finish(network, training)


@torch.no_grad()
def training_state(network: PartNetwork, task: TrainingTask, most: int = 1000) -> tuple[float, float]:
    """Mean recall of the sides (one logit, cut at 0) or categories, and the share of dead filters, on training images.

    At most `most` evenly spaced images are looked at.
    """
    labels = task.category_of(task.labels)
    several = len(task.explained_categories) > 1
    rows = torch.nonzero(labels >= 0).flatten() if several else torch.arange(len(labels))
    rows = rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).long()]
    source, right, alive = inputs(network, task), [], []
    for some in rows.split(64):
        maps, logits = network(source(some))
        predicted = logits.argmax(1) if several else torch.where(logits[:, 0] > 0, 0, -1)
        right.append(predicted.cpu() == labels[some])
        alive.append((maps.amax((2, 3)) > 0).any(0).cpu())
    hits = torch.cat(right).float()
    recalls = [float(hits[labels[rows] == label].mean()) for label in labels[rows].unique()]
    return sum(recalls) / len(recalls), 1 - float(torch.stack(alive).any(0).float().mean())


def finish(network: PartNetwork, training: PartTraining) -> None:
    """Evaluation mode, masks on."""
    for layer in network.part_layers:
        layer.epoch = training.last_part_epoch
    network.eval().requires_grad_(False)


def inputs(network: PartNetwork, task: TrainingTask) -> Callable[[Int[Tensor, "b"]], Tensor]:
    """What the network takes for training images at these rows: cached activations, or pixels if it has a trunk."""
    if len(network.trunk):
        return lambda rows: task.batch(rows.tolist()).pixels
    activations = task.activations(network.base)
    return lambda rows: activations[rows].to(task.device)


def classification_loss(logits: Tensor, labels: Int[Tensor, "b"], loss: TaskLoss) -> Tensor:
    """Mean over images of softmax cross-entropy, or of the logistic losses of all outputs summed (paper, section 5).

    logits (b, o), labels 0 ... o - 1 or -1. One output is always logistic.
    """
    outputs = logits.shape[1]
    if loss == "softmax" and outputs > 1:
        return F.cross_entropy(logits, labels)
    wanted = (labels[:, None] == torch.arange(outputs, device=labels.device)).to(logits)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1).mean()


def parameter_groups(network: PartNetwork, training: PartTraining) -> list[dict[str, Any]]:
    """The parameters of the network, those of its trunk, if it has one, at a tenth of the rate."""
    trunk = list(network.trunk.parameters())
    known = {id(parameter) for parameter in trunk}
    groups: list[dict[str, Any]] = [{"params": [p for p in network.parameters() if id(p) not in known]}]
    if trunk:
        groups.append({"params": trunk, "lr": TRUNK_RATE * training.learning_rate})
    return groups
