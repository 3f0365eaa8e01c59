"""Locality: over how many parts of the object a concept's heatmap spreads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import mask_weights, region_shares, voronoi_weights
from partbench.functional.statistics import entropies_of_means, interval, mean_of_known, resampling_weights


@dataclass
class Locality(Metric):
    """H_n: entropy (nats) of how a concept's heatmap spreads over the parts and the context; lower is better.

    Source: SRAE paper, section 4.1 and appendix, Algorithm 1. Heatmaps are scaled to sum 1; S_p is their weighted sum
    over part p, averaged over the images of the category, then H = -sum s ln s with s = S / sum S. From 0 (one part) to
    ln(parts + 1). Parts are masks (weight 1 on the part) or, without masks, Voronoi cells of the landmarks in the box,
    weighted by closeness; `regions` forces either. A part that an image does not show counts 0 in the average
    (`absent="skip"`: is left out of it). The paper leaves both choices open.

    A concept whose map is zero (or NaN) on an image has no share there: the image is left out for that concept, and
    `@empty_maps` is the share of such concepts per image. Images without any visible part are left out for all
    concepts; `@images_without_parts` counts them (1 or 0 per image).
    """

    name = "locality"
    version = "2"  # 1 counted the pixels beyond the far edges of the box to the box
    needs = ("maps",)
    higher_is_better = False
    bounds = (0.0, float("inf"))
    of = "concept"

    regions: Literal["auto", "masks", "landmarks"] = "auto"
    absent: Literal["zero", "skip"] = "zero"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _shares: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _shown: list[np.ndarray] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the dataset knows no parts."""
        weights, shown = self._regions(batch)
        shares = region_shares(explanation, weights, batch.size)
        self._shares += [of_image.double().cpu().numpy() for of_image in shares]
        self._shown += list(shown.cpu().numpy())
        self._ids += batch.ids

    def _regions(self, batch: Batch) -> tuple[Iterator[Float[Tensor, "p+1 H W"]], Bool[Tensor, "n p"]]:
        """Weights of the parts and of the context, image by image, and which parts each image shows."""
        masks, landmarks, boxes = batch.masks, batch.landmarks, batch.boxes
        if masks is not None and self.regions != "landmarks":
            return map(mask_weights, masks), masks.flatten(2).any(2)
        if self.regions == "masks" or landmarks is None or boxes is None:
            missing = "masks" if self.regions == "masks" else "landmarks" if landmarks is None else "boxes"
            raise NotApplicable(f"the dataset has no {missing} to tell parts by")
        cells = (voronoi_weights(*image, batch.size) for image in zip(landmarks, boxes, strict=True))
        return cells, landmarks.isfinite().all(2) & boxes.isfinite().all(1, keepdim=True)

    def compute(self) -> dict[str, Scores]:
        """H per concept, NaN without mass in any region, and their mean, with an interval from resampled images.

        Raises NotApplicable if no image shows a part.
        """
        shares, shown = np.stack(self._shares), np.stack(self._shown)
        used = np.any(shown, axis=1)
        if not used.any():
            raise NotApplicable(f"none of {len(used)} images shows a part")
        known, weights = (shares[used], shown[used]), resampling_weights(int(used.sum()))
        draws = [mean_of_known(self._entropies(*known, some)) for some in np.array_split(weights, 20)]
        values = self._entropies(*known, np.ones((1, weights.shape[1])))[0]
        concepts, mean = [str(i) for i in range(len(values))], float(mean_of_known(values))
        return {
            self.name: Scores(concepts, values, mean, *interval(np.concatenate(draws))),
            f"{self.name}@empty_maps": Scores(tuple(self._ids), np.isnan(shares).all(-1).mean(1), of="image"),
            f"{self.name}@images_without_parts": Scores(tuple(self._ids), (~used).astype(float), of="image"),
        }

    def _entropies(self, shares: np.ndarray, shown: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, "d k"]:
        """H of each concept, images (n) weighted in d ways."""
        if self.absent == "zero":
            return entropies_of_means(shares, weights)
        with_context = np.pad(shown, ((0, 0), (0, 1)), constant_values=True)
        return entropies_of_means(shares, weights, with_context[:, None])


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Locality)
