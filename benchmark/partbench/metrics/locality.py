"""Over how many parts of the object a concept spreads: locality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, InputError, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional.statistics import entropy, interval, resampling_weights

OPTIONS = {"regions": ("auto", "masks", "landmarks"), "absent": ("zero", "skip")}


def voronoi_weights(
    landmarks: Float[Tensor, "l 2"], box: Float[Tensor, "4"], size: tuple[int, int]
) -> Float[Tensor, "l+1 H W"]:
    """Weight of each pixel for each landmark, and for the context (everything outside the box, weight 1).

    The pixels of the box (x0 y0 x1 y1; those with their centre in [x0, x1) and [y0, y1)) belong to the visible landmark
    nearest to them, the first of equals; there the weight falls linearly from 1 at the landmark to 0 at the farthest
    pixel of its cell, elsewhere it is 0 (SRAE paper, Algorithm 1). A cell of a single pixel has weight 1.
    """
    context = len(landmarks)
    y = torch.arange(size[0], device=landmarks.device, dtype=landmarks.dtype)[:, None] + 0.5
    x = torch.arange(size[1], device=landmarks.device, dtype=landmarks.dtype) + 0.5
    inside = (x >= box[0]) & (y >= box[1]) & (x < box[2]) & (y < box[3])
    squares = (x - landmarks[:, 0, None, None]) ** 2 + (y - landmarks[:, 1, None, None]) ** 2
    nearest, owner = squares.nan_to_num_(nan=torch.inf).min(0)  # of equals, the first
    unowned = inside & nearest.isinf()
    region = torch.where(inside, owner, context)
    distances = torch.where(inside & ~unowned, nearest, 0.0).sqrt()
    farthest = distances.new_zeros(context + 1).scatter_reduce(0, region.flatten(), distances.flatten(), "amax")
    alone = region.flatten().bincount(minlength=context + 1) == 1
    reach = torch.where(alone | (farthest == 0), torch.inf, farthest)
    weights = torch.where(unowned, 0.0, 1 - distances / reach[region])
    return weights.new_zeros(context + 1, *size).scatter_(0, region[None], weights[None])


def mask_weights(masks: Bool[Tensor, "p H W"]) -> Float[Tensor, "p+1 H W"]:
    """1 on the pixels of each part, and on those of the context (no part), else 0."""
    return torch.cat([masks, ~masks.any(0, keepdim=True)]).float()


@dataclass
class Locality:
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

    name: ClassVar[str] = "locality"
    version: ClassVar[str] = "2"  # 1 counted the pixels beyond the far edges of the box to the box
    needs: ClassVar[tuple[str, ...]] = ("maps",)
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    unit: ClassVar[str] = "concept"

    regions: Literal["auto", "masks", "landmarks"] = "auto"
    absent: Literal["zero", "skip"] = "zero"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _shares: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _present: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _unlabelled: list[bool] = field(init=False, default_factory=list, repr=False)

    def __post_init__(self) -> None:
        for option, known in OPTIONS.items():
            if getattr(self, option) not in known:
                raise InputError(f"{option} is '{getattr(self, option)}', expected one of {', '.join(known)}")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the dataset knows no parts.

        The shares are linear in the map, so the weights are brought to the cells once and no heatmap is made.
        """
        images = self._weights(batch)
        maps = explanation.maps.float()
        rows, columns = (matrix.float() for matrix in explanation.upsampling(*batch.size))
        mass = torch.einsum("nkhw,h,w->nk", maps, rows.sum(0), columns.sum(0))
        mass = torch.where(mass > 0, mass, torch.nan)
        self._ids += batch.ids
        for i, (weights, present) in enumerate(images):
            cells = rows.T @ weights.to(maps) @ columns
            shares = torch.einsum("khw,rhw->kr", maps[i], cells) / mass[i, :, None]
            self._shares.append(shares.double().cpu().numpy())
            self._present.append(present.cpu().numpy())
            self._unlabelled.append(not present[:-1].any())

    def _weights(self, batch: Batch) -> Iterator[tuple[Float[Tensor, "r H W"], Bool[Tensor, "r"]]]:
        """Weights of the regions of each image, the context last, and which regions the image shows."""
        if batch.masks is not None and self.regions != "landmarks":
            return map(_masked, batch.masks)
        landmarks, boxes = batch.landmarks, batch.boxes
        if self.regions == "masks" or landmarks is None or boxes is None:
            missing = "masks" if self.regions == "masks" else "landmarks" if landmarks is None else "boxes"
            raise NotApplicable(f"the dataset has no {missing} to tell parts by")
        size = batch.size
        return (_labelled(points, box, size) for points, box in zip(landmarks, boxes, strict=True))

    def compute(self) -> dict[str, Scores]:
        """H per concept, NaN without mass in any region, and their mean, with an interval from resampled images.

        Raises NotApplicable if no image shows a part.
        """
        counted = Scores(tuple(self._ids), np.array(self._unlabelled, dtype=float))
        used = ~np.array(self._unlabelled, dtype=bool)
        if not used.any():
            raise NotApplicable(f"none of {len(used)} images shows a part")
        shares, present = np.stack(self._shares), np.stack(self._present)[used]
        empty = np.isnan(shares).all(-1)
        weights = resampling_weights(int(used.sum()))
        draws = [_mean(self._entropies(shares[used], present, part)) for part in np.array_split(weights, 20)]
        values = self._entropies(shares[used], present, np.ones((1, int(used.sum()))))
        low, high = interval(np.concatenate(draws))
        return {
            self.name: Scores([str(i) for i in range(shares.shape[1])], values[0], _mean(values).item(), low, high),
            f"{self.name}@empty_maps": Scores(tuple(self._ids), empty.mean(1)),
            f"{self.name}@images_without_parts": counted,
        }

    def _entropies(self, shares: np.ndarray, present: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, "d k"]:
        """H of each concept, images (n) weighted in d ways."""
        known = ~np.isnan(shares)
        total = np.einsum("dn,nkr->dkr", weights, np.where(known, shares, 0.0), optimize=True)
        if self.absent == "zero":
            return entropy(total)
        seen = np.einsum("dn,nkr->dkr", weights, (known & present[:, None]).astype(float), optimize=True)
        return entropy(np.divide(total, seen, out=np.zeros_like(total), where=seen > 0))


def _masked(masks: Bool[Tensor, "p H W"]) -> tuple[Float[Tensor, "r H W"], Bool[Tensor, "r"]]:
    shown = masks.flatten(1).any(1)
    return mask_weights(masks), torch.cat([shown, shown.new_ones(1)])


def _labelled(
    landmarks: Float[Tensor, "l 2"], box: Float[Tensor, "4"], size: tuple[int, int]
) -> tuple[Float[Tensor, "r H W"], Bool[Tensor, "r"]]:
    shown = landmarks.isfinite().all(1) & box.isfinite().all()
    return voronoi_weights(landmarks, box, size), torch.cat([shown, shown.new_ones(1)])


def _mean(values: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d"]:
    known = ~np.isnan(values)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(1) / np.maximum(count, 1), np.nan)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(Locality)
