"""A dataset as a single task sees it: which images, labelled how, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from partbench import Batch, Dataset, ImageSet, NotApplicable
from partbench.category_view import CategoryView, through_category
from partbench.testing import check_dataset

SIZE = 8


class Noise(ImageSet):
    """Images of noise, with boxes, landmarks and masks unless they are bare."""

    def __init__(self, name: str, labels: Sequence[int], bare: bool = False) -> None:
        self.fingerprint, self.labels, self.bare = name, torch.tensor(labels), bare
        self.has_removals = not bare

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        draw = torch.Generator().manual_seed(sum(map(ord, self.fingerprint)))
        images = torch.rand(len(self), 3, SIZE, SIZE, generator=draw)[rows]
        ids = tuple(f"{self.fingerprint}/{i}" for i in rows)
        if self.bare:
            return Batch(ids, images, self.labels[rows])
        boxes = torch.tensor([[1.0, 1.0, 5.0, 5.0]]).repeat(len(rows), 1)
        masks = torch.ones(len(rows), 2, SIZE, SIZE, dtype=torch.bool)
        return Batch(ids, images, self.labels[rows], boxes, torch.full((len(rows), 1, 2), 3.0), masks)

    def batch_without(self, indices: Sequence[int], part: str) -> Batch:
        if self.bare:
            return super().batch_without(indices, part)
        whole = self.batch(indices)
        return Batch(tuple(f"{i}-{part}" for i in whole.ids), whole.pixels / 2, whole.labels, whole.boxes,
                     whole.landmarks, whole.masks)  # fmt: skip


class Animals(Dataset):
    """Cats, dogs and cows."""

    name, version, default_performer = "animals", "3", "sees"
    classes = categories = ("cat", "dog", "cow")
    part_names, landmark_names = ("head", "legs"), ("head",)

    def __init__(self, start: str = "") -> None:
        super().__init__(None, SIZE)
        self.train, self.test = Noise(f"{start}train", [0, 1, 2, 1, 0]), Noise(f"{start}test", [2, 1, 0])


class WithOther(Animals):
    """The same, with random images among its classes."""

    classes = ("cat", "dog", "other")
    categories = ("cat", "dog")


RANDOM = Noise("random train", [0, 0], bare=True), Noise("random test", [0], bare=True)


def test_it_has_the_category_and_random_images_and_no_other() -> None:
    view = through_category(Animals(), "dog", "random", RANDOM)
    assert view.train.batch(range(len(view.train))).ids == ("train/1", "train/3", "random train/0", "random train/1")
    assert view.train.labels.tolist() == [1, 1, 0, 0]
    assert view.test.batch(range(2)).ids == ("test/1", "random test/0")
    assert (view.classes, view.categories, view.negatives) == (("other", "dog"), ("dog",), "random")


def test_with_others_the_other_categories_are_negatives_too() -> None:
    view = through_category(Animals(), "dog", "others", RANDOM)
    assert view.train.labels.tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert view.classes == ("not dog", "dog")


def test_random_images_of_a_class_of_the_dataset_need_no_further_ones() -> None:
    random, others = (through_category(WithOther(), "cat", negatives) for negatives in ("random", "others"))
    assert random.train.batch(range(len(random.train))).ids == ("train/0", "train/2", "train/4")
    assert random.train.labels.tolist() == [1, 0, 1]
    assert others.train.labels.tolist() == [1, 0, 0, 0, 1]


def test_rows_come_in_the_order_in_which_they_are_asked_for() -> None:
    view = through_category(Animals(), "dog", "random", RANDOM)
    batch = view.train.batch([3, 0, 2, 1])
    assert batch.ids == ("random train/1", "train/1", "random train/0", "train/3")
    assert batch.labels.tolist() == [0, 1, 0, 1]
    alone = [view.train.batch([i]).pixels for i in (3, 0, 2, 1)]
    assert torch.equal(batch.pixels, torch.cat(alone))


@pytest.mark.parametrize("rows", [[2], [0, 2], [3, 0]])
def test_what_nobody_knows_of_a_random_image_is_absent(rows: list[int]) -> None:
    view = through_category(Animals(), "dog", "random", RANDOM)
    batch = view.train.batch(rows)
    for i, label in enumerate(batch.labels.tolist()):
        assert bool(batch.masks[i].any()) == bool(label)
        assert bool(batch.landmarks[i].isnan().all()) != bool(label)
        assert bool(batch.boxes[i].isnan().all()) != bool(label)


def test_random_images_lose_no_part() -> None:
    view = through_category(Animals(), "dog", "random", RANDOM)
    assert view.train.has_removals
    lacking = view.train.batch_without([0, 3], "head")
    assert lacking.ids == ("train/1-head", "random train/1")
    assert torch.equal(lacking.pixels[1], view.train.batch([3]).pixels[0])


def test_fingerprints_tell_category_negatives_and_both_sources_apart() -> None:
    other = (Noise("more random", [0, 0], bare=True), RANDOM[1])
    views = [
        CategoryView(Animals(), "dog", "random", RANDOM), CategoryView(Animals(), "cat", "random", RANDOM),
        CategoryView(Animals(), "dog", "others", RANDOM), CategoryView(Animals("new "), "dog", "random", RANDOM),
        CategoryView(Animals(), "dog", "random", other),
    ]  # fmt: skip
    assert len({view.train.fingerprint for view in views} | {"train"}) == 6
    assert views[0].train.fingerprint == CategoryView(Animals(), "dog", "random", RANDOM).train.fingerprint


@pytest.mark.parametrize("negatives", ["random", "others"])
def test_a_view_keeps_the_contract_of_datasets(negatives: str) -> None:
    check_dataset(through_category(Animals(), "dog", negatives, RANDOM))


def test_a_dataset_has_random_images_if_it_offers_them_or_has_a_class_other() -> None:
    assert WithOther.has_random_images(None)
    assert not Animals.has_random_images(None)
    with pytest.raises(NotApplicable, match="animals has no random images"):
        Animals().random_images()


def test_views_of_photographs_hold_cats_and_photographs_of_anything(photos: Path) -> None:
    from partbench.datasets.animal_part.dataset import AnimalPart

    dataset = AnimalPart(photos, 32)
    view = through_category(dataset, "cat", "random")
    for split, whole in ((view.train, dataset.train), (view.test, dataset.test)):
        assert int(split.labels.sum()) == int((whole.labels == 0).sum())
        assert int((split.labels == 0).sum()) == int((whole.labels == 5).sum()) > 100
    batch = view.test.batch([0, len(view.test) - 1])
    assert batch.ids[0].startswith("cat/")
    assert batch.ids[1].startswith("neg/")
