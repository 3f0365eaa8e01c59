"""Training of an ExplainerNetwork: objectives, images and optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from partbench import NotApplicable, TrainingTask
from partbench_plugins.autoencoder.network import ExplainerNetwork, Reconstruction
from partbench_plugins.autoencoder.norm import magnitude
from partbench_plugins.interp_cnn.training import TRUNK_RATE, PartTraining
from partbench_plugins.part_assignment import sample

Objective = Callable[[Reconstruction, Int[Tensor, "b"]], Float[Tensor, ""]]  # takes rows of the training split
SHARE_RATE = 50  # w_p learns at so many times the rate: a step of Adam is about as long as the rate, whatever eta


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


def train(
    network: ExplainerNetwork,
    task: TrainingTask,
    labels: Int[Tensor, "N"],
    objective: Objective,
    training: PartTraining,
) -> None:
    """Minimise the objective, and the filter losses, in place, with torch's global random numbers.

    Images are drawn so that each label comes equally often; in a task of several categories, those of none are left
    out. Layers copied from the performer learn at a tenth of the rate. Progress goes to the task.
    """
    z = task.activations("target")
    rows = torch.nonzero(labels >= 0).flatten() if len(task.targets) > 1 else torch.arange(len(labels))

    def loss(positions: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        drawn = rows[positions]
        return objective(network(z[drawn].to(task.device), labels[drawn].to(task.device)), drawn)

    def before_epoch(epoch: int) -> None:
        network.start(training.part_epoch(epoch))

    def after_epoch(epoch: int) -> None:
        task.progress(f"training on {task.name}", epoch, training.epochs)

    network.train()
    training.minimise(loss, parameter_groups(network, training.learning_rate), labels[rows], before_epoch, after_epoch)
    finish(network, training)


def finish(network: ExplainerNetwork, training: PartTraining) -> None:
    """Evaluation mode, masks on."""
    network.start(training.last_part_epoch)
    network.eval().requires_grad_(False)


def with_share(objective: Objective, network: ExplainerNetwork, eta: float) -> Objective:
    """objective - eta log p, p the share of the interpretable track."""
    return lambda rebuilt, rows: objective(rebuilt, rows) - eta * F.logsigmoid(network.w_p)


def reconstruction_loss(task: TrainingTask) -> Objective:
    """Mean over images of sum_l ||x_l - x*_l||^2 / E||x*_l||, x*_l the performer's features fc1 and fc2.

    Source: explainer auto-encoder, eq. 1 and "Experimental details", over its factor 5e4: lambda_l = 1 / E||x*_l||. E
    is over training images.
    """
    targets = [task.activations(layer) for layer in ("fc1", "fc2")]
    weights = [1 / float(target[sample(len(target))].norm(dim=1).mean().clamp(min=1e-12)) for target in targets]

    def loss(rebuilt: Reconstruction, rows: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        pairs = zip((rebuilt.fc1, rebuilt.fc2), targets, weights, strict=True)
        return sum(
            (weight * (found - target[rows].to(found)).square().sum(1).mean() for found, target, weight in pairs),
            start=rebuilt.fc1.new_zeros(()),
        )

    return loss


@torch.no_grad()
def rescale(network: ExplainerNetwork, task: TrainingTask, labels: Int[Tensor, "N"]) -> None:
    """Give each channel of both norms the magnitude that it has in the performer's own pooled top convolution.

    It is E[sum_ij x] (or the mean over cells), over images with a label; at least 0.01 of the mean of all channels.
    conv-interp-1 must still be as copied.
    """
    z, rows = task.activations("target"), torch.nonzero(labels >= 0).flatten()
    rows = rows[sample(len(rows))]
    total = torch.zeros_like(network.interp_norm.scale)
    for some in rows.split(128):
        maps = network.pool(network.interp_1(z[some].to(task.device)))
        total += magnitude(maps, network.interp_norm.reduce).sum(0)
    if total.any():
        for norm in (network.interp_norm, network.ordinary_norm):
            norm.scale.copy_(total.clamp(min=norm.least * float(total.mean())) / len(rows))


@torch.no_grad()
def reconstruction_errors(network: ExplainerNetwork, task: TrainingTask) -> dict[str, float]:
    """E||x_l - x*_l||^2 / E||x*_l - E x*_l||^2 for the layers fc1 and fc2: 0 is perfect, 1 as good as the mean.

    Over training images, 1000 at most.
    """
    rows = sample(len(task.labels))
    z, found = task.activations("target"), []
    for some in rows.split(128):
        rebuilt = network(z[some].to(task.device))
        found.append((rebuilt.fc1.cpu(), rebuilt.fc2.cpu()))
    errors = {}
    for layer, parts in zip(("fc1", "fc2"), zip(*found, strict=True), strict=True):
        target = task.activations(layer)[rows]
        spread = (target - target.mean(0)).square().sum(1).mean()
        errors[layer] = float((torch.cat(parts) - target).square().sum(1).mean() / spread)
    return errors


def parameter_groups(network: ExplainerNetwork, rate: float) -> list[dict[str, Any]]:
    """The parameters of the network: new ones, copied ones at a tenth of the rate, w_p at SHARE_RATE times the rate."""
    apart = {id(parameter) for parameter in (network.w_p, *network.fine_tuned)}
    return [
        {"params": [parameter for parameter in network.parameters() if id(parameter) not in apart], "lr": rate},
        {"params": network.fine_tuned, "lr": TRUNK_RATE * rate},
        {"params": [network.w_p], "lr": SHARE_RATE * rate},
    ]
