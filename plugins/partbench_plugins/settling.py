"""Training until it settles, by values watched along the way instead of a number of epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from partbench_plugins.balanced_training import BalancedTraining, Loss, Parameters, balanced_odds, unobserved

RECORD = "training."


@dataclass(frozen=True)
class Watch:
    """What tells whether training has settled: `values`, measured after every epoch, by name.

    Those named in `losses` settle when they fall no more, the others when they move neither way.
    """

    values: Callable[[], Mapping[str, float]]
    losses: Sequence[str]


@dataclass
class TrainingRecord:
    """The watched values of every epoch by name, and whether all of them had settled before the ceiling of epochs."""

    settled: bool = False
    curves: dict[str, list[float]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many epochs were used."""
        return max((len(curve) for curve in self.curves.values()), default=0)

    def tensors(self) -> dict[str, Tensor]:
        """The record as tensors, to be cached beside weights; their names begin with RECORD."""
        curves = {
            f"{RECORD}curve.{name}": torch.tensor(curve, dtype=torch.float64) for name, curve in self.curves.items()
        }
        return curves | {f"{RECORD}settled": torch.tensor(self.settled)}

    @staticmethod
    def taken_from(weights: dict[str, Tensor]) -> TrainingRecord:
        """The record among cached weights, which is removed from them."""
        found = {name.removeprefix(RECORD): weights.pop(name) for name in list(weights) if name.startswith(RECORD)}
        settled = bool(found.pop("settled"))
        return TrainingRecord(settled, {name.removeprefix("curve."): found[name].tolist() for name in sorted(found)})

    def add(self, values: Mapping[str, float]) -> None:
        """The watched values of one more epoch."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append(float(value))


@dataclass(frozen=True)
class SettlingTraining(BalancedTraining):
    """Balanced training at a constant rate until the watched values settle, then with a rate that falls to 0.

    The fall is a cosine over a quarter as many epochs as the constant rate had. `epochs` is the ceiling of both
    together. A value has settled when its mean over the last `patience` epochs differs by at most `tolerance` of its
    size from its mean over as many epochs before them (a loss: when it is lower by at most that).
    """

    patience: int = 5
    tolerance: float = 0.02

    def until_settled(
        self, loss: Loss, parameters: Parameters, labels: Int[Tensor, "N"], watch: Watch,
        before_epoch: Callable[[int], None] = unobserved,
    ) -> TrainingRecord:  # fmt: skip
        """Change the parameters in place, as `minimise` does; `before_epoch` takes the epoch, counted from 1.

        Raises FloatingPointError where a watched value is not finite: training diverged.
        """
        odds = balanced_odds(labels)
        drawn = round(float(odds.sum() / odds.max()))
        batches, optimiser, record = math.ceil(drawn / self.batch_size), self._optimiser(parameters), TrainingRecord()

        def train_epoch(schedule: torch.optim.lr_scheduler.LRScheduler | None = None) -> None:
            before_epoch(record.epochs + 1)
            for positions in torch.multinomial(odds, drawn, replacement=True).tensor_split(batches):
                optimiser.zero_grad()
                loss(positions).backward()
                optimiser.step()
                if schedule is not None:
                    schedule.step()
            record.add(finite(watch.values(), record.epochs + 1))

        constant = (4 * self.epochs + 3) // 5  # the most that leave room for the fall
        while record.epochs < constant and not record.settled:
            train_epoch()
            record.settled = all(self.settled(values, name in watch.losses) for name, values in record.curves.items())
        falling = record.epochs // 4
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, falling * batches))
        for _ in range(falling):
            train_epoch(cosine)
        return record

    def settled(self, values: Sequence[float], is_loss: bool) -> bool:
        """Whether a value settled, given that of every epoch so far."""
        if len(values) < 2 * self.patience:
            return False
        before, last = (torch.tensor(values[-2 * self.patience :]).double().view(2, -1).mean(1)).tolist()
        change = before - last if is_loss else abs(before - last)
        return bool(change <= self.tolerance * abs(before))


def finite(values: Mapping[str, float], epoch: int) -> Mapping[str, float]:
    """The values of an epoch. Raises FloatingPointError where one is not finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            text = f"training diverged: {name.replace('_', ' ')} is {value} after epoch {epoch}"
            raise FloatingPointError(f"{text}; a lower learning_rate may help")
    return values


def held_out_tenth(labels: Int[Tensor, "N"], seed: int) -> tuple[Int[Tensor, "t"], Int[Tensor, "h"]]:
    """Positions to train on, and a tenth of each label, rounded down, to watch; both ascending, drawn by the seed.

    Where no label has ten images, all images are trained on and watched.
    """
    generator = torch.Generator().manual_seed(seed)
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        own = torch.nonzero(labels == label).flatten()
        held[own[torch.randperm(len(own), generator=generator)[: len(own) // 10]]] = True
    if not held.any():
        return torch.arange(len(labels)), torch.arange(len(labels))
    return torch.nonzero(~held).flatten(), torch.nonzero(held).flatten()
