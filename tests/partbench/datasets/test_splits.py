"""Categories without images in a split."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from partbench.datasets.splits import warn_of_lacking


def dataset(train: list[int], test: list[int]) -> SimpleNamespace:
    splits = (SimpleNamespace(labels=torch.tensor(labels)) for labels in (train, test))
    return SimpleNamespace(name="pets", classes=("cat", "dog"), **dict(zip(("train", "test"), splits, strict=True)))


def test_categories_without_an_image_in_a_split_are_named() -> None:
    with pytest.warns(UserWarning, match=r"pets: no image for training of cat; copy the whole dataset to use them"):
        warn_of_lacking(dataset([1, 1], [0, 1]))  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match=r"pets: no image for testing of cat, dog; copy"):
        warn_of_lacking(dataset([0, 1], []))  # type: ignore[arg-type]


def test_of_complete_splits_nothing_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_lacking(dataset([0, 1], [1, 0]))  # type: ignore[arg-type]
