"""The base classes of datasets and of their splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from jaxtyping import Float, Int
from torch import Tensor

from partbench.types import Batch, NotApplicable

Progress = Callable[[str, int, int], None]
Negatives = Literal["", "random", "others"]  # of a single task: random images; images of all other classes too
OTHER = "other"  # the class of random images, in datasets that have one


def silent(what: str, done: int, total: int) -> None:
    """Ignore progress."""


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
    publication, `layout` the folder that --data-root names. `images` (of both splits), `train`, `test` and `categories`
    are the published counts, None where none is published.
    """

    source: str
    size: str
    licence: str
    citation: str
    layout: str = ""
    train: int | None = None
    test: int | None = None
    categories: int | None = None
    images: int | None = None


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
