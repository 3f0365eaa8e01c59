"""Datasets that break the contract are told how."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from partbench.datasets.fauna.dataset import Fauna
from partbench.datasets.fauna.scene_set import FaunaSet
from partbench.testing import ContractError, check_dataset


class Small(Fauna):
    """A few animals at 16 px."""

    def __init__(self, split: type[FaunaSet] = FaunaSet) -> None:
        self.size = 16
        self.train, self.test = split(1, 12, 16), split(2, 9, 16)


def test_a_good_dataset_passes() -> None:
    check_dataset(Small())


def test_boxes_may_be_absent_from_every_image_that_is_looked_at() -> None:
    dataset = Small(broken(boxes=lambda boxes: boxes * torch.nan))
    check_dataset(dataset)


def test_train_images_in_the_test_split_are_seen() -> None:
    dataset = Small()
    dataset.test = FaunaSet(1, 9, 16)
    with pytest.raises(ContractError, match="share images, such as fauna/1/0"):
        check_dataset(dataset)


def broken(**changes) -> type[FaunaSet]:  # type: ignore[no-untyped-def]
    """A split whose batches are changed: each field by a function of its value."""

    class Broken(FaunaSet):
        def batch(self, indices):  # type: ignore[no-untyped-def]
            batch = super().batch(indices)
            return replace(batch, **{name: change(getattr(batch, name)) for name, change in changes.items()})

    return Broken


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pixels": lambda x: x * 255}, "expected 0 to 1"),
        ({"pixels": lambda x: x[:, :, :8]}, r"pixels are \(6, 3, 8, 16\), expected \(6, 3, 16, 16\)"),
        ({"pixels": lambda x: x.double()}, "expected float32"),
        ({"pixels": lambda x: (x + 1e-3 * torch.rand_like(x)).clamp(0, 1)}, "other pixels at the second call"),
        ({"pixels": lambda x: (x - x.min()) / (x.max() - x.min())}, "depend on the others"),
        ({"labels": lambda x: x.flip(0)}, "labels of a batch differ"),
        ({"ids": lambda ids: ("same",) * len(ids)}, "1 different ids for 6 images"),
        ({"boxes": lambda x: x.flip(1)}, "must not exceed"),
        ({"boxes": lambda x: 4 * x}, "outside the 16 px"),
        ({"landmarks": lambda x: x[:, 1:]}, "landmarks are"),
        ({"masks": lambda x: x.float()}, "masks are torch.float32"),
    ],
)
def test_what_is_wrong_with_a_batch_is_said(changes, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ContractError, match=reason):
        check_dataset(Small(broken(**changes)))


def test_labels_out_of_range_and_fingerprints_that_change_are_seen() -> None:
    class Labels(FaunaSet):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.labels = torch.arange(self.count)

    class Restless(FaunaSet):
        def __getattribute__(self, name: str) -> object:
            if name != "fingerprint":
                return super().__getattribute__(name)
            self.calls = vars(self).get("calls", 0) + 1
            return str(self.calls)

    with pytest.raises(ContractError, match="0 to 11, of 6 classes"):
        check_dataset(Small(Labels))
    with pytest.raises(ContractError, match="fingerprint of the train split changed"):
        check_dataset(Small(Restless))
