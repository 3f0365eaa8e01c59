"""Epochs of a training, each from random numbers of its own, so that it goes on from a checkpoint to the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench.errors import InputError, unknown
from partbench.functional.statistics import balanced_mean
from partbench.performer import Performer
from partbench.running.training.checkpoint import Checkpoint, State, copied, optimiser_state, restore_optimiser
from partbench.running.training.images import Pixels, balanced_rows, seed_of, varied
from partbench.running.training.recipe import Recipe

EVALUATED = 64  # images at once
Progress = Callable[[str, int, int], None]


@dataclass
class Learned:
    """Images to learn from: pixels of a split, their labels, the rows to train on and those held out."""

    pixels: Pixels
    labels: Int[Tensor, "N"]
    rows: Int[Tensor, "t"]
    held: Int[Tensor, "h"]


@dataclass
class Training:
    """A network in training. `frozen` names stages that keep their weights and rest in evaluation mode.

    `precision` is the type that matrix products and convolutions are computed in, None for float32.
    """

    performer: Performer
    recipe: Recipe
    images: Learned
    frozen: frozenset[str] = frozenset()
    precision: torch.dtype | None = None
    seed: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stages: Mapping[str, nn.Module] = self.performer.stages
        for name, stage in self.stages.items():
            stage.requires_grad_(name not in self.frozen)
        self.network = nn.Sequential(*self.stages.values())
        learning = [weight for weight in self.network.parameters() if weight.requires_grad]
        if not learning:
            raise InputError("all layers with weights are frozen; leave one out of --frozen")
        self.optimiser = self.recipe.optimiser(learning)
        self.scaler = torch.amp.GradScaler(self.performer.device.type, enabled=self.precision == torch.float16)
        self.best: State = {}

    def weights(self) -> State:
        """The weights and buffers of all stages, as `stage.name`."""
        return copied(self.performer.weights())

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Give the stages weights."""
        for stage, module in self.stages.items():
            module.load_state_dict({name: weights[f"{stage}.{name}"] for name in module.state_dict()})

    def checkpoint(self) -> Checkpoint:
        """Where the training is."""
        state = optimiser_state(self.optimiser)
        if self.scaler.is_enabled():
            state |= {f"scaler/{name}": torch.tensor(float(value)) for name, value in self.scaler.state_dict().items()}
        return Checkpoint(self.weights(), self.best, state, self.curve)

    def go_on_from(self, found: Checkpoint) -> None:
        """Be where the training of a checkpoint was."""
        scaler = {name: value for name, value in found.optimiser.items() if name.startswith("scaler/")}
        restore_optimiser(self.optimiser, {n: v for n, v in found.optimiser.items() if n not in scaler})
        if scaler:
            known = self.scaler.state_dict()
            self.scaler.load_state_dict({n: type(v)(scaler[f"scaler/{n}"].item()) for n, v in known.items()})
        self.load(found.weights)
        self.best, self.curve = found.best, found.curve

    def epochs(self, progress: Progress) -> Iterator[dict[str, Any]]:
        """Train the epochs that are left; the row of the curve of each.

        Raises InputError where the loss is no longer finite.
        """
        for number in range(len(self.curve), self.recipe.epochs):
            loss = self._epoch(number, progress)
            if not math.isfinite(loss):
                rate = f"--lr (now {self.recipe.lr:g})"
                raise InputError(f"the loss is not finite in epoch {number + 1} of {self.recipe.epochs}; lower {rate}")
            logits = self.logits(self.images.pixels, self.images.held)
            labels = self.images.labels[self.images.held]
            right = predicted(logits) == labels
            row = {
                "epoch": number + 1, "loss": loss, "held_out_loss": balanced_loss(self.recipe, logits, labels),
                "held_out_accuracy": float(right.float().mean()), "held_out_balanced_accuracy": balanced(right, labels),
            }  # fmt: skip
            if not self.best or rank(row) > max(map(rank, self.curve)):
                self.best = self.weights()
            self.curve.append(row)
            yield row

    @torch.no_grad()
    def logits(self, pixels: Pixels, rows: Int[Tensor, "n"], progress: Progress | None = None) -> Float[Tensor, "n c"]:
        """The logits of images in evaluation mode and in float32, on the CPU."""
        self.network.eval()
        found, device = [], self.performer.device
        for some in rows.split(EVALUATED):
            found.append(self.network(pixels(some).to(device)).cpu())
            if progress is not None:
                progress("test images", sum(map(len, found)), len(rows))
        return torch.cat(found)

    def _epoch(self, number: int, progress: Progress) -> float:
        """The mean loss of an epoch: as many images as there are, in whole batches, all classes equally often."""
        seed, device = seed_of(self.seed, number), self.performer.device
        drawn = torch.Generator().manual_seed(seed)
        size, labels = self.recipe.batch_size, self.images.labels[self.images.rows]
        steps = -(-len(labels) // size)
        rows = self.images.rows[balanced_rows(labels, steps * size, drawn)]
        for name, stage in self.stages.items():
            stage.train(name not in self.frozen)
        total = torch.zeros((), device=device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)  # of dropout
            for step, some in enumerate(rows.split(size)):
                pixels = varied(self.images.pixels(some), self.recipe.schedule != "published", drawn)
                total += self._step(pixels.to(device), self.images.labels[some].to(device), number, step, steps)
                progress(f"epoch {number + 1} of {self.recipe.epochs}", step + 1, steps)
        return float(total) / steps

    def _step(self, pixels: Tensor, labels: Tensor, epoch: int, step: int, steps: int) -> Tensor:
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(epoch, step, steps)
        with self._autocast():
            logits = self.network(pixels)
        loss = self.recipe.loss(logits.float(), labels)
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.performer.device.type, self.precision)


def predicted(logits: Float[Tensor, "n c"]) -> Int[Tensor, "n"]:
    """The class with the largest logit; of a lone logit, whether it is above 0."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)


def balanced(right: Tensor, labels: Int[Tensor, "n"]) -> float:
    """The mean over classes of the fraction that is right."""
    return balanced_mean(right.double().numpy(), labels.numpy())[0]


def balanced_loss(recipe: Recipe, logits: Float[Tensor, "n c"], labels: Int[Tensor, "n"]) -> float:
    """The mean over classes of the loss."""
    classes = [labels == label for label in labels.unique()]
    return float(torch.stack([recipe.loss(logits[rows], labels[rows]) for rows in classes]).mean())


def rank(row: Mapping[str, Any]) -> tuple[float, float]:
    """What the best epoch has most of: balanced accuracy on held-out images, then a small loss on them."""
    return row["held_out_balanced_accuracy"], -row["held_out_loss"]


def frozen_stages(performer: Performer, names: Sequence[str]) -> frozenset[str]:
    """The stages that names of layers stand for: a stage, a role, or the beginning of the names of several.

    Raises InputError for a name that stands for none.
    """
    found: set[str] = set()
    for name in names:
        layer = performer.roles.get(name, name)
        meant = {stage for stage in performer.stages if stage == layer or stage.startswith(f"{layer}.")}
        if not meant:
            raise unknown("layer to freeze", name, [*performer.stages, *performer.roles])
        found |= meant
    return frozenset(found)
