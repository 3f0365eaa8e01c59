"""The dataset `animal_part`: crops of photographs of thirty animals, with head and legs, and photos without them.

ILSVRC 2013 DET Animal-Part, published with "Interpretable Convolutional Neural Networks" (Zhang, Wu, Zhu, CVPR 2018,
section 6).
"""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from partbench import Batch, Dataset, DatasetCard, ImageSet, InputError, hookimpl
from partbench.datasets.animal_part.layout import (
    FRAME,
    PARTS,
    TRUTH_FOLDER,
    AnimalPartFolder,
    Photo,
    category_photos,
    has_negatives,
    negative_photos,
    whole,
)
from partbench.datasets.data_root import given_root
from partbench.datasets.matlab.process import MatlabProcess
from partbench.datasets.photograph import CropMemory, as_pixels, crop, decode

WNIDS = {  # WordNet ids of ILSVRC's categories
    "antelope": "n02419796", "armadillo": "n02454379", "bear": "n02131653", "bird": "n01503061", "camel": "n02437136",
    "cat": "n02121808", "cattle": "n02402425", "dog": "n02084071", "elephant": "n02503517", "fox": "n02118333",
    "frog": "n01639765", "giant_panda": "n02510455", "goldfish": "n01443537", "hamster": "n02342885",
    "hippopotamus": "n02398521", "horse": "n02374451", "koala": "n01882714", "lion": "n02129165",
    "lizard": "n01674464", "lobster": "n01982650", "monkey": "n02484322", "otter": "n02444819", "rabbit": "n02324045",
    "red_panda": "n02509815", "sheep": "n02411705", "squirrel": "n02355227", "swine": "n02395003",
    "tiger": "n02129604", "turtle": "n01662784", "zebra": "n02391049",
}  # fmt: skip
OTHER = "other"
MATLAB_SHIFT = 0.5  # px: MATLAB puts the centre of the first pixel at 1, a Batch puts it at 0.5


