"""How weights descend: optimiser, rates, sizes of batches and the loss, by schedule.

`published` is what the authors of interpretable CNNs release [C: network_init.m, our_cnn_train.m]: SGD with momentum
0.9 and weight decay 5e-4, rates on a logarithmic scale from 1e-4 to 1e-5, times a factor of the network, times the
number of outputs; the softmax loss is multiplied by the number of outputs, and its rates divided by 5 (by 50 above ten
outputs). Their doubled rates of biases are left out. `cosine` and `constant` are AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from partbench.running.training.request import TrainingRequest

FACTORS = {"alexnet": 30.0, "vgg_m": 30.0, "vgg_s": 10.0}  # of published rates; 1 for others
BATCHES = {"alexnet": 512, "vgg_m": 196, "vgg_s": 128}  # published; 32 for others
SINGLE, MULTI = (10, 50), (80, 80)  # epochs in which published rates fall, and all epochs
WARM_UP = 0.05  # of all steps, in which the rate of a cosine rises
EPOCHS, BATCH = 20, 32
FINE_TUNING, FROM_SCRATCH = 2e-4, 1e-3  # rates of AdamW
DECAY = {"published": 5e-4, "cosine": 0.05, "constant": 0.05}


@dataclass(frozen=True)
class Recipe:
    """A schedule with all its numbers. `single`: one logit, the log-odds of a category."""

    schedule: str
    epochs: int
    batch_size: int
    lr: float
    outputs: int
    single: bool

    @staticmethod
    def of(request: TrainingRequest, outputs: int, single: bool) -> Recipe:
        """What was asked for, and for the rest what the schedule recommends."""
        network = request.network.partition(",")[0].removeprefix("torchvision:")
        if request.schedule == "published":
            epochs, batch = (SINGLE if single else MULTI)[1], BATCHES.get(network, BATCH)
            lr = 1e-4 * FACTORS.get(network, 1.0) * outputs / (1 if single else 5 if outputs <= 10 else 50)
        else:
            scratch = request.weights == "random" or "weights=random" in request.network.split(",")
            epochs, batch, lr = EPOCHS, BATCH, FROM_SCRATCH if scratch else FINE_TUNING
        return Recipe(
            request.schedule, request.epochs or epochs, request.batch_size or batch, request.lr or lr, outputs, single
        )

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """The learning rate of a step of an epoch, both counted from 0, of `steps` steps each."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "published":
            falling = (SINGLE if self.single else MULTI)[0]
            return float(self.lr * 10 ** -(min(epoch, falling - 1) / (falling - 1)))
        done, total = epoch * steps + step + 1, self.epochs * steps
        warm = math.ceil(WARM_UP * total)
        if done <= warm:
            return self.lr * done / warm
        return self.lr * (1 + math.cos(math.pi * (done - warm) / (total - warm + 1))) / 2

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters; biases and norms do not decay."""
        weights = list(parameters)
        groups = [
            {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": DECAY[self.schedule]},
            {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if self.schedule == "published":
            return torch.optim.SGD(groups, self.lr, momentum=0.9)
        return torch.optim.AdamW(groups, self.lr)

    def loss(self, logits: Float[Tensor, "n c"], labels: Int[Tensor, "n"]) -> Float[Tensor, ""]:
        """Binary cross-entropy of a lone logit, else cross-entropy."""
        if self.single:
            return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))
        scale = self.outputs if self.schedule == "published" else 1
        return F.cross_entropy(logits, labels) * scale
