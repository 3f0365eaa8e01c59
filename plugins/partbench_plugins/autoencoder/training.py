"""Training of an ExplainerNetwork: objectives, images and optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from partbench import NotApplicable, TrainingTask
from partbench_plugins.autoencoder.network import ExplainerNetwork, Reconstruction
from partbench_plugins.autoencoder.norm import magnitude
from partbench_plugins.part_assignment import sample
from partbench_plugins.settling import SettlingTraining, TrainingRecord, Watch, held_out_tenth

# An objective takes rows of the training split, of N images; N + i is the row of the mirror image of image i.
Objective = Callable[[Reconstruction, Int[Tensor, "b"]], Float[Tensor, ""]]
BATCH = 128
TOP_RATE = 0.1  # of conv-interp-1, a copy of the performer's top convolution, relative to the learning rate
DECODER_RATE = 0.03  # of the decoder's weights: units of thousands of inputs die at the rate that convolutions need
SHARE_RATE = 20  # w_p learns at so many times the rate: a step of Adam is about as long as the rate, whatever eta


def known_labels(task: TrainingTask, source: Literal["predicted", "truth"]) -> Int[Tensor, "N"]:
    """The category of every training image for the filter loss: index among those explained, -1 for none.

    "predicted": that of the performer's largest logit (of one above 0, where it has a single logit, or explains an
    attribute). Raises NotApplicable where no image is of an explained category.
    """
    if source == "truth":
        labels = task.category_of(task.labels)
    else:
        logits, places = task.rivals(task.activations("logits"))
        largest = logits.argmax(1) if logits.shape[1] > 1 else torch.where(logits[:, 0] > 0, 0, -1)
        match = largest[:, None] == torch.tensor(places)
        labels = torch.where(match.any(1), match.int().argmax(1), -1)
    if not (labels >= 0).any():
        hint = "; labels=truth needs none" if source == "predicted" else ""
        wanted = ", ".join(task.explained_categories)
        raise NotApplicable(f"{task.performer.name} takes no training image for {wanted}{hint}")
    return labels


@dataclass(frozen=True)
class ExplainerTraining(SettlingTraining):
    """Training until the loss on held-out images and the share p settle.

    The first `warm_up` epochs have neither masks nor filter loss. mirrored: half of the images drawn are mirrored.
    """

    warm_up: int = 0
    mirrored: bool = True


def train(
    network: ExplainerNetwork, task: TrainingTask, labels: Int[Tensor, "N"], objective: Objective,
    training: ExplainerTraining,
) -> TrainingRecord:  # fmt: skip
    """Minimise the objective, and the filter losses, in place, with torch's global random numbers.

    Images are drawn so that each label comes equally often; in a task of several categories, those of none are left
    out. A tenth of them is held out: the objective there is watched. Progress goes to the task.
    """
    z, count = task.activations("target"), len(labels)
    rows, held = watched_rows(task, labels)

    def loss(positions: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        drawn = rows[positions]
        values, mirrored = z[drawn].to(task.device), torch.zeros(len(drawn), dtype=torch.bool)
        if training.mirrored:
            mirrored = torch.rand(len(drawn)) < 0.5
            values = torch.where(mirrored.to(task.device)[:, None, None, None], values.flip(-1), values)
        return objective(network(values, labels[drawn].to(task.device)), drawn + count * mirrored)

    def before_epoch(epoch: int) -> None:
        network.start(max(0, epoch - training.warm_up))
        task.progress(f"training on {task.name}", epoch - 1, training.epochs)

    def values() -> dict[str, float]:
        return {
            "held_out_loss": held_out_loss(network, z, objective, held),
            "interpretable_share": float(network.share.detach()),
        }

    network.train()
    groups = parameter_groups(network, training.learning_rate)
    record = training.until_settled(loss, groups, labels[rows], Watch(values, ["held_out_loss"]), before_epoch)
    task.progress(f"training on {task.name}", training.epochs, training.epochs)
    finish(network)
    return record


def watched_rows(task: TrainingTask, labels: Int[Tensor, "N"]) -> tuple[Int[Tensor, "t"], Int[Tensor, "h"]]:
    """Rows of the training split to train on and to watch, drawn by the task's seed."""
    rows = torch.nonzero(labels >= 0).flatten() if len(task.targets) > 1 else torch.arange(len(labels))
    trained, held = held_out_tenth(labels[rows], task.seed)
    return rows[trained], rows[held]


@torch.no_grad()
def held_out_loss(network: ExplainerNetwork, z: Tensor, objective: Objective, rows: Int[Tensor, "h"]) -> float:
    """The mean objective of these images, in evaluation mode; the network is left in training mode."""
    network.eval()
    device, total = network.w_p.device, 0.0
    for some in rows.split(BATCH):
        total += len(some) * float(objective(network(z[some].to(device)), some))
    network.train()
    return total / len(rows)


