"""Whether the pixels that the concepts mark are enough for the performer to recognise the image."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import Batch, Explanation, InputError, NotApplicable, PerformerOutputs, Scores, hookimpl

RADIUS = 3  # px, of Telea's neighbourhood
CHUNK = 16  # concepts brought to image resolution at once; few, so that they stay in the cache


def prominence(
    maps: Float[Tensor, "k h w"], rows: Float[Tensor, "H h"], columns: Float[Tensor, "W w"]
) -> Float[np.ndarray, "H W"]:
    """The largest share of its own maximum that any concept's heatmap reaches at each pixel; 0 where all are 0."""
    best = maps.new_zeros(len(rows), len(columns))
    for part in maps.split(CHUNK) if len(maps) else ():
        heatmaps = rows @ part @ columns.T
        peaks = heatmaps.amax((1, 2), keepdim=True)
        best = torch.maximum(best, heatmaps.div_(torch.where(peaks > 0, peaks, 1.0)).amax(0))
    return best.cpu().numpy()


def inpaint(image: Float[np.ndarray, "H W 3"], keep: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    """The image where it is kept, filled in from there elsewhere (Telea 2004, radius 3 px); black if none is kept."""
    if keep.all() or not keep.any():
        return image * keep[..., None]
    masked = (image * keep[..., None] * 255).round().astype(np.uint8)
    filled = cv2.inpaint(masked, (~keep).astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
    return np.where(keep[..., None], image, filled.astype(np.float32) / 255)


def random_keep(name: str, keep: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """As many pixels as `keep` has, the highest of a smooth random map that depends on the image's name only."""
    coarse = np.random.default_rng(zlib.crc32(name.encode())).random((8, 8))
    smooth = cv2.resize(coarse, keep.shape[::-1], interpolation=cv2.INTER_CUBIC).ravel()
    chosen = np.zeros(keep.size, dtype=bool)
    chosen[np.argsort(-smooth, kind="stable")[: keep.sum()]] = True
    return chosen.reshape(keep.shape)


@dataclass
class MaskedAccuracy:
    """Share of images of the category still recognised when only marked pixels are kept, in [0, 1]; higher is better.

    Source: SRAE paper, section 4.1 "masking", appendix Table 4. A pixel is kept where any concept's heatmap is at least
    gamma times that heatmap's maximum (the union over concepts, those of positive contribution where contributions are
    given); the rest is painted black, filled in (the paper names no algorithm: Telea), and classified. The first of
    `gammas` is the main one, the others `@gamma=<value>`. `@original` is the accuracy without masking, `@kept` the
    share of pixels kept at the main gamma: a map that keeps everything scores as the original, so read both together.
    `@random` keeps as many pixels where a smooth random map is highest. Only the first `limit` images are used.
    """

    name: ClassVar[str] = "masked_accuracy"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("maps",)
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unit: ClassVar[str] = "image"

    gammas: tuple[float, ...] = (0.05, 0.01, 0.1, 0.3)
    limit: int = 24

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _values: dict[str, list[float]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.gammas or not all(0 < gamma <= 1 for gamma in self.gammas):
            raise InputError(f"gammas are {tuple(self.gammas)}, expected at least one, each above 0 and at most 1")
        if self.limit < 1:
            raise InputError(f"limit is {self.limit}, expected at least 1 image")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch, up to `limit` images in all. Raises NotApplicable where all logits are explained, not one."""
        if outputs.target is None:
            raise NotApplicable("all logits are explained, not one: no class to be recognised as")
        n = min(len(batch), self.limit - len(self._ids))
        if n <= 0:
            return
        keeps = self._keeps(batch[:n], explanation)
        images = batch.pixels[:n].permute(0, 2, 3, 1).float().cpu().numpy()
        with ThreadPoolExecutor(2) as pool:
            for variant, masks in keeps.items():
                painted = torch.from_numpy(np.stack(list(pool.map(inpaint, images, masks)))).permute(0, 3, 1, 2)
                logits = outputs.predict(painted.contiguous().to(batch.pixels))
                self._record(variant, (logits.argmax(1) == outputs.target).double().tolist())
        self._record("@original", (outputs.logits[:n].argmax(1) == outputs.target).double().tolist())
        self._record("@kept", [float(keep.mean()) for keep in keeps[""]])
        self._ids += batch.ids[:n]

    def _keeps(self, batch: Batch, explanation: Explanation) -> dict[str, list[np.ndarray]]:
        """Which pixels (H, W) of each image are kept, per variant."""
        rows, columns = (matrix.float() for matrix in explanation.upsampling(*batch.size))
        keeps: dict[str, list[np.ndarray]] = {}
        for i, name in enumerate(batch.ids):
            maps = explanation.maps[i].float()
            if explanation.contributions is not None:
                maps = maps[explanation.contributions[i].to(maps.device) > 0]
            strength = prominence(maps, rows, columns)
            for position, gamma in enumerate(self.gammas):
                keeps.setdefault(f"@gamma={gamma:g}" if position else "", []).append(strength >= gamma)
            keeps.setdefault("@random", []).append(random_keep(name, keeps[""][-1]))
        return keeps

    def _record(self, variant: str, values: list[float]) -> None:
        self._values.setdefault(self.name + variant, []).extend(values)

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image and variant; the share of pixels kept."""
        return {name: Scores(tuple(self._ids), np.array(values)) for name, values in self._values.items()}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(MaskedAccuracy)
