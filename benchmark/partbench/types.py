"""Plain data of partbench: images, batches, explanations, what a performer says of a batch, scores.

Axes: n images, k concepts, h w cells of a concept map, H W pixels, p parts, l landmarks, c outputs of the performer.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partbench import advice
from partbench.advice import advised
from partbench.errors import NotApplicable as NotApplicable
from partbench.nn.receptive_field import ReceptiveField

if TYPE_CHECKING:
    import numpy as np

Split = Literal["train", "test"]


class NegativeMaps(ValueError):
    """An explanation has maps with values below 0."""


class ActivationSource(Protocol):
    """Where activations of images come from: `activations(images, layer)` gives (n, ...) on the performer's device."""

    def activations(self, images: Images, layer: str) -> Tensor: ...


class Images:
    """n images as an explainer gets them: pixels, ids without meaning, and activations of the performer.

    `pixels` are (n, 3, H, W), RGB in [0, 1]. They are a copy that the explainer may write into. `ids` hold no class,
    path, scene or position in the split; an image has the same id in every run. `with_pixels` makes images with other
    pixels, such as occluded ones.
    """

    __slots__ = ("_source", "ids", "pixels")

    def __init__(
        self, ids: Sequence[str], pixels: Float[Tensor, "n 3 H W"], source: ActivationSource | None = None
    ) -> None:
        if len(ids) != len(pixels):
            raise ValueError(f"{len(ids)} ids for {len(pixels)} images")
        self.ids, self.pixels, self._source = tuple(ids), pixels, source

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: slice) -> Images:
        return Images(self.ids[index], self.pixels[index], self._source)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def activations(self, layer: str) -> Tensor:
        """The performer's activations (n, ...) of these pixels at a layer (role or name), on the performer's device.

        Cached for unchanged images of a split, computed for all others. Raises ValueError for images that belong to no
        task, InputError for a layer that the performer lacks.
        """
        if self._source is None:
            raise ValueError("these images belong to no task: there is no performer to ask for activations")
        return self._source.activations(self, layer)

    def with_pixels(self, pixels: Float[Tensor, "m 3 H W"]) -> Images:
        """Images with other pixels for the same performer. m is a multiple of n; each id is repeated m / n times."""
        times, rest = divmod(len(pixels), max(1, len(self)))
        if rest or (len(pixels) and not len(self)):
            raise ValueError(f"{len(pixels)} images, expected a multiple of {len(self)}")
        return Images([image_id for image_id in self.ids for _ in range(times)], pixels, self._source)


def opaque_id(text: str) -> str:
    """16 hex digits: a keyed hash of the readable id of an image."""
    return hashlib.blake2b(text.encode(), digest_size=8, key=b"partbench images").hexdigest()


@dataclass(frozen=True)
class Batch:
    """n images with their annotations; None for annotations that the dataset lacks. Explainers get `images` only.

    Coordinates are in px of these images: pixel i spans [i, i + 1) and has its centre at i + 0.5 (docs/coordinates.md).
    pixels are RGB in [0, 1]; boxes are x0 y0 x1 y1; landmarks are x y, NaN where absent; masks say which pixels show
    each part; part_boxes are x0 y0 x1 y1 of the parts, NaN where absent, for datasets without masks; attributes are
    +1 / -1, NaN where unknown. `source` gives the activations of a batch of a task.
    """

    ids: tuple[str, ...]
    pixels: Float[Tensor, "n 3 H W"]
    labels: Int[Tensor, "n"]
    boxes: Float[Tensor, "n 4"] | None = None
    landmarks: Float[Tensor, "n l 2"] | None = None
    masks: Bool[Tensor, "n p H W"] | None = None
    part_boxes: Float[Tensor, "n p 4"] | None = None
    attributes: Float[Tensor, "n a"] | None = None
    source: ActivationSource | None = dataclasses.field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in px."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    @property
    def images(self) -> Images:
        """The part of this batch that an explainer may see; a new copy at every call."""
        return Images([opaque_id(text) for text in self.ids], self.pixels.clone(), copy.copy(self.source))

    def __getitem__(self, index: slice) -> Batch:
        return self._map(lambda value: value[index])

    def to(self, device: str | torch.device) -> Batch:
        """The same batch with every tensor on `device`."""
        return self._map(lambda value: value.to(device) if isinstance(value, Tensor) else value)

    def _map(self, change: Callable[[Any], Any]) -> Batch:
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        kept = ("source",)
        changed = {name: v if v is None or name in kept else change(v) for name, v in values.items()}
        return Batch(**changed)


