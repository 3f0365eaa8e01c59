"""Whether the performer recognises an image from the pixels that the concepts mark."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, MinLen
from jaxtyping import Float
from torch import Tensor

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, hookimpl
from partbench.functional import inpaint, prominence, random_keep

Fraction = Annotated[float, Gt(0), Le(1)]


@dataclass
class MaskedAccuracy(ImageMetric):
    """Share of images of the category still recognised when only marked pixels are kept, in [0, 1]; higher is better.

    Source: SRAE paper, section 4.1 "masking", appendix Table 4. A pixel is kept where any concept's heatmap is at least
    gamma times that heatmap's maximum (the union over concepts, those of positive contribution where contributions are
    given); the rest is painted black, filled in (the paper names no algorithm: Telea), and classified. The first of
    `gammas` is the main one, the others `@gamma=<value>`. `@original` is the accuracy without masking, `@kept` the
    share of pixels kept at the main gamma: a map that keeps everything scores as the original, so read both together.
    `@random` keeps as many pixels where a smooth random map is highest. Only the first `limit` images are used.
    """

    name = "masked_accuracy"
    needs = ("maps",)
    higher_is_better = True
    bounds = (0.0, 1.0)

    gammas: Annotated[tuple[Fraction, ...], MinLen(1)] = (0.05, 0.01, 0.1, 0.3)
    limit: Annotated[int, Ge(1)] = 24

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch, up to `limit` images in all. Raises NotApplicable where all logits are explained, not one."""
        free = self.limit - len(self._ids)
        if free > 0:
            super().update(batch[:free], explanation, outputs)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """1 or 0 per image and variant, and the share of pixels kept; of the first images of the explanation."""
        if outputs.target is None:
            raise NotApplicable("all logits are explained, not one: no class to be recognised as")
        keeps = self._keeps(batch, explanation)
        images = batch.pixels.permute(0, 2, 3, 1).float().cpu().numpy()
        found = {}
        with ThreadPoolExecutor(2) as pool:
            for variant, masks in keeps.items():
                painted = torch.from_numpy(np.stack(list(pool.map(inpaint, images, masks)))).permute(0, 3, 1, 2)
                logits = outputs.predict(painted.contiguous().to(batch.pixels))
                found[variant] = _recognised(logits, outputs.target)
        kept = np.array([float(keep.mean()) for keep in keeps[""]])
        return found | {"@original": _recognised(outputs.logits[: len(batch)], outputs.target), "@kept": kept}

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


def _recognised(logits: Float[Tensor, "n c"], target: int) -> Float[np.ndarray, "n"]:
    return (logits.argmax(1) == target).cpu().numpy().astype(float)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(MaskedAccuracy)
