"""Plain data of partbench: batches, explanations, what a performer says of a batch, scores.

Axes: n images, k concepts, h w cells of a concept map, H W pixels, p parts, l landmarks, c outputs of the performer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench.nn.receptive_field import ReceptiveField

if TYPE_CHECKING:
    import numpy as np

Split = Literal["train", "test"]


class NotApplicable(Exception):
    """Raised by an explainer or a metric that cannot serve a task: the cell is skipped, for this reason."""


@dataclass(frozen=True)
class Batch:
    """Images and what is known of them; None where the dataset does not know it.

    Coordinates are in px of these images: pixel i spans [i, i + 1) and has its centre at i + 0.5 (docs/coordinates.md).
    pixels are RGB in [0, 1]; boxes are x0 y0 x1 y1; landmarks are x y, NaN where absent; masks say which pixels show
    each part; part_boxes are x0 y0 x1 y1 of the parts, NaN where absent, of datasets that know no masks; attributes are
    +1 / -1, NaN where unknown.
    """

    ids: tuple[str, ...]
    pixels: Float[Tensor, "n 3 H W"]
    labels: Int[Tensor, "n"]
    boxes: Float[Tensor, "n 4"] | None = None
    landmarks: Float[Tensor, "n l 2"] | None = None
    masks: Bool[Tensor, "n p H W"] | None = None
    part_boxes: Float[Tensor, "n p 4"] | None = None
    attributes: Float[Tensor, "n a"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in px."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def __getitem__(self, index: slice) -> Batch:
        return self._map(lambda value: value[index])

    def to(self, device: str | torch.device) -> Batch:
        """The same batch with every tensor on `device`."""
        return self._map(lambda value: value.to(device) if isinstance(value, Tensor) else value)

    def _map(self, change: Callable[[Any], Any]) -> Batch:
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        changed: dict[str, Any] = {name: v if v is None else change(v) for name, v in values.items()}
        return Batch(**changed)


class Explanation:
    """What an explainer returns for a batch of n images; everything may be None.

    maps (n, k, h, w) >= 0, or a function without arguments that returns them: for maps that are not at hand but have to
    be attributed, such as those of units without a place (called only if a metric or a picture needs maps;
    `maps_on_demand` says so, before and after). `grid` is the receptive-field geometry that puts cell (i, j) on the
    image, None if the cells tile the image evenly. scores (n, k): how strongly each concept is present. contributions
    (n, k): additive shares of the explained logit. logits (n,): what the explainer predicts for the explained logit.
    explained (n,): that logit where it is not the task performer's; an explainer that is a classifier itself gives the
    same tensor as both. In a task that explains all logits, both are (n, c), a column for each category of the dataset
    in its order.

    parts (k,): the part each concept is assigned to, an index into the dataset's part_names (landmark_names where it
    names no parts), -1 for none; the same for every image. part_drops (n, p), or a function that returns them: how much
    the explained logit falls when the concepts of part p are removed. threshold: where the explainer cuts its logit,
    chosen on training data.
    """

    def __init__(
        self,
        maps: Float[Tensor, "n k h w"] | Callable[[], Float[Tensor, "n k h w"]] | None = None,
        *,
        grid: ReceptiveField | None = None,
        scores: Float[Tensor, "n k"] | None = None,
        contributions: Float[Tensor, "n k"] | None = None,
        logits: Float[Tensor, "n *c"] | None = None,
        explained: Float[Tensor, "n *c"] | None = None,
        parts: Int[Tensor, "k"] | None = None,
        part_drops: Float[Tensor, "n p"] | Callable[[], Float[Tensor, "n p"]] | None = None,
        threshold: float | None = None,
    ) -> None:
        self._maps = maps
        self.maps_on_demand = callable(maps)
        self.grid = grid
        self.scores = scores
        self.contributions = contributions
        self.logits = logits
        self.explained = explained
        self.parts = parts
        self._part_drops = part_drops
        self.threshold = threshold

    def has(self, name: str) -> bool:
        """Whether the field `name` was given; does not evaluate lazy ones."""
        return getattr(self, f"_{name}" if name in ("maps", "part_drops") else name) is not None

    @property
    def is_classifier(self) -> bool:
        """Whether it stands for itself: its logits are the explained ones, and there is nothing to be faithful to."""
        return self.logits is not None and self.logits is self.explained

    @property
    def maps(self) -> Float[Tensor, "n k h w"]:
        """The concept maps, evaluated once. Raises ValueError if there are none."""
        if callable(self._maps):
            self._maps = self._maps()
        if self._maps is None:
            raise ValueError("this explanation has no maps")
        return self._maps

    @property
    def part_drops(self) -> Float[Tensor, "n p"] | None:
        """The fall of the explained logit without the concepts of each part, evaluated once; None if not given."""
        if callable(self._part_drops):
            self._part_drops = self._part_drops()
            _expect("part_drops", self._part_drops, len(self._part_drops), "n p")
        return self._part_drops

    def validate(self, n: int) -> None:
        """Raise ValueError, saying what was expected and found, unless this explains n images in the stated shapes."""
        for name in ("scores", "contributions", "logits", "explained"):
            value = getattr(self, name)
            if value is not None:
                many = "n k" if name in ("scores", "contributions") else "n c"
                _expect(name, value, n, "n" if name in ("logits", "explained") and value.ndim == 1 else many)
        concepts = {name: v.shape[1] for name in ("scores", "contributions") if (v := getattr(self, name)) is not None}
        if self._maps is not None and not callable(self._maps):
            _expect("maps", self._maps, n, "n k h w")
            if (lowest := float(self._maps.min())) < 0:
                raise ValueError(f"maps must not be negative; the smallest value is {lowest:.3g}")
            concepts["maps"] = self._maps.shape[1]
        if self.parts is not None:
            _expect_parts(self.parts)
            concepts["parts"] = len(self.parts)
        if self._part_drops is not None and not callable(self._part_drops):
            _expect("part_drops", self._part_drops, n, "n p")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ValueError(f"the threshold is {self.threshold}, expected a finite number")
        if len(set(concepts.values())) > 1:
            raise ValueError(f"fields disagree on the number of concepts: {concepts}")

    def upsampling(self, height: int, width: int) -> tuple[Float[Tensor, "H h"], Float[Tensor, "W w"]]:
        """Two matrices A, B with `A @ map @ B.T` the map bilinearly resampled at its place on the image.

        Grid points stand at receptive-field centres (Network Dissection's placement); rows sum to 1.
        """
        h, w = self.maps.shape[-2:]
        rows = self.grid or ReceptiveField.tiling(h, height)
        columns = self.grid or ReceptiveField.tiling(w, width)
        like = self.maps
        return rows.interpolation(h, height).to(like), columns.interpolation(w, width).to(like)

    def heatmaps(self, height: int, width: int) -> Float[Tensor, "n k H W"]:
        """The maps at image resolution (see `upsampling`), in the units of `maps`."""
        rows, columns = self.upsampling(height, width)
        return rows @ self.maps @ columns.T


def _expect(name: str, value: Tensor, n: int, axes: str) -> None:
    rank = len(axes.split())
    if value.ndim != rank or len(value) != n or 0 in value.shape:
        wanted = axes.replace("n", str(n), 1).replace(" ", ", ")
        raise ValueError(f"{name} are {tuple(value.shape)}, expected ({wanted})")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} hold {int((~torch.isfinite(value)).sum())} values that are NaN or infinite")


def _expect_parts(parts: Tensor) -> None:
    if parts.ndim != 1 or parts.dtype.is_floating_point or parts.dtype.is_complex or parts.dtype == torch.bool:
        raise ValueError(f"parts are {parts.dtype} of shape {tuple(parts.shape)}, expected integers (k,)")
    if len(parts) and int(parts.min()) < -1:
        raise ValueError(f"parts hold {int(parts.min())}, expected the index of a part, or -1 for none")


@dataclass(frozen=True)
class PerformerOutputs:
    """What the performer says of a batch: all logits (n, c), the explained one (n,) and its index; names.

    Of an attribute, the logits are those of "has it not", always 0, and "has it", index 1: other attributes are no
    rivals. `target` and `explained` are None where a task explains all logits. `positive` marks images of the explained
    category. `predict` runs the untouched performer on other images of the same size. `category` is the index of each
    image's category among those explained, -1 for none; `category_logits` are the logits of these categories. `parts`
    names the parts of Batch.masks or part_boxes, `located` the landmarks that metrics of location use (None: all).
    `part_effects` gives how much the explained logit truly falls when a part is not in the picture, in its units and
    NaN for parts not asked for; None where images cannot be had without a part (see ImageSet).
    """

    logits: Float[Tensor, "n c"]
    positive: Bool[Tensor, "n"]
    target: int | None
    explained: Float[Tensor, "n"] | None
    predict: Callable[[Float[Tensor, "n 3 H W"]], Float[Tensor, "n c"]]
    category: Int[Tensor, "n"] | None = None
    category_logits: Float[Tensor, "n k"] | None = None
    parts: tuple[str, ...] = ()
    located: tuple[int, ...] | None = None
    part_effects: Callable[[Bool[Tensor, "n p"]], Float[Tensor, "n p"]] | None = None

    def predicted_and_explained(self, explanation: Explanation) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
        """What the explainer predicts and the logit it explains: its own where it gives one, else the performer's.

        On the CPU, in double precision. Raises NotApplicable where no single logit is predicted from another.
        """
        explained = self.explained if explanation.explained is None else explanation.explained
        if explained is None or explained.ndim > 1:
            raise NotApplicable("all logits are explained, not one")
        if explanation.logits is None:
            raise NotApplicable("no logits are predicted")
        if explanation.is_classifier:
            raise NotApplicable("the explainer is the network it explains")
        return explanation.logits.detach().double().cpu(), explained.detach().double().cpu()


@dataclass
class Scores:
    """What a metric computes under one name: a value per unit, an aggregate and its 95 % interval.

    `units` names the units (image ids, filters, pairs); `values` are NaN where a unit has no value. Without `value`
    the aggregate is the mean over units that have one. `low`, `high` bound it; without them they are bootstrapped
    over units. A metric whose natural unit is the whole set gives no units, and its own value and bounds. `note` is
    what a reader of the aggregate must know ("part boxes stand in for masks").
    """

    units: Sequence[str] = ()
    values: Float[np.ndarray, "u"] | Sequence[float] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