FIELDS = ("scores", "contributions", "logits", "explained")  # fields of an Explanation that are always tensors
LAZY = ("maps", "part_drops")  # fields of an Explanation that may be functions
Masking = tuple[Tensor, Tensor] | None  # maps before they were masked and the masks, see `Explainer.unmasked`
SELF_REPORTED = ("explained", "parts", "part_drops")  # claims of an explainer that partbench cannot measure


class Explanation:
    """What an explainer returns for n images. It is immutable, and every field may be None.

    maps (n, k, h, w) >= 0, or a function without arguments that returns them: for maps that are not at hand but have to
    be attributed, such as those of units of vector layers (called at most once, and only if a metric or a picture needs
    maps; `maps_on_demand` says so, before and after). `grid` is the receptive-field geometry that puts cell (i, j) on
    the image, None if the cells tile the image evenly. scores (n, k): how strongly each concept is present.
    contributions (n, k): additive shares of the explained logit. logits (n,): what the explainer predicts for the
    explained logit. explained (n,): that logit where it is not the task performer's; an explainer that is a classifier
    itself gives the same tensor as both. In a task that explains all logits, both are (n, c), a column for each
    category of the dataset in its order.

    parts (k,): the part each concept is assigned to, an index into the dataset's part_names (landmark_names where it
    names no parts), -1 for none; the same for every image. part_drops (n, p), or a function that returns them: how much
    the explained logit falls when the concepts of part p are removed. threshold: where the explainer cuts its logit,
    chosen on training data.

    unmasked (n, k, h, w): the maps before they were masked. Explainers do not give it: `Task.explain` takes it from
    `Explainer.unmasked`, which is called at most once and only if a metric reads it. None for maps without masks.

    Tensors of any floating type become float32 without gradient. Raises ValueError for other types.
    """

    maps_on_demand: bool
    grid: ReceptiveField | None
    scores: Float[Tensor, "n k"] | None
    contributions: Float[Tensor, "n k"] | None
    logits: Float[Tensor, "n *c"] | None
    explained: Float[Tensor, "n *c"] | None
    parts: Int[Tensor, "k"] | None
    threshold: float | None

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
        unmasked: Float[Tensor, "n k h w"] | Callable[[], Float[Tensor, "n k h w"] | None] | None = None,
    ) -> None:
        same = logits is not None and logits is explained
        given = {"scores": scores, "contributions": contributions, "logits": logits, "explained": explained}
        values: dict[str, Any] = {n: None if value is None else as_float32(n, value) for n, value in given.items()}
        if same:
            values["explained"] = values["logits"]
        for name, lazy in (("maps", maps), ("part_drops", part_drops), ("unmasked", unmasked)):
            values[f"_{name}"] = lazy if lazy is None or callable(lazy) else as_float32(name, lazy)
        values |= {"grid": grid, "parts": parts, "threshold": threshold, "maps_on_demand": callable(maps)}
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Explanation cannot be changed; make a new one with another {name}")

    def has(self, name: str) -> bool:
        """Whether the field `name` was given; does not evaluate lazy ones."""
        return self.__dict__[f"_{name}" if name in LAZY else name] is not None

    @property
    def is_classifier(self) -> bool:
        """Whether the explainer is the network it explains: its logits are the explained ones."""
        return self.logits is not None and self.logits is self.explained

    @property
    def maps(self) -> Float[Tensor, "n k h w"]:
        """The concept maps, evaluated once. Raises ValueError if there are none."""
        maps = self._evaluated("maps")
        if maps is None:
            raise ValueError("this explanation has no maps")
        return maps

    @property
    def part_drops(self) -> Float[Tensor, "n p"] | None:
        """The fall of the explained logit without the concepts of each part, evaluated once; None if not given."""
        return self._evaluated("part_drops")

    @property
    def unmasked(self) -> Float[Tensor, "n k h w"] | None:
        """The maps before they were masked, evaluated once; None without masks."""
        return self._evaluated("unmasked")

    def _evaluated(self, name: str) -> Tensor | None:
        value = self.__dict__[f"_{name}"]
        if callable(value):
            made = value()
            value = None if made is None and name == "unmasked" else as_float32(name, made)
            self.__dict__[f"_{name}"] = value
        found: Tensor | None = value
        return found

    def accepted(
        self, n: int, device: torch.device, parts: int | None = None, masking: Callable[[], Masking] | None = None
    ) -> Explanation:
        """A copy of this explanation of n images, checked and on a device; lazy fields are checked when evaluated.

        It shares no memory with the tensors that the explainer holds. `parts` is how many parts the dataset names.
        `masking` is `Explainer.unmasked` for these images; the copy takes its `unmasked` maps from there.
        Raises ValueError, saying what was expected and found, for a wrong shape, a value that is NaN or infinite, a
        negative map, an index that is no part's, or a threshold or grid of another type.
        """
        if self.parts is not None:
            _expect_parts(self.parts, parts)
        self._expect_shapes(n)
        if self.threshold is not None and not (isinstance(self.threshold, Real) and math.isfinite(self.threshold)):
            raise advised(
                ValueError(f"the threshold is {self.threshold!r:.60}, expected a finite number"), advice.THRESHOLD_GRID
            )
        if self.grid is not None and not isinstance(self.grid, ReceptiveField):
            raise advised(
                ValueError(f"the grid is a {type(self.grid).__name__}, expected a ReceptiveField"),
                advice.THRESHOLD_GRID,
            )
        fields: dict[str, Any] = {name: _copied(getattr(self, name), device) for name in FIELDS}
        if self.is_classifier:
            fields["explained"] = fields["logits"]
        fields |= {name: self._accepted_lazily(name, n, device) for name in LAZY if self.has(name)}
        if masking is not None:
            fields["unmasked"] = lambda: _before_masks(masking(), n, device)
        return Explanation(grid=self.grid, parts=_copied(self.parts, device), threshold=self.threshold, **fields)

    def _expect_shapes(self, n: int) -> None:
        concepts = {}
        for name in FIELDS:
            if (value := getattr(self, name)) is None:
                continue
            many = "n k" if name in ("scores", "contributions") else "n c"
            _expect(name, value, n, "n" if name in ("logits", "explained") and value.ndim == 1 else many)
            if many == "n k":
                concepts[name] = value.shape[1]
        if self.has("maps") and not callable(self.__dict__["_maps"]):
            _expect_maps(self.maps, n)
            concepts["maps"] = self.maps.shape[1]
        if self.parts is not None:
            concepts["parts"] = len(self.parts)
        if len(set(concepts.values())) > 1:
            raise advised(ValueError(f"fields disagree on the number of concepts: {concepts}"), advice.SAME_CONCEPTS)

    def _accepted_lazily(self, name: str, n: int, device: torch.device) -> Tensor | Callable[[], Tensor]:
        value = self.__dict__[f"_{name}"]
        check = _expect_maps if name == "maps" else lambda drops, n: _expect("part_drops", drops, n, "n p")

        def accepted() -> Tensor:
            found = as_float32(name, value() if callable(value) else value)
            check(found, n)
            if name == "maps" and self.scores is not None and self.scores.shape[1] != found.shape[1]:
                raise advised(
                    ValueError(f"maps have {found.shape[1]} concepts, scores {self.scores.shape[1]}"),
                    advice.SAME_CONCEPTS,
                )
            return found.to(device, copy=True)

        return accepted if callable(value) else accepted()

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