def finish(network: ExplainerNetwork) -> None:
    """Evaluation mode, masks on."""
    network.start(1)
    network.eval().requires_grad_(False)


def with_share(objective: Objective, network: ExplainerNetwork, eta: float) -> Objective:
    """objective - eta log p, p the share of the interpretable track."""
    return lambda rebuilt, rows: objective(rebuilt, rows) - eta * F.logsigmoid(network.w_p)


def reconstruction_loss(task: TrainingTask, mirrored: bool = False) -> Objective:
    """Mean over images of sum_l ||x_l - x*_l||^2 / E||x*_l||, x*_l the performer's features fc1 and fc2.

    Source: explainer auto-encoder, eq. 1 and "Experimental details", over its factor 5e4: lambda_l = 1 / E||x*_l||. E
    is over training images. mirrored: the objective takes rows of mirrored images too.
    """
    targets = [task.activations(layer) for layer in ("fc1", "fc2")]
    weights = [1 / float(target[sample(len(target))].norm(dim=1).mean().clamp(min=1e-12)) for target in targets]
    if mirrored:
        targets = [torch.cat(both) for both in zip(targets, mirrored_features(task), strict=True)]

    def loss(rebuilt: Reconstruction, rows: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        pairs = zip((rebuilt.fc1, rebuilt.fc2), targets, weights, strict=True)
        return sum(
            (weight * (found - target[rows].to(found)).square().sum(1).mean() for found, target, weight in pairs),
            start=rebuilt.fc1.new_zeros(()),
        )

    return loss


@torch.no_grad()
def mirrored_features(task: TrainingTask) -> tuple[Float[Tensor, "N d"], Float[Tensor, "N e"]]:
    """What the performer's own layers fc1 and fc2 make of the mirrored maps of its target layer, on the CPU."""
    first, second = task.performer.segment("target", "fc1"), task.performer.segment("fc1", "fc2")
    found = []
    for z in task.activations("target").split(BATCH):
        features = first(z.to(task.device).flip(-1))
        found.append((features.cpu(), second(features).cpu()))
    fc1, fc2 = zip(*found, strict=True)
    return torch.cat(fc1), torch.cat(fc2)


@torch.no_grad()
def rescale(network: ExplainerNetwork, task: TrainingTask, labels: Int[Tensor, "N"]) -> None:
    """Give each channel of both norms the magnitude that it has in the performer's own pooled top convolution.

    It is E[sum_ij x] (or the mean over cells), over images with a label; at least 0.01 of the mean of all channels.
    conv-interp-1 must still be as copied.
    """
    z, rows = task.activations("target"), torch.nonzero(labels >= 0).flatten()
    rows = rows[sample(len(rows))]
    total = torch.zeros_like(network.interp_norm.scale)
    for some in rows.split(BATCH):
        maps = network.pool(network.interp_1(z[some].to(task.device)))
        total += magnitude(maps, network.interp_norm.reduce).sum(0)
    if total.any():
        for norm in (network.interp_norm, network.ordinary_norm):
            norm.scale.copy_(total.clamp(min=norm.least * float(total.mean())) / len(rows))


@torch.no_grad()
def reconstruction_errors(network: ExplainerNetwork, task: TrainingTask, rows: Int[Tensor, "s"]) -> dict[str, float]:
    """E||x_l - x*_l||^2 / E||x*_l - E x*_l||^2 for the layers fc1 and fc2: 0 is perfect, 1 as good as the mean.

    E is over these rows of the training split, at most 1000 of them.
    """
    rows = rows[sample(len(rows))]
    z, found = task.activations("target"), []
    for some in rows.split(BATCH):
        rebuilt = network(z[some].to(task.device))
        found.append((rebuilt.fc1.cpu(), rebuilt.fc2.cpu()))
    errors = {}
    for layer, parts in zip(("fc1", "fc2"), zip(*found, strict=True), strict=True):
        target = task.activations(layer)[rows]
        spread = (target - target.mean(0)).square().sum(1).mean()
        errors[layer] = float((torch.cat(parts) - target).square().sum(1).mean() / spread)
    return errors


def parameter_groups(network: ExplainerNetwork, rate: float) -> list[dict[str, Any]]:
    """The parameters of the network, at the rate, but for those of TOP_RATE, DECODER_RATE and SHARE_RATE."""
    top, decoder = list(network.interp_1.parameters()), network.decoder_weights
    apart = {id(parameter) for parameter in (network.w_p, *top, *decoder)}
    return [
        {"params": [parameter for parameter in network.parameters() if id(parameter) not in apart], "lr": rate},
        {"params": top, "lr": TOP_RATE * rate},
        {"params": decoder, "lr": DECODER_RATE * rate},
        {"params": [network.w_p], "lr": SHARE_RATE * rate},
    ]
