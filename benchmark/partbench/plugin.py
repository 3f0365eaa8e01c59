"""The base classes of the four kinds of plugin, and of a split of a dataset.

Each optional capability is a method or an attribute of a base class, with a default for plugins that lack it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench.advice import ABSENT, advised
from partbench.errors import InputError
from partbench.options import resolve_options
from partbench.types import Batch, Explanation, Images, NotApplicable, PerformerOutputs, Scores

if TYPE_CHECKING:
    from partbench.performer import Performer
    from partbench.task import TrainingTask

Control = Literal["", "floor", "ablation", "baseline"]


class Remarked(NamedTuple):
    """A reported value, and what a reader of it must know in a few words ("at chance")."""

    value: float
    remark: str


Progress = Callable[[str, int, int], None]
Negatives = Literal["", "random", "others"]  # of a single task: random images; images of all other classes too
OTHER = "other"  # the class of random images, in datasets that have one


def silent(what: str, done: int, total: int) -> None:
    """Ignore progress."""


class Explainer:
    """A dataclass whose fields are its options; `name` is what users type.

    `fit` learns from training images and the performer's activations of them; `explain` may be called for any images
    afterwards. Raise `NotApplicable` from `fit` for a task that cannot be explained this way.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        """Set the options that were left out and check all options: see `resolve_options`."""
        if dataclasses.is_dataclass(self):
            resolve_options(self)

    def fit(self, task: TrainingTask) -> None:
        """Learn from the training images. Raises NotApplicable for a task that cannot be explained this way."""
        raise NotImplementedError

    def explain(self, images: Images) -> Explanation:
        """The explanation of n images. That of an image must not depend on the others in the batch."""
        raise NotImplementedError

    def report(self) -> Mapping[str, float | Remarked]:
        """Numbers by name that the explainer reports of itself after `fit`; they become rows of the results.

        A `Remarked` number comes with words on what a reader must know ("the network is at chance").

        `name@layer` is the value of one layer; `bench show` draws these. A name that ends in `_share` is a fraction in
        [0, 1].
        """
        return {}

    def curves(self) -> Mapping[str, Sequence[float]]:
        """Values by name along the training, one for each epoch, after `fit`; `bench show` draws them."""
        return {}

    def concept_names(self) -> tuple[str, ...]:
        """Names of the concepts for pictures, after `fit`; empty to show their numbers."""
        return ()

    def unmasked(self, images: Images) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]] | None:
        """Maps before they were masked, and the masks in [0, 1]: their product is `maps`. None without masks.

        Pictures show both, and metrics of location read these maps too (`location_instability@unmasked`).
        """
        return None

    def head(self, images: Images) -> nn.Module | None:
        """A module that takes maps of these images (n, k, h, w) to its logits: (n,) or (n, 1), or (n, categories).

        Grad-CAM on its maps is drawn beside the performer's. None where no logit follows from maps.
        """
        return None

    def builds_on(self, task: TrainingTask) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Name and options of the explainers whose trained networks `fit` loads from the cache, or trains if need be.

        A run fits them first, once. Called before `fit`.
        """
        return ()

    def baseline(self) -> Explainer | None:
        """A fitted explainer to draw contributions beside, or None."""
        return None

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n *c"] | None:
        """The explained logit (n,), or logits (n, c), when these concepts are removed; None where they cannot be."""
        return None

    def control(self) -> Control:
        """What this explainer, with its present options, is a control for.

        "floor": it sees nothing of what the network makes of an image. "ablation": a method without one of its
        components. "baseline": an ordinary network. "": no control. Boards accept floors, ablations and baselines from
        the distribution partbench alone.
        """
        return ""

    def deterministic(self) -> bool:
        """Whether this explainer, with its present options, draws no random numbers: all seeds give the same values.

        Boards accept this from the distribution partbench; explainers of others need two seeds on every task.
        """
        return False

    def explains(self, task: TrainingTask) -> tuple[str, Mapping[str, Any]] | None:
        """The trained network that the explanation is of, where it is not the performer.

        Name and options of the explainer that trains it, which may be this one. Explainers of one network name the
        same. Called after `fit`.
        """
        return None

    def compared_with(self) -> tuple[str, Mapping[str, Any]] | None:
        """Name and options of the explainer that its authors compare it with, if there is one."""
        return None


class ImageSet:
    """A split of a dataset: labels at hand, images read on demand.

    `fingerprint` changes when the data changes. `labels` are (N,), indices into the dataset's classes. `attributes` are
    (N, a), +1 / -1, NaN where unknown, for datasets with attributes. Long steps report to `progress`.
    """

    fingerprint: str
    labels: Int[Tensor, "N"]
    attributes: Float[Tensor, "N a"] | None = None
    progress: Progress = staticmethod(silent)
    has_removals: bool = False  # whether `batch_without` is offered
    thread_safe: bool = False  # whether `batch` may be called from several threads at once, to read images ahead

    def __len__(self) -> int:
        raise NotImplementedError

    def batch(self, indices: Sequence[int]) -> Batch:
        """The images at these places; the same pixels at every call."""
        raise NotImplementedError

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        """The same images with one of the dataset's `part_names` not painted and nothing else changed.

        What lies behind the part appears; masks and landmarks are those of the new images, ids differ. Raises
        NotApplicable where images cannot be had without a part.
        """
        raise NotApplicable("images of this dataset cannot be had without a part")


@dataclass(frozen=True)
class DatasetCard:
    """What a user must know to get a dataset, as `bench data info` shows it.

    `source` is where to get it, `size` that of the download, `licence` its terms in a few words, `citation` the
    publication, `layout` the folder that --data-root names. `train`, `test` and `categories` are the published counts,
    None where none is published.
    """

    source: str
    size: str
    licence: str
    citation: str
    layout: str = ""
    train: int | None = None
    test: int | None = None
    categories: int | None = None


class Dataset:
    """A dataset, opened as `cls(root, size)`: images of `size` px in two disjoint splits.

    `root` is the folder that holds the data in its official layout, None for embedded data; a missing or broken folder
    raises InputError naming the file. `classes[i]` names label i; `categories` are the classes that are explained.
    `landmark_names` and `part_names` name the axes of Batch.landmarks and of Batch.masks (or part_boxes); `located`
    are the landmarks that metrics of location use, None for all.

    `attribute_names` name the axis of Batch.attributes. `attribute_tasks` map tasks "attribute-..." to the attribute
    explained: an image has it (label 1) or not (0). Where these tasks have other images, `attribute_images` is the
    class of the dataset to open for them; it may have another default performer. Where single tasks have other images
    or other categories, `single_images` is the class to open for them; its categories are the single tasks.

    Random images, of none of the categories, are the negatives of single tasks: those of a class `other`, or else what
    `random_images` gives where a dataset offers them. `negatives` is "" but for a dataset as a single task sees it:
    then it has one category, label 1, and a performer opened for it has one output, the log-odds of the category.

    A folder may hold images of some categories only: `categories_in` says which. `card` says where to get the data.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str]
    needs_root: ClassVar[bool] = False
    classes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    landmark_names: tuple[str, ...] = ()
    part_names: tuple[str, ...] = ()
    located: tuple[str, ...] | None = None
    attribute_names: tuple[str, ...] = ()
    attribute_tasks: Mapping[str, str] = {}
    attribute_images: ClassVar[type[Dataset] | None] = None
    single_images: ClassVar[type[Dataset] | None] = None
    card: ClassVar[DatasetCard | None] = None
    offers_random_images: ClassVar[bool] = False
    negatives: Negatives = ""
    size: int
    train: ImageSet
    test: ImageSet

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        self.size = size

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """Those of `categories` that a folder has images of, found without opening the dataset; by default all.

        Raises InputError where the folder is broken. What is opened has these `classes` and `categories`.
        """
        return cls.categories

    @classmethod
    def has_random_images(cls, root: Path | None) -> bool:
        """Whether a folder holds random images of the dataset's own, found without opening it.

        By default whether the dataset has a class `other` or offers random images.
        """
        return OTHER in cls.classes or cls.offers_random_images

    def random_images(self) -> tuple[ImageSet, ImageSet]:
        """Random images for training and for testing, of `size` px; their labels are not used.

        Raises NotApplicable where the dataset offers none.
        """
        raise NotApplicable(f"{self.name} has no random images of its own")