class AnimalPartSet(ImageSet):
    """One split: photos cropped to the animal's box and stretched to `size` px.

    `centre_counts` (N, p): how many centres the truth files give; landmarks and part boxes are NaN unless it is 1.
    """

    thread_safe: bool = True

    def __init__(self, photos: list[Photo], size: int, fingerprint: str, memory: CropMemory) -> None:
        self.photos, self.size, self.fingerprint, self._memory = photos, size, fingerprint, memory
        self.labels: Int[Tensor, "N"] = torch.tensor([photo.label for photo in photos])
        self.centre_counts: Int[Tensor, "N p"] = torch.from_numpy(np.stack([photo.found for photo in photos]))
        self._centres: Float[Tensor, "N p 2"] = self._pixels(
            np.stack([photo.centres for photo in photos]) - MATLAB_SHIFT
        )
        self._extents: Float[Tensor, "N p 2"] = self._pixels(np.stack([photo.extents for photo in photos]))

    def __len__(self) -> int:
        return len(self.photos)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Crops as RGB in [0, 1]; the box is the whole crop, since the crop is the box.

        Landmarks are x y in px (docs/coordinates.md). Raises InputError naming the photo that cannot be decoded.
        """
        rows = list(indices)
        return Batch(
            ids=tuple(self.photos[i].id for i in rows),
            pixels=as_pixels([self._crop(self.photos[i]) for i in rows], self.size),
            labels=self.labels[rows],
            boxes=torch.tensor([[0.0, 0.0, self.size, self.size]]).repeat(len(rows), 1),
            landmarks=self._centres[rows],
            part_boxes=self.part_boxes(rows),
        )

    def part_boxes(self, indices: Sequence[int]) -> Float[Tensor, "n p 4"]:
        """Boxes x0 y0 x1 y1 of the parts in px, cut off at the crop; NaN where unknown."""
        centres, half = self._centres[list(indices)], self._extents[list(indices)] / 2
        return torch.cat([centres - half, centres + half], -1).clamp(0, self.size)

    def _pixels(self, frame: Float[ndarray, "N p 2"]) -> Float[Tensor, "N p 2"]:
        """(row, col) lengths in the annotation frame as (x, y) lengths in px of the crop."""
        return torch.from_numpy(frame[..., ::-1] * (self.size / FRAME)).float()

    def _crop(self, photo: Photo) -> UInt8[ndarray, "size size 3"]:
        return self._memory.get(photo.id, lambda: self._read(photo))

    def _read(self, photo: Photo) -> UInt8[ndarray, "size size 3"]:
        try:
            return crop(decode(photo.path), photo.box, self.size)
        except ValueError as error:
            raise InputError(f"{photo.path}: {error}; copy the photo and its data.mat again") from error


class AnimalPart(Dataset):
    """Photographs of thirty animals, or of those that the folder holds, with head and legs, and random photographs.

    Random photographs are the class "other"; a folder without neg/ has none. Half of the photos of each class are for
    training, half for testing; no randomness. Raises InputError naming the file if the folder is missing, half-copied
    or broken; warns of single truncated photos, which are left out.
    """

    name: ClassVar[str] = "animal_part"
    version: ClassVar[str] = "1"
    default_performer: ClassVar[str] = "lite0_head"
    needs_root: ClassVar[bool] = True
    card: ClassVar[DatasetCard | None] = DatasetCard(
        source="https://github.com/zqs1022/detanimalpart (annotations, and photographs of ILSVRC 2013 DET)",
        size="not published",
        licence="ImageNet's terms: non-commercial research and education; the photographs belong to their owners",
        citation="Zhang, Wu, Zhu: Interpretable Convolutional Neural Networks. CVPR 2018",
        layout=f"a folder with n02121808_obj/, n02402425_obj/, ..., neg/ and {TRUTH_FOLDER}/",
        categories=len(WNIDS),
        images=15_067 + 1_000,  # of animals and of neg/
    )
    classes: tuple[str, ...] = (*WNIDS, OTHER)
    categories: tuple[str, ...] = tuple(WNIDS)
    landmark_names: tuple[str, ...] = PARTS
    part_names: tuple[str, ...] = PARTS

    def __init__(self, root: Path | None = None, size: int = FRAME) -> None:
        super().__init__(root, size)
        root = _given(root)
        self.categories = _present(root)
        self.classes = (*self.categories, OTHER) if has_negatives(root) else self.categories
        with MatlabProcess() as process:
            folder = AnimalPartFolder(root, process)
            photos = negative_photos(folder, len(self.categories)) if OTHER in self.classes else []
            for label, category in enumerate(self.categories):
                photos += category_photos(folder, category, WNIDS[category], label)
        self._warn_of_what_is_absent(root)
        train, test = halves(whole(photos))
        memory = CropMemory()
        self.train = AnimalPartSet(train, size, self._fingerprint(folder, "train"), memory)
        self.test = AnimalPartSet(test, size, self._fingerprint(folder, "test"), memory)

    @classmethod
    def categories_in(cls, root: Path | None) -> tuple[str, ...]:
        """The animals that a folder holds photographs of."""
        return _present(_given(root))

    @classmethod
    def has_random_images(cls, root: Path | None) -> bool:
        """Whether a folder holds neg/; True where none is named."""
        return root is None or has_negatives(root)

    def _warn_of_what_is_absent(self, root: Path) -> None:
        if absent := [name for name in WNIDS if name not in self.categories]:
            counts = f"{len(self.categories)} of {len(WNIDS)} categories, without {', '.join(absent)}"
            warnings.warn(f"animal_part: {root} holds {counts}", stacklevel=3)
        if OTHER not in self.classes:
            use = "single tasks (animal_part/CATEGORY) need --other FOLDER"
            warnings.warn(f"animal_part: {root} holds no random photographs (neg/*.JPEG); {use}", stacklevel=3)

    def _fingerprint(self, folder: AnimalPartFolder, split: str) -> str:
        text = f"{self.name} {self.version} {self.size} {split} {folder.digest.hexdigest()}"
        return hashlib.sha256(text.encode()).hexdigest()


def halves(photos: list[Photo]) -> tuple[list[Photo], list[Photo]]:
    """Photos for training and for testing: every second one of each class goes to the test half.

    Photos with a landmark and photos without are dealt out separately, since only the first few hundred of a category
    are annotated and either half needs its share. Both halves are sorted by class, then by number.
    """
    groups: dict[tuple[int, bool], list[Photo]] = defaultdict(list)
    for photo in photos:
        groups[photo.label, bool((photo.found == 1).any())].append(photo)
    order: Callable[[Photo], tuple[int, str]] = lambda photo: (photo.label, photo.id)  # noqa: E731
    train = [photo for group in groups.values() for photo in group[0::2]]
    test = [photo for group in groups.values() for photo in group[1::2]]
    return sorted(train, key=order), sorted(test, key=order)


WANTED = f"the folder that holds {WNIDS['cat']}_obj/, {WNIDS['cattle']}_obj/, ..., neg/"


def _given(root: Path | None) -> Path:
    return given_root("animal_part", root, WANTED)


def _present(root: Path) -> tuple[str, ...]:
    """The animals that there is a folder of. Raises InputError if there are none."""
    found = tuple(name for name, wnid in WNIDS.items() if (root / f"{wnid}_obj").is_dir())
    if not found:
        example = f"such as {WNIDS['cat']}_obj/ (cat)"
        raise InputError(f"{root} has no folder of a category, {example}; name {WANTED}")
    return found


@hookimpl
def register_datasets(register: Callable[[type], None]) -> None:
    register(AnimalPart)
