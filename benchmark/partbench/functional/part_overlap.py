"""Whether filters mark parts: thresholds of maps, regions above them, and their overlap with parts, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from math import floor
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from partbench.nn.receptive_field import ReceptiveField
from partbench.types import Batch, Explanation, NotApplicable


def thresholds(maps: Sequence[Float[np.ndarray, "n k h w"]], quantile: float) -> Float[np.ndarray, "k"]:
    """The smallest cell value T of each filter with at most a share `quantile` of all its cells above it.

    Exact: the order statistic that numpy calls the "inverted_cdf" quantile at 1 - quantile. Where values are tied, as
    the zeros of a sparse filter are, fewer cells than the share may lie above it.
    """
    cells = sum(part[:, 0].size for part in maps)
    rank = cells - 1 - floor(quantile * cells + 1e-9)
    found = []
    for f in range(maps[0].shape[1]):
        values = np.concatenate([part[:, f].ravel() for part in maps])
        values.partition(rank)
        found.append(values[rank])
    return np.array(found)


def filled(boxes: Float[np.ndarray, "*n 4"], height: int, width: int) -> Bool[np.ndarray, "*n H W"]:
    """Masks of boxes x0 y0 x1 y1 in px: the pixels whose centre i + 0.5 is in [x0, x1) and [y0, y1); NaN is empty."""
    x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)[..., None]
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    return ((y0 <= y) & (y < y1))[..., :, None] & ((x0 <= x) & (x < x1))[..., None, :]


@dataclass(frozen=True)
class Upsampled:
    """Where an upsampled map exceeds 0; `rows` and `columns` interpolate from cells to the pixels of each axis."""

    rows: Float[np.ndarray, "H h"]
    columns: Float[np.ndarray, "W w"]

    def reach(self, axis: Float[np.ndarray, "P c"]) -> Bool[np.ndarray, "P c"]:
        """Which pixels along an axis can lie in the region because of each cell."""
        return axis > 0

    def region(self, excess: Float[np.ndarray, "h w"], y: slice, x: slice) -> Bool[np.ndarray, "y x"]:
        """The part of the region in a block of pixels, from a map less its threshold."""
        return self.rows[y] @ (excess @ self.columns[x].T) > 0


@dataclass(frozen=True)
class Disks:
    """Disks of `radius` px around active cells; `rows` and `columns` are squared px from pixels to cell centres."""

    rows: Float[np.ndarray, "H h"]
    columns: Float[np.ndarray, "W w"]
    radius: float

    def reach(self, axis: Float[np.ndarray, "P c"]) -> Bool[np.ndarray, "P c"]:
        """Which pixels along an axis can lie in the region because of each cell."""
        return axis <= self.radius**2

    def region(self, excess: Float[np.ndarray, "h w"], y: slice, x: slice) -> Bool[np.ndarray, "y x"]:
        """The part of the region in a block of pixels, from a map less its threshold."""
        active = excess > 0
        some = active.any(1)
        nearest = np.where(active[some], self.columns[x, None], np.inf).min(2)  # (x, h) within each row of cells
        return (self.rows[y, None, some] + nearest <= self.radius**2).any(2)


Regions = Upsampled | Disks


def spans(
    reach: Bool[np.ndarray, "P c"], active: Bool[np.ndarray, "k h w"], across: int
) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """First pixel along an axis that active cells reach, and the one after the last, taken across the other axis."""
    pixels, some = len(reach), reach.any(0)
    first = np.where(some, reach.argmax(0), pixels)
    end = np.where(some, pixels - reach[::-1].argmax(0), 0)
    along = np.any(active, axis=across)
    return np.where(along, first, pixels).min(1), np.where(along, end, 0).max(1)


def associated(
    excess: Float[np.ndarray, "k h w"], masks: Bool[np.ndarray, "p H W"], regions: Regions, overlap: float
) -> Bool[np.ndarray, "k p"]:
    """Whether the region of each filter and each part of one image have an IoU above `overlap`; not if either is empty.

    `excess` are the maps less their thresholds. Exact, but regions are made only where the answer is open, and there
    only the block of pixels that active cells reach: a region lies within their reach, so it has no more pixels of a
    part than they reach one by one, and the IoU is at most that over the size of the part.
    """
    active, sizes = excess > 0, np.array([np.count_nonzero(mask) for mask in masks])
    y_reach, x_reach = regions.reach(regions.rows), regions.reach(regions.columns)
    reached = y_reach.T.astype(np.float32) @ masks.astype(np.float32) @ x_reach.astype(np.float32)
    most = active.reshape(len(active), -1).astype(float) @ reached.reshape(len(masks), -1).T
    undecided = most > overlap * sizes
    filters = np.flatnonzero(undecided.any(1))
    blocks = np.stack([*spans(y_reach, active[filters], 2), *spans(x_reach, active[filters], 1)], 1)
    common, area = np.zeros(most.shape), np.zeros((len(most), 1))
    for f, (y0, y1, x0, x1), parts in zip(filters, blocks.tolist(), undecided[filters].tolist(), strict=True):
        region = regions.region(excess[f], slice(y0, y1), slice(x0, x1))
        area[f] = np.count_nonzero(region)
        for k in compress(range(len(sizes)), parts):
            common[f, k] = np.count_nonzero(region & masks[k, y0:y1, x0:x1])
    return common / np.maximum(area + sizes - common, 1) > overlap


@dataclass
class PartOverlap:
    """P_fk: how often filter f marks part k, over the images that show the part, gathered batch by batch.

    Source: paper on interpretable CNNs, section 5.2.1, after Network Dissection. T_f is the threshold that a share
    `quantile` of all cells of the filter's maps exceed (strictly; exact, see `thresholds`). A filter marks a part of an
    image where the region above T_f and the part have an IoU above `overlap`. On n images of h x w cells with
    quantile * n h w < 1 nothing exceeds T_f, and no part is marked.

    region="upsampled" takes bilinear interpolation of the map, cells at the centres of their receptive fields, above
    T_f (Network Dissection). "disk" takes a round field around every cell above T_f (the paper's footnote 5, which
    gives no size) of `radius` px; None is one stride of the cells.

    T_f is known at the end only: maps are kept at cell resolution, masks at one bit a pixel.

    quantile lies above 0 and below 1, overlap is at least 0 and below 1, radius is above 0.
    """

    quantile: float = 0.005
    overlap: float = 0.2
    region: Literal["upsampled", "disk"] = "upsampled"
    radius: float | None = None
    from_boxes: bool = field(init=False, default=False)  # whether boxes of parts stood in for masks
    _maps: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _masks: list[UInt8[np.ndarray, "n p H bytes"]] = field(init=False, default_factory=list, repr=False)
    _regions: Regions = field(init=False, repr=False)  # of the first batch; all have the same geometry

    @property
    def images(self) -> int:
        """How many images were added."""
        return sum(map(len, self._masks))

    @property
    def parts(self) -> int:
        """How many parts there are; 0 before the first batch."""
        return self._masks[0].shape[1] if self._masks else 0

    def add(self, batch: Batch, explanation: Explanation) -> None:
        """Add a batch; filled boxes are the masks where there are none. Raises NotApplicable without either."""
        height, width = batch.pixels.shape[-2:]
        if batch.masks is not None:
            masks = batch.masks.cpu().numpy()
        elif batch.part_boxes is not None:
            masks, self.from_boxes = filled(batch.part_boxes.cpu().numpy(), height, width), True
        else:
            raise NotApplicable("the dataset has landmarks but no part masks or boxes")
        if not self._maps:
            self._regions = self._geometry(explanation, height, width)
        self._masks.append(np.packbits(masks, axis=-1))
        self._maps.append(np.array(explanation.maps.detach().float().cpu().numpy(), order="C"))

    def shares(self) -> Float[np.ndarray, "k p"]:
        """P_fk in [0, 1]; NaN for parts that no image shows. Some images must have been added."""
        limits = thresholds(self._maps, self.quantile)[:, None, None]
        hits, shown = np.zeros((len(limits), self.parts)), np.zeros(self.parts)
        for maps, masks in self._images():
            # a map less its threshold: pixels among cells equal to it are exactly 0, whatever the rounding
            hits += associated(maps - limits, masks, self._regions, self.overlap)
            shown += masks.any((1, 2))
        return np.divide(hits, shown, out=np.full_like(hits, np.nan), where=shown > 0)

    def _geometry(self, explanation: Explanation, height: int, width: int) -> Regions:
        maps = explanation.maps[:1].detach().float().cpu()
        if self.region == "upsampled":
            rows, columns = Explanation(maps, grid=explanation.grid).upsampling(height, width)
            return Upsampled(rows.numpy(), columns.numpy())
        sides = list(zip(maps.shape[-2:], (height, width), strict=True))
        fields = [explanation.grid or ReceptiveField.tiling(*side) for side in sides]
        radius = self.radius or max(axis.stride for axis in fields)
        rows, columns = (
            (torch.arange(pixels)[:, None] + 0.5 - axis.centres(cells)) ** 2
            for axis, (cells, pixels) in zip(fields, sides, strict=True)
        )
        return Disks(rows.numpy(), columns.numpy(), radius)

    def _images(self) -> Iterator[tuple[Float[np.ndarray, "k h w"], Bool[np.ndarray, "p H W"]]]:
        width = len(self._regions.columns)
        for maps, masks in zip(self._maps, self._masks, strict=True):
            for image, packed in zip(maps, masks, strict=True):
                yield image, np.unpackbits(packed, axis=-1, count=width).view(bool)