class DatasetView(Dataset):
    """An opened dataset as a task of another kind needs it.

    Name, version, size, landmarks, parts and names of attributes are those of `dataset`; a subclass says which classes,
    categories and splits it has.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(None, dataset.size)
        self.dataset = dataset
        self.name, self.version = dataset.name, dataset.version  # type: ignore[misc]
        self.default_performer = dataset.default_performer  # type: ignore[misc]
        self.landmark_names, self.part_names, self.located = (
            dataset.landmark_names, dataset.part_names, dataset.located,
        )  # fmt: skip
        self.attribute_names = dataset.attribute_names


class Metric:
    """Base of metrics: a dataclass whose fields are its options. It gets batch after batch and never stores pixels.

    `needs` lists the fields of Explanation and Batch without which there is no score. `images` says which images the
    metric is fed: those of the explained category or all. `bounds` is the range of its values; those of a variant may
    leave it; `unit` is what they are in ("logits", "px"), for readers. `of` is what one value is of; a metric of "all"
    has one value for all images and concepts together.

    Options have types that hold their bounds, such as `Annotated[float, Gt(0)]`. A value outside of them raises
    InputError when the metric is made.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ()
    images: ClassVar[Literal["positive", "all"]] = "positive"
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    unit: ClassVar[str] = ""
    of: ClassVar[Literal["image", "concept", "part", "pair", "all"]] = "image"

    def __post_init__(self) -> None:
        """Check the options: see `resolve_options`."""
        if dataclasses.is_dataclass(self):
            resolve_options(self)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the metric cannot serve the task or the explanation."""
        raise _lacking(self, "update(batch, explanation, outputs)")

    def compute(self) -> dict[str, Scores]:
        """Scores of all batches so far, by name: the metric's own first, then its variants, as in `name@variant`."""
        raise _lacking(self, "compute()")


