"""Oracles: explanations that are true, mixed with noise in known shares, or inverted.

A dose d in [0, 1] mixes truth and noise as (1 - d) truth + d noise. The inverted explanation says the opposite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from partbench.results.planted import INVERTED
from partbench.running.planted.truth import Truth
from partbench.types import Explanation

DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)
LEVELS = (*(f"{dose:g}" for dose in DOSES), INVERTED)
SMOOTHNESS = 3 / 32  # standard deviation of the blur of random maps, of their width: 1.5 of 16 cells, as in the floor


@dataclass(frozen=True)
class Oracle:
    """A true explanation, the metrics that read what it says, and the function that makes it.

    The function takes the truth, rows of test images, a level and a seed. A level is one of `LEVELS`: a share of noise
    as text, or "inverted".
    """

    name: str
    metrics: tuple[str, ...]
    explanation: Callable[[Truth, Sequence[int], str, int], Explanation]


def parts(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Explanation:
    """A concept for each part: its map lies on the part, its contribution is the part's true effect."""
    return Explanation(_part_maps(truth, rows, level, seed), contributions=_effects(truth, rows, level, seed))


def distinct(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Explanation:
    """A concept for each part, with noise that is the same for all concepts of an image.

    Metrics of orthogonality ask whether concepts differ. Noise of each concept's own would leave them different.
    """
    return Explanation(_part_maps(truth, rows, level, seed, shared=True))


def shares(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Explanation:
    """A concept for each part: its contribution is the logit's share that is due to the part's true effect.

    The falls of the logit are the true ones at every level.
    """
    at = truth.of_category(rows)
    effects = truth.effects[at]
    total = effects.sum(1, keepdim=True)
    own = truth.logits[list(rows)][:, None] * effects / torch.where(total == 0, 1.0, total)
    drops = torch.zeros(len(rows), len(truth.task.dataset.part_names))
    drops[:, list(truth.parts)] = effects
    mixed = _mixed_numbers(truth, rows, own, float(truth.effects.std()), (level, seed, "shares"))
    return Explanation(contributions=mixed, parts=torch.tensor(truth.parts), part_drops=drops)


def logits(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Explanation:
    """The performer's explained logit; noise has its mean and deviation, the inverted is mirrored at the mean."""
    mean, deviation = truth.logits.mean(), float(truth.logits.std())
    own = (truth.logits[list(rows)] - mean)[:, None]
    return Explanation(logits=mean + _mixed_numbers(truth, rows, own, deviation, (level, seed, "logits"))[:, 0])


def labels(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Explanation:
    """A large logit for images of the category, a small one for others; noise is as large."""
    size = 2 * float(truth.logits.abs().max())
    own = torch.where(truth.positive[list(rows)], size, -size)[:, None]
    return Explanation(logits=_mixed_numbers(truth, rows, own, size, (level, seed, "labels"))[:, 0])


ORACLES = (
    Oracle("parts", ("location_instability", "part_following", "locality", "part_interpretability", "masked_accuracy",
                     "part_effect_agreement", "contribution_entropy"), parts),
    Oracle("distinct_parts", ("orthogonality_frobenius", "orthogonality_logdet"), distinct),
    Oracle("part_shares", ("contribution_error",), shares),
    Oracle("logits", ("faithfulness_classification", "faithfulness_regression", "relative_deviation"), logits),
    Oracle("labels", ("accuracy", "balanced_accuracy", "average_precision", "classification_error"), labels),
)  # fmt: skip


def random_map(side: int, maps: int, random: torch.Generator) -> Float[Tensor, "k H W"]:
    """Random square maps as those of the floor `random_maps`: exp of a smooth Gaussian field; largest value 1."""
    position = torch.arange(side, dtype=torch.float32)
    kernel = (-0.5 * ((position[:, None] - position[None, :]) / (SMOOTHNESS * side)) ** 2).exp()
    blur = kernel / kernel.square().sum(1, keepdim=True).sqrt()
    field = (blur @ torch.randn(maps, side, side, generator=random) @ blur.T).exp()
    return field / field.amax((1, 2), keepdim=True)


def generator(image: str, seed: int, what: str) -> torch.Generator:
    """A generator of its own for each image: noise does not depend on the batch."""
    digest = hashlib.sha256(f"{seed}|{what}|{image}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _part_maps(
    truth: Truth, rows: Sequence[int], level: str, seed: int, shared: bool = False
) -> Float[Tensor, "n q H W"]:
    own = truth.maps[truth.of_category(rows)]
    if level == INVERTED:
        return torch.where(own.flatten(2).any(2)[:, :, None, None], 1 - own, 0.0)
    count, side = 1 if shared else own.shape[1], own.shape[-1]
    noise = torch.stack([random_map(side, count, generator(truth.ids[row], seed, "maps")) for row in rows])
    return (1 - float(level)) * own + float(level) * noise


def _effects(truth: Truth, rows: Sequence[int], level: str, seed: int) -> Float[Tensor, "n q"]:
    own = truth.effects[truth.of_category(rows)]
    return _mixed_numbers(truth, rows, own, float(truth.effects.std()), (level, seed, "effects"))


def _mixed_numbers(
    truth: Truth, rows: Sequence[int], own: Float[Tensor, "n q"], deviation: float, mixing: tuple[str, int, str]
) -> Float[Tensor, "n q"]:
    """True numbers mixed with Gaussian noise of a deviation; mixing is level, seed and what the numbers are."""
    level, seed, what = mixing
    if level == INVERTED:
        return -own
    noise = torch.stack([torch.randn(own.shape[1], generator=generator(truth.ids[row], seed, what)) for row in rows])
    return (1 - float(level)) * own + float(level) * deviation * noise
