"""Training of the x-layer networks on activations held in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from partbench_plugins.srae.losses import faithfulness
from partbench_plugins.srae.network import Embedded, XLayerNetwork


@dataclass(frozen=True)
class Examples:
    """Inputs Z of the network, the logits to predict, a weight (mean 1) and whether the image shows the category."""

    z: Float[Tensor, "N d"]
    logits: Float[Tensor, "N"]
    weight: Float[Tensor, "N"]
    positive: Bool[Tensor, "N"]

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: Tensor) -> Examples:
        return Examples(self.z[rows], self.logits[rows], self.weight[rows], self.positive[rows])


@dataclass(frozen=True)
class StepDecay:
    """Adam with L2 `weight_decay` on all parameters; the rate falls to a tenth every `decay_every` epochs (0: never).

    An epoch goes through all examples in an order drawn from torch's global generator, in batches of nearly equal size;
    unless they are `even`, only the last one is smaller than `batch_size`. With `nonnegative` the predictor's weights
    are kept >= 0 (projected after each step).
    """

    epochs: int
    learning_rate: float
    batch_size: int
    weight_decay: float = 0.0
    decay_every: int = 0
    nonnegative: bool = False
    even: bool = True

    def rate(self, epoch: int) -> float:
        """The learning rate in an epoch, counted from 0."""
        return self.learning_rate * 0.1 ** (epoch // self.decay_every if self.decay_every else 0)

    def batches(self, count: int) -> Sequence[Tensor]:
        """Positions of `count` examples, in the batches of one epoch."""
        order = torch.randperm(count)
        return order.tensor_split(math.ceil(count / self.batch_size)) if self.even else order.split(self.batch_size)


XLayerLoss = Callable[
    [Embedded, Examples, float], Tensor
]  # what came out, of which batch, at which fraction of the training


def train(network: XLayerNetwork, examples: Examples, loss: XLayerLoss, schedule: StepDecay) -> None:
    """Minimise `loss` over mini-batches."""

    def of_batch(rows: Tensor, progress: float) -> Tensor:
        batch = examples[rows.to(examples.z.device)]
        return loss(network(batch.z), batch, progress)

    def project() -> None:
        if schedule.nonnegative:
            network.predictor.weight.data.clamp_(min=0)

    network.train()
    _descend(network, len(examples), of_batch, schedule, project)
    network.eval()


def train_predictor(network: XLayerNetwork, examples: Examples, schedule: StepDecay) -> None:
    """Minimise the error of the logit over the predictor alone."""
    with torch.no_grad():
        features = network.eval().encoder(examples.z)

    def of_batch(rows: Tensor, progress: float) -> Tensor:
        chosen = rows.to(features.device)
        batch = examples[chosen]
        return faithfulness(network.predictor(features[chosen]).squeeze(1), batch.logits, batch.weight)

    _descend(network.predictor, len(examples), of_batch, schedule)


def _descend(
    model: nn.Module, count: int, loss: Callable[[Tensor, float], Tensor], schedule: StepDecay,
    after_step: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Change the parameters of a model; `loss` takes positions among `count` examples and the fraction trained."""
    parameters = model.parameters()
    optimiser = torch.optim.Adam(parameters, schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True)
    for epoch in range(schedule.epochs):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(epoch)
        batches = schedule.batches(count)
        for step, rows in enumerate(batches):
            optimiser.zero_grad()
            loss(rows, (epoch + step / len(batches)) / schedule.epochs).backward()
            optimiser.step()
            after_step()


def unfaithfulness(out: Embedded, batch: Examples, progress: float = 1.0) -> Tensor:
    """The weighted squared error of the predicted logit: all that `nn` minimises."""
    return faithfulness(out.predicted, batch.logits, batch.weight)


def reconstruction_error(out: Embedded, batch: Examples, progress: float = 1.0) -> Tensor:
    """Mean squared error over all dimensions of Z: all that `cae` minimises."""
    assert out.reconstruction is not None
    return (out.reconstruction - batch.z).square().mean()


def pretrain(network: XLayerNetwork, examples: Examples, schedule: StepDecay) -> None:
    """Start each layer from an autoencoder of that layer alone, bottom up.

    Source: the authors' training code (Adam 1e-3, batches of 50, 10 epochs a layer).
    """
    below = examples
    for encoding, decoding in zip(network.encoding, reversed(network.decoding), strict=True):
        single = XLayerNetwork([encoding.in_features, encoding.out_features]).to(below.z.device)
        train(single, below, reconstruction_error, schedule)
        encoding.load_state_dict(single.encoding[0].state_dict())
        decoding.load_state_dict(single.decoding[0].state_dict())
        with torch.no_grad():
            below = Examples(single.encoder(below.z), below.logits, below.weight, below.positive)


@torch.no_grad()
def regress(network: XLayerNetwork, examples: Examples, ridge: float = 1e-6) -> None:
    """Set the predictor to the weighted ridge regression of the logits on the x-features.

    `ridge` is relative to the mean variance of the x-features; the bias is not penalised.
    """
    network.eval()
    weight = (examples.weight / examples.weight.sum()).double()
    features, logits = network.encoder(examples.z).double(), examples.logits.double()
    mean, level = weight @ features, weight @ logits
    centred = features - mean
    covariance = centred.T @ (weight[:, None] * centred)
    penalty = (ridge * covariance.diagonal().mean()).clamp(min=1e-12) * torch.eye(len(mean)).to(covariance)
    v = torch.linalg.solve(covariance + penalty, centred.T @ (weight * (logits - level)))
    network.predictor.weight.copy_(v[None])
    network.predictor.bias.copy_((level - v @ mean)[None])