@dataclass
class ImageMetric(Metric):
    """Base of metrics with one value per image: a subclass returns the values of each batch, by reading.

    A reading is "" for the metric itself or "@variant" for a variant of it.
    """

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _readings: dict[str, list[np.ndarray]] = field(init=False, default_factory=dict, repr=False)

    def readings(
        self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs
    ) -> dict[str, Float[np.ndarray, "n"]]:
        """The values of the images of a batch, by reading; the same readings for every batch.

        NaN where an image has no value. Masked (numpy.ma) where a reading does not count an image at all.
        """
        raise _lacking(self, "readings(batch, explanation, outputs)")

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add the readings of a batch."""
        for reading, values in self.readings(batch, explanation, outputs).items():
            self._readings.setdefault(reading, []).append(values)
        self._ids += batch.ids

    def compute(self) -> dict[str, Scores]:
        """The values of the images that count, by reading."""
        return {f"{self.name}{reading}": self.scores(self.gathered(reading)) for reading in self._readings}

    def gathered(self, reading: str = "") -> np.ma.MaskedArray:
        """The values of a reading of all images so far."""
        values: np.ma.MaskedArray = np.ma.concatenate(self._readings[reading])
        return values

    def scores(self, values: Float[np.ndarray, "n"]) -> Scores:
        """Scores of a value for each image so far; masked ones are left out."""
        counts = ~np.ma.getmaskarray(values)
        ids = tuple(name for name, counted in zip(self._ids, counts, strict=True) if counted)
        return Scores(ids, np.ma.getdata(values)[counts].astype(float))


def _lacking(plugin: object, method: str) -> NotImplementedError:
    return advised(NotImplementedError(f"{type(plugin).__name__} has no method {method}"), ABSENT)


class PerformerPlugin:
    """Opens a performer for a dataset. A performer that has to be trained is trained once and cached."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    input_size: ClassVar[int]

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        """The frozen performer. Raises InputError where it does not fit the dataset."""
        raise NotImplementedError

    @classmethod
    def outline(cls, dataset: Dataset, device: torch.device) -> Performer:
        """As `open`, for what is said of its layers; a performer that is trained may leave its weights random here."""
        return cls.open(dataset, device)

    @classmethod
    def variant(cls, name: str) -> type[PerformerPlugin]:
        """The performer of a name that begins with this one's and goes on with options, as in `vgg_16,weights=random`.

        For a performer called "library:NAME": that of a name "library:...". Raises InputError where there is none.
        """
        raise InputError(f"performer {cls.name} has no options, found '{name}'")
