"""Whether parts rank by their contributions as they do by what the network loses when they are not in the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.stats import rankdata
from torch import Tensor

from partbench import Batch, Explanation, InputError, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import of_parts

LEAST_PARTS = 3  # two parts can only be right or wrong


def outermost(masks: Bool[Tensor, "n p H W"]) -> Bool[Tensor, "n p"]:
    """Which parts show in each image and do not lie within another part; of equal ones, the first."""
    flat = masks.flatten(2).float()
    area = flat.sum(2)
    within = (flat @ flat.transpose(1, 2)) >= area[:, :, None]  # (n, p, q): p lies within q
    first = torch.ones(masks.shape[1], masks.shape[1], dtype=torch.bool, device=masks.device).triu(1)
    same = within & within.transpose(1, 2)
    covered = (within & ~same) | (same & first.T)
    return (area > 0) & ~covered.any(2)


def heat_contributions(
    explanation: Explanation, contributions: Float[Tensor, "n k"], masks: Bool[Tensor, "n p H W"]
) -> Float[Tensor, "n p"]:
    """What concepts contribute through each part: each contribution times the share of its heatmap on the part."""
    rows, columns = explanation.upsampling(*masks.shape[2:])
    inside = rows.T @ masks.to(rows).to(explanation.maps.device) @ columns  # (n, p, h, w): on cells, not pixels
    everywhere = rows.sum(0)[:, None] * columns.sum(0)
    heat = torch.einsum("nkhw,nphw->nkp", explanation.maps, inside)
    total = (explanation.maps * everywhere).sum((2, 3))
    return torch.einsum("nk,nkp->np", contributions / total.clamp_min(1e-12), heat)


def rank_agreement(
    found: Float[np.ndarray, "n p"], truth: Float[np.ndarray, "n p"], used: Bool[np.ndarray, "n p"]
) -> Float[np.ndarray, "n"]:
    """Spearman's correlation over the parts used in each image; 0 where `found` is constant.

    NaN where fewer than three parts are used, or the truth is constant.
    """
    values = np.full(len(found), np.nan)
    for image, parts in enumerate(used):
        ranks = [rankdata(rows[image, parts]) - (parts.sum() + 1) / 2 for rows in (found, truth)]
        lengths = [np.linalg.norm(r) for r in ranks]
        if parts.sum() >= LEAST_PARTS and lengths[1] > 0:
            values[image] = ranks[0] @ ranks[1] / (lengths[0] * lengths[1]) if lengths[0] > 0 else 0.0
    return values


@dataclass
class PartEffectAgreement:
    """Rank correlation per image of the parts' contributions with the true fall of the logit; 1 is best.

    The truth: each test image is rendered anew without the part, and the network whose logit is explained sees it. Its
    fall (original minus image without the part) is what the part is worth to it there, and no explainer has a hand in
    it. The contribution of a part is the sum over concepts of contribution times the share of the concept's heatmap on
    the part; Spearman's correlation over the parts that show and lie within no other, in [-1, 1]. Ours: none of the
    papers had such a truth.

    `@assigned` sums the contributions of the concepts assigned to the part instead, as the additive explainer does
    (section 4.1), where the explainer assigns them. `@area` is a control: the part's visible area as its contribution.
    `@effect=<part>` is the mean fall of the logit, in its units.

    most: images of the category that are rendered anew; the first ones.
    """

    name: ClassVar[str] = "part_effect_agreement"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("contributions", "maps", "masks")
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    unit: ClassVar[str] = "image"

    most: int = 50

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _scores: dict[str, list[float]] = field(init=False, default_factory=dict, repr=False)
    _falls: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _parts: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        if self.most < 1:
            raise InputError(f"most is {self.most}, expected at least 1")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where images cannot be rendered without a part, or no one logit counts."""
        if outputs.part_effects is None:
            raise NotApplicable("images of this task cannot be rendered without a part")
        if batch.masks is None or explanation.contributions is None:
            raise ValueError("masks or contributions are missing")
        masks, contributions = batch.masks, explanation.contributions
        wanted = outermost(masks)
        wanted[max(0, self.most - len(self._ids)) :] = False
        falls, used = _numpy(outputs.part_effects(wanted)), wanted.cpu().numpy()
        found = {"": heat_contributions(explanation, contributions, masks), "@area": masks.sum((2, 3)).double()}
        if explanation.parts is not None:
            found["@assigned"] = of_parts(contributions, explanation.parts, masks.shape[1])
        for variant, of_each in found.items():
            agreement = rank_agreement(_numpy(of_each), falls, used)
            self._scores.setdefault(variant, []).extend(agreement.tolist())
        self._ids += batch.ids
        self._parts = outputs.parts
        self._falls += list(falls)

    def compute(self) -> dict[str, Scores]:
        """A correlation per image; the mean true effect of each part."""
        scores = {self.name + variant: Scores(tuple(self._ids), values) for variant, values in self._scores.items()}
        for part, falls in zip(self._parts, np.stack(self._falls, 1), strict=True):
            if np.isfinite(falls).any():
                scores[f"{self.name}@effect={part}"] = Scores(tuple(self._ids), falls)
        return scores


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(PartEffectAgreement)