def as_float32(name: str, value: Any) -> Tensor:
    """A floating tensor as float32 without gradient. Raises ValueError for anything else."""
    if not isinstance(value, Tensor):
        raise advised(ValueError(f"{name} are a {type(value).__name__}, expected a torch tensor"), advice.TENSOR)
    if not value.dtype.is_floating_point:
        kind = str(value.dtype).removeprefix("torch.")
        raise advised(
            ValueError(f"{name} are {kind}, expected floating point numbers; convert them with .float()"), advice.FLOAT
        )
    if value.layout is not torch.strided or value.is_meta:
        kind = "without values (meta)" if value.is_meta else str(value.layout).removeprefix("torch.")
        raise advised(ValueError(f"{name} are {kind}, expected a dense tensor"), advice.TENSOR)
    return value.detach().float()


def _before_masks(masking: Masking, n: int, device: torch.device) -> Tensor | None:
    if masking is None:
        return None
    maps = as_float32("unmasked maps", masking[0])
    _expect("unmasked maps", maps, n, "n k h w")
    return maps.to(device, copy=True)


def _copied(value: Tensor | None, device: torch.device) -> Tensor | None:
    return None if value is None else value.to(device, copy=True)


def _expect(name: str, value: Tensor, n: int, axes: str) -> None:
    rank = len(axes.split())
    if value.ndim != rank or len(value) != n or 0 in value.shape[1:]:
        wanted = axes.replace("n", str(n), 1).replace(" ", ", ")
        raise advised(ValueError(f"{name} are {tuple(value.shape)}, expected ({wanted})"), advice.AXES[name])
    if not bool(torch.isfinite(value).all()):
        raise advised(
            ValueError(f"{name} hold {int((~torch.isfinite(value)).sum())} values that are NaN or infinite"),
            advice.FINITE,
        )


