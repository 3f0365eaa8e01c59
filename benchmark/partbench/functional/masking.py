"""Which pixels of an image a concept marks, and the image with all other pixels inpainted."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

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


def diffuse(pixels: Float[Tensor, "n 3 H W"], keep: Bool[Tensor, "n H W"]) -> Float[Tensor, "n 3 H W"]:
    """The images where they are kept, elsewhere filled in smoothly from there; black if nothing is kept.

    Means of the kept pixels over ever larger squares fill what smaller squares leave open, the larger interpolated
    (the pull-push pyramid of Gortler et al., "The Lumigraph", 1996).
    """
    weight = keep[:, None].to(pixels)
    pyramid = [(pixels * weight, weight)]
    while max(pyramid[-1][1].shape[2:]) > 1:
        colour, weight = (functional.avg_pool2d(level, 2, ceil_mode=True) for level in pyramid[-1])
        full = (4 * weight).clamp(max=1)  # a square is filled by one of its four parts
        pyramid.append((colour * full / weight.clamp(min=1e-12), full))
    colour, weight = pyramid.pop()
    filled = colour / weight.clamp(min=1e-12)
    while pyramid:
        colour, weight = pyramid.pop()
        wider = functional.interpolate(filled, colour.shape[2:], mode="bilinear", align_corners=False)
        filled = colour + (1 - weight) * wider
    return torch.where(keep[:, None], pixels, filled)


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
