"""Training of a PartNetwork on the images and labels of a task."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from partbench import Task
from partbench_plugins.interp_cnn.architecture import PartNetwork

TaskLoss = Literal["logistic", "softmax"]
TRUNK_RATE = 0.1  # of the learning rate, for what was trained on more images than these


@dataclass(frozen=True)
class Schedule:
    """Adam, a cosine, images drawn so that each side, or each category, comes equally often.

    The first `warm_up` of `epochs` have neither mask nor filter loss.
    """

    epochs: int
    warm_up: int
    learning_rate: float
    batch_size: int


def train(network: PartNetwork, task: Task, loss: TaskLoss, schedule: Schedule) -> None:
    """Train in place, with torch's global random numbers; reports progress to the task.

    In a task of one category all other images are negatives. In a task of several, images of none are left out.
    """
    labels = task.category_of(task.labels())
    several = len(task.explained_categories) > 1
    rows = torch.nonzero(labels >= 0).flatten() if several else torch.arange(len(labels))
    odds = balanced(labels[rows])
    drawn = round(float(odds.sum() / odds.max()))  # an epoch shows the images of the rarest label about once
    steps = math.ceil(drawn / schedule.batch_size)
    optimiser, cosine = _optimiser(network, schedule, schedule.epochs * steps)
    source = inputs(network, task)
    network.train()
    for epoch in range(schedule.epochs):
        for layer in network.part_layers:
            layer.start(max(0, epoch + 1 - schedule.warm_up))
        for some in rows[torch.multinomial(odds, drawn, replacement=True)].tensor_split(steps):
            known = labels[some].to(task.device)
            optimiser.zero_grad()
            error = classification_loss(network(source(some), known).logits, known, loss)
            error.backward()
            optimiser.step()
            cosine.step()
        task.progress(f"training on {task.name}", epoch + 1, schedule.epochs)
    finish(network, schedule)


def finish(network: PartNetwork, schedule: Schedule) -> None:
    """Evaluation mode, masks on."""
    for layer in network.part_layers:
        layer.epoch = max(1, schedule.epochs - schedule.warm_up)
    network.eval().requires_grad_(False)


def inputs(network: PartNetwork, task: Task) -> Callable[[Int[Tensor, "b"]], Tensor]:
    """What the network takes for training images at these rows: cached activations, or pixels if it has a trunk."""
    if len(network.trunk):
        return lambda rows: task.batch("train", rows.tolist()).pixels
    activations = task.activations(network.base)
    return lambda rows: activations[rows].to(task.device)


def balanced(labels: Int[Tensor, "N"]) -> Tensor:
    """Odds (N,) of drawing each image under which all labels come equally often."""
    _, group, counts = labels.unique(return_inverse=True, return_counts=True)
    odds: Tensor = 1 / counts[group].double()
    return odds


def classification_loss(logits: Tensor, labels: Int[Tensor, "b"], loss: TaskLoss) -> Tensor:
    """Mean over images of softmax cross-entropy, or of the logistic losses of all outputs summed (paper, section 5).

    logits (b, o), labels 0 ... o - 1 or -1. One output is always logistic.
    """
    outputs = logits.shape[1]
    if loss == "softmax" and outputs > 1:
        return F.cross_entropy(logits, labels)
    wanted = (labels[:, None] == torch.arange(outputs, device=labels.device)).to(logits)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1).mean()


def _optimiser(
    network: PartNetwork, schedule: Schedule, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    trunk = list(network.trunk.parameters())
    known = {id(parameter) for parameter in trunk}
    groups = [{"params": [p for p in network.parameters() if id(p) not in known]}]
    if trunk:
        groups.append({"params": trunk, "lr": TRUNK_RATE * schedule.learning_rate})  # type: ignore[dict-item]
    optimiser = torch.optim.Adam(groups, schedule.learning_rate, fused=True)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