def _expect_maps(maps: Tensor, n: int) -> None:
    _expect("maps", maps, n, "n k h w")
    if maps.numel() and (lowest := float(maps.min())) < 0:
        raise advised(
            NegativeMaps(f"maps must not be negative; the smallest value is {lowest:.3g}"), advice.NEGATIVE_MAPS
        )


def _expect_parts(parts: Tensor, count: int | None) -> None:
    if not isinstance(parts, Tensor):
        raise advised(ValueError(f"parts are a {type(parts).__name__}, expected a torch tensor"), advice.PARTS)
    if parts.ndim != 1 or parts.dtype.is_floating_point or parts.dtype.is_complex or parts.dtype == torch.bool:
        raise advised(
            ValueError(f"parts are {parts.dtype} of shape {tuple(parts.shape)}, expected integers (k,)"), advice.PARTS
        )
    if len(parts) and int(parts.min()) < -1:
        raise advised(
            ValueError(f"parts hold {int(parts.min())}, expected the index of a part, or -1 for none"), advice.PARTS
        )
    if count is not None and len(parts) and int(parts.max()) >= count:
        raise advised(
            ValueError(f"parts hold {int(parts.max())}, expected at most {count - 1}: the dataset names {count} parts"),
            advice.PARTS,
        )


@dataclass(frozen=True)
class PerformerOutputs:
    """What the performer computes for a batch: all logits (n, c), the explained logit (n,) and its index.

    Of an attribute, and of a category that a binary performer tells, the logits are 0 for "no" and the log-odds for
    "yes", index 1: other attributes are no rivals. `target` and `explained` are None where a task explains all logits.
    `positive` marks images of the explained category. `predict` runs the untouched performer on other images of the
    same size. `category` is the index of each image's category among those explained, -1 for none; `category_logits`
    are the logits of these categories. `parts` names the parts of Batch.masks or part_boxes, `located` the landmarks
    that metrics of location use (None: all).
    `part_effects` gives how much the explained logit truly falls when a part is not in the picture, in its units and
    NaN for parts not asked for; None where images cannot be had without a part (see ImageSet).
    `measured_field` gives the diameter in px of what a cell of the maps was measured to see, None where that is
    unknown: see `running.fields`.
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
    measured_field: Callable[[], float | None] = lambda: None

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
    over images, and left out where neither units nor evidence are of images. A metric whose natural unit is the whole
    set gives no units, and its own value. `note` is what a reader of the aggregate must know ("part boxes stand in for
    masks"). `of` is what one value is of ("image", "concept", "part", "pair") where that is not what the metric says.

    `evidence` holds a value of each image whose mean, over the images that have one, is the aggregate
    (see `functional.statistics.pseudovalues`). `images` are their ids. Where units are images, their values are the
    evidence and nothing need be given.
    """

    units: Sequence[str] = ()
    values: Float[np.ndarray, "u"] | Sequence[float] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    of: str | None = None
    images: Sequence[str] = ()
    evidence: Float[np.ndarray, "n"] | Sequence[float] = ()
