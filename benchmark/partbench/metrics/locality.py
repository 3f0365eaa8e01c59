"""Locality: over how many parts of the object a concept's heatmap spreads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import mask_weights, region_shares, voronoi_weights
from partbench.functional.statistics import entropies_left_out, entropies_of_means, mean_of_known, pseudovalues

RegionKind = Literal["masks", "landmarks"]


@dataclass
class RegionShares:
    """Of each image, the shares (k, r) of the concepts' heatmaps in each region, and which parts (p) it shows."""

    of_images: list[np.ndarray] = field(default_factory=list)
    shown: list[np.ndarray] = field(default_factory=list)


@dataclass
class Locality(Metric):
    """H_n: entropy (nats) of how a concept's heatmap spreads over the parts and the context; lower is better.

    Source: SRAE paper, section 4.1 and appendix, Algorithm 1. Heatmaps are scaled to sum 1; S_p is their weighted sum
    over part p, averaged over the images of the category, then H = -sum s ln s with s = S / sum S. From 0 (one part) to
    ln(parts + 1). Parts are masks (weight 1 on the part) or, without masks, Voronoi cells of the landmarks in the box,
    weighted by closeness; `regions` forces either. Where the data has both, `@landmarks` (or `@masks`) is the same with
    the other. A part that an image does not show counts 0 in the average (`absent="skip"`: is left out of it). The
    paper leaves both choices open.

    A concept whose map is zero (or NaN) on an image has no share there: the image is left out for that concept, and
    `@empty_maps` is the share of such concepts per image. The mean over a few images covers few parts and has a low H:
    a concept with shares on fewer than `least_images` of the images (all, where there are fewer) has no value. Images
    without any visible part are left out for all concepts; `@images_without_parts` counts them (1 or 0 per image).

    The evidence of an image is the jackknife's: the value without it is found for each image.

    regions: of parts, "masks" or "landmarks"; "auto" takes masks where there are any.
    absent: a part that an image does not show counts "zero" in the average, or is left out of it ("skip").
    least_images: images on which a concept must have a map, for it to have a value.
    """

    name = "locality"
    version = "3"  # 2 had no least number of images; 1 counted the pixels beyond the far edges of the box to the box
    needs = ("maps",)
    higher_is_better = False
    bounds = (0.0, float("inf"))
    of = "concept"

    regions: Literal["auto", "masks", "landmarks"] = "auto"
    absent: Literal["zero", "skip"] = "zero"
    least_images: Annotated[int, Ge(1)] = 10

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _shares: dict[RegionKind, RegionShares] = field(init=False, default_factory=dict, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the dataset knows no parts."""
        for kind in self._kinds(batch):
            weights, shown = _regions(batch, kind)
            state = self._shares.setdefault(kind, RegionShares())
            shares = region_shares(explanation, weights, batch.size)
            state.of_images += [of_image.double().cpu().numpy() for of_image in shares]
            state.shown += list(shown.cpu().numpy())
        self._ids += batch.ids

    def _kinds(self, batch: Batch) -> list[RegionKind]:
        """What tells parts: the kind of the main value first, then the other where the data has it."""
        lacking: dict[RegionKind, str] = {
            "masks": "masks" if batch.masks is None else "",
            "landmarks": "landmarks" if batch.landmarks is None else "boxes" if batch.boxes is None else "",
        }
        known = [kind for kind, what in lacking.items() if not what]
        main = self.regions if self.regions != "auto" else known[0] if known else "landmarks"
        if lacking[main]:
            raise NotApplicable(f"the dataset has no {lacking[main]} to tell parts by")
        return [main, *(kind for kind in known if kind != main)]

    def compute(self) -> dict[str, Scores]:
        """H per concept, NaN for one of few images or without mass in any region, and their mean, with its evidence.

        Raises NotApplicable if no image shows a part.
        """
        main, *others = self._shares
        shown: np.ndarray = np.any(np.stack(self._shares[main].shown), axis=1)
        if not shown.any():
            raise NotApplicable(f"none of {len(shown)} images shows a part")
        empty = np.isnan(np.stack(self._shares[main].of_images)).all(-1).mean(1)
        return {
            self.name: self._scores(self._shares[main]),
            **{f"{self.name}@{kind}": self._scores(self._shares[kind]) for kind in others},
            f"{self.name}@empty_maps": Scores(tuple(self._ids), empty, of="image"),
            f"{self.name}@images_without_parts": Scores(tuple(self._ids), (~shown).astype(float), of="image"),
        }

    def _scores(self, state: RegionShares) -> Scores:
        shares, shown = np.stack(state.of_images), np.stack(state.shown)
        used: np.ndarray = np.any(shown, axis=1)
        evidence = np.full(len(used), np.nan)
        if not used.any():
            return Scores(value=float("nan"), images=self._ids, evidence=evidence, note="no image shows a part")
        shares, counted = shares[used], self._counted(shown[used])
        enough = (~np.isnan(shares).any(-1)).sum(0) >= min(self.least_images, len(shares))
        values = np.where(enough, entropies_of_means(shares, counted), np.nan)
        value = float(mean_of_known(values))
        left_out = entropies_left_out(shares, counted)[:, ~np.isnan(values)]
        evidence[used] = pseudovalues(value, left_out.mean(1)) if left_out.size else np.nan
        return Scores([str(i) for i in range(len(values))], values, value, images=self._ids, evidence=evidence)

    def _counted(self, shown: Bool[np.ndarray, "n p"]) -> Bool[np.ndarray, "n 1 r"] | None:
        """Which regions of an image enter the averages; None for all."""
        if self.absent == "zero":
            return None
        return np.pad(shown, ((0, 0), (0, 1)), constant_values=True)[:, None]


def _regions(batch: Batch, kind: RegionKind) -> tuple[Iterator[Float[Tensor, "p+1 H W"]], Bool[Tensor, "n p"]]:
    """Weights of the parts and of the context, image by image, and which parts each image shows."""
    masks, landmarks, boxes = batch.masks, batch.landmarks, batch.boxes
    if kind == "masks" and masks is not None:
        return map(mask_weights, masks), masks.flatten(2).any(2)
    if landmarks is None or boxes is None:
        raise NotApplicable(f"the dataset has no {kind} to tell parts by")
    cells = (voronoi_weights(*image, batch.size) for image in zip(landmarks, boxes, strict=True))
    return cells, landmarks.isfinite().all(2) & boxes.isfinite().all(1, keepdim=True)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Locality)
