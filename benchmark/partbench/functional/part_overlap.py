"""Whether filters mark parts: thresholds of maps, regions above them, and their overlap with parts, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from math import floor
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from partbench.nn.receptive_field import ReceptiveField
from partbench.types import Batch, Explanation, NotApplicable


def thresholds(maps: Sequence[Float[np.ndarray, "n k h w"]], quantile: float) -> Float[np.ndarray, "k"]:
    """The smallest cell value T of each filter with at most a share `quantile` of all its cells above it.

    Exact: the order statistic that numpy calls the "inverted_cdf" quantile at 1 - quantile. Where values are tied, as
    the zeros of a sparse filter are, fewer cells than the share may lie above it. Where no cell does, the cells that
    are tied at the maximum go in: T is then half-way to the next smaller value. Only a constant has no cell above T.
    """
    cells = sum(part[:, 0].size for part in maps)
    rank = cells - 1 - floor(quantile * cells + 1e-9)
    found = []
    for f in range(maps[0].shape[1]):
        values = np.concatenate([part[:, f].ravel() for part in maps])
        values.partition(rank)
        found.append(_below_ties(values, rank))
    return np.array(found)


def _below_ties(values: Float[np.ndarray, "n"], rank: int) -> np.floating:
    """The value at `rank`, from values partitioned there; half-way to the next smaller one if none is larger."""
    at = values[rank]
    if (values[rank:] > at).any() or not (smaller := values[values < at]).size:
        return at
    below = smaller.max()
    middle = below + (at - below) / 2
    return middle if middle < at else below


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


class MarkedParts(NamedTuple):
    """Which filters mark which parts on which images (`hits`), and which images show the parts (`shown`)."""

    hits: Bool[np.ndarray, "n k p"]
    shown: Bool[np.ndarray, "n p"]

    @property
    def shares(self) -> Float[np.ndarray, "k p"]:
        """P_fk in [0, 1]; NaN for parts that no image shows."""
        hits, shown = self.hits.sum(0).astype(float), self.shown.sum(0)
        return np.divide(hits, shown, out=np.full_like(hits, np.nan), where=shown > 0)

    def evidence(self, parts: Int[np.ndarray, "k"]) -> Float[np.ndarray, "n"]:
        """The evidence of each image for the mean over filters f of P_fk, with k = parts[f]: see `Scores`.

        Of image i of N: the mean over f of P_fk + [i is among the n images of k] (N / n) (whether f marks k - P_fk).
        """
        hits, shown = self.hits[:, np.arange(len(parts)), parts], self.shown[:, parts]
        images = shown.sum(0)
        shares = hits.sum(0) / images
        effects = np.where(shown, hits - shares, 0.0) * (len(shown) / images)
        evidence: Float[np.ndarray, "n"] = (shares + effects).mean(1)
        return evidence


@dataclass
class PartOverlap:
    """P_fk: how often filter f marks part k, over the images that show the part, gathered batch by batch.

    Source: paper on interpretable CNNs, section 5.2.1, after Network Dissection. T_f is the threshold that a share
    `quantile` of all cells of the filter's maps exceed (strictly; exact, see `thresholds`, also for ties). A filter
    marks a part of an image where the region above T_f and the part have an IoU above `overlap`.

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
    _grid: ReceptiveField | None = field(init=False, default=None, repr=False)  # of the first batch, as is the size
    _size: tuple[int, int] = field(init=False, default=(0, 0), repr=False)

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
            self._grid, self._size = explanation.grid, (height, width)
        self._masks.append(np.packbits(masks, axis=-1))
        self._maps.append(np.array(explanation.maps.detach().float().cpu().numpy(), order="C"))

    def shares(self) -> Float[np.ndarray, "k p"]:
        """P_fk in [0, 1]; NaN for parts that no image shows. Some images must have been added."""
        return self.marked_parts([self.radius])[0].shares

    def marked_parts(self, radii: Sequence[float | None]) -> list[MarkedParts]:
        """Which filters mark which parts, image by image, with disks of each of these radii."""
        limits = thresholds(self._maps, self.quantile)[:, None, None]
        shown = np.concatenate([masks.any((2, 3)) for masks in self._masks])
        found = []
        for regions in map(self._regions, radii):
            # a map less its threshold: pixels among cells equal to it are exactly 0, whatever the rounding
            hits = [associated(maps - limits, masks, regions, self.overlap) for maps, masks in self._images()]
            found.append(MarkedParts(np.stack(hits), shown))
        return found

    def _regions(self, radius: float | None) -> Regions:
        cells = self._maps[0].shape[-2:]
        if self.region == "upsampled":
            one = Explanation(torch.zeros(1, 1, *cells), grid=self._grid)
            rows, columns = one.upsampling(*self._size)
            return Upsampled(rows.numpy(), columns.numpy())
        sides = list(zip(cells, self._size, strict=True))
        fields = [self._grid or ReceptiveField.tiling(*side) for side in sides]
        rows, columns = (
            (torch.arange(pixels)[:, None] + 0.5 - axis.centres(count)) ** 2
            for axis, (count, pixels) in zip(fields, sides, strict=True)
        )
        return Disks(rows.numpy(), columns.numpy(), radius or max(axis.stride for axis in fields))

    def _images(self) -> Iterator[tuple[Float[np.ndarray, "k h w"], Bool[np.ndarray, "p H W"]]]:
        for maps, masks in zip(self._maps, self._masks, strict=True):
            for image, packed in zip(maps, masks, strict=True):
                yield image, np.unpackbits(packed, axis=-1, count=self._size[1]).view(bool)
