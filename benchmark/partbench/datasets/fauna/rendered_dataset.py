"""Datasets of rendered scenes, which come with partbench."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

from partbench import Dataset, DatasetCard, ImageSet
from partbench.datasets.fauna.scene_set import FaunaSet


class Splits(NamedTuple):
    """Scenes for training and for testing: of which set, of which seeds, and how many."""

    kind: type[FaunaSet]
    seeds: tuple[int, int]
    counts: tuple[int, int]

    def at(self, size: int) -> tuple[FaunaSet, FaunaSet]:
        """Both splits, at `size` px."""
        train, test = (self.kind(seed, count, size) for seed, count in zip(self.seeds, self.counts, strict=True))
        return train, test

    def card(self, categories: int) -> DatasetCard:
        """The card of a dataset with these splits and as many categories: there is nothing to download."""
        train, test = self.counts
        return DatasetCard(
            source="comes with partbench, which renders the images",
            size="none",
            licence="Apache-2.0",
            citation="partbench",
            train=train,
            test=test,
            categories=categories,
        )


class RenderedDataset(Dataset):
    """A dataset of rendered scenes: `splits` show its categories; `other_splits`, the random images, show none."""

    needs_root: ClassVar[bool] = False
    offers_random_images: ClassVar[bool] = True
    splits: ClassVar[Splits]
    other_splits: ClassVar[Splits]

    def __init__(self, root: Path | None = None, size: int = 64) -> None:
        super().__init__(root, size)
        self.train, self.test = self.splits.at(size)

    def random_images(self) -> tuple[ImageSet, ImageSet]:
        """Scenes of none of the categories."""
        return self.other_splits.at(self.size)
