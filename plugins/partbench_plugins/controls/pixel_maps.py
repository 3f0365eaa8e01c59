"""Floors that look at the pixels and not at the network: edges, and colours unlike those of the border."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from partbench import Images, ReceptiveField, hookimpl
from partbench_plugins.controls.floor import Floor, MapGeometry


@dataclass
class PixelMap(Floor):
    """Base: one map of something measured at every pixel, averaged over the pixels of each cell.

    The cells tile the image. The score, the largest value of the map, is also the contribution.
    """

    def drawn(self, images: Images, geometry: MapGeometry) -> Float[Tensor, "n 1 h w"]:
        """The mean over the pixels of each cell."""
        return F.adaptive_avg_pool2d(self.of_pixels(images.pixels), (geometry.height, geometry.width))

    def grid(self, geometry: MapGeometry) -> ReceptiveField | None:
        """The cells tile the image."""
        return None

    def of_pixels(self, pixels: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 1 H W"]:
        """What is measured, >= 0."""
        raise NotImplementedError


@dataclass
class Edges(PixelMap):
    """One map: the length of the gradient of the brightness, by Sobel's filters, averaged over each cell.

    A floor. Brightness is the mean of the three channels.
    """

    name: ClassVar[str] = "edges"

    def of_pixels(self, pixels: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 1 H W"]:
        """Change of the brightness per px; 0 across the border of the image."""
        across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=pixels.device) / 8
        padded = F.pad(pixels.mean(1, keepdim=True), (1,) * 4, mode="replicate")
        gradient = F.conv2d(padded, torch.stack((across, across.T))[:, None])
        return gradient.square().sum(1, keepdim=True).sqrt()


@dataclass
class Colour(PixelMap):
    """One map: how far a pixel's colour is from the mean colour of the image's border, averaged over each cell.

    A floor. The distance is Euclidean in RGB. Photographs show their subject inside and the background at the border.

    against: "border", a sixteenth of the side wide, or the "image" as a whole.
    """

    name: ClassVar[str] = "colour"
    against: Literal["border", "image"] = "border"

    def of_pixels(self, pixels: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 1 H W"]:
        """The distance, in units of RGB in [0, 1]."""
        return (pixels - self._usual(pixels)).square().sum(1, keepdim=True).sqrt()

    def _usual(self, pixels: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 3 1 1"]:
        height, width = pixels.shape[2:]
        chosen = torch.ones(height, width, device=pixels.device)
        if self.against == "border":
            down, across = max(1, height // 16), max(1, width // 16)
            chosen[down : height - down, across : width - across] = 0
        return (pixels * chosen).sum((2, 3), keepdim=True) / chosen.sum()


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    """This module's explainers."""
    register(Edges)
    register(Colour)
