from __future__ import annotations

from types import ModuleType

import pytest
import torch

from partbench import InputError
from partbench.running.training.images import Pixels, balanced_rows, split_rows, varied


def test_a_tenth_of_each_class_is_held_out_evenly_spaced_and_one_at_least() -> None:
    labels = torch.tensor([0] * 40 + [1] * 3)
    rows, held = split_rows(labels, ["many", "few"])
    assert held.tolist() == [5, 15, 25, 35, 41]
    assert sorted(rows.tolist() + held.tolist()) == list(range(43))
    with pytest.raises(InputError, match="few has 1 training images, expected at least 2"):
        split_rows(torch.tensor([0, 0, 1]), ["many", "few"])


def test_classes_are_drawn_equally_often_and_images_of_a_class_too() -> None:
    labels = torch.tensor([0] * 30 + [1] * 4 + [2])
    rows = balanced_rows(labels, 60, torch.Generator().manual_seed(0))
    assert labels[rows].bincount().tolist() == [20, 20, 20]
    assert rows.bincount(minlength=35)[30:].tolist() == [5, 5, 5, 5, 20]
    assert rows[:30].bincount(minlength=35)[:30].max() == 1


def test_images_are_mirrored_or_shifted_and_otherwise_as_they_were() -> None:
    images = torch.rand(64, 3, 32, 32)
    same = varied(images, False, torch.Generator().manual_seed(1))
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(same, images, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(same, images, strict=True)])
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48
    shifted = varied(images, True, torch.Generator().manual_seed(1))
    windows = same.unfold(2, 28, 1).unfold(3, 28, 1)[0, 0].reshape(-1, 28, 28)
    inner = shifted[0, 0, 2:30, 2:30]
    assert any(torch.equal(inner, window) for window in windows)


def test_pixels_are_the_same_bytes_whether_they_are_held_in_memory_or_read_anew(squares: ModuleType) -> None:
    split, rows = squares.Colours().train, torch.tensor([5, 0, 47])
    held, read = Pixels(split, 32), Pixels(split, 32, memory=0)
    assert torch.equal(held(rows), read(rows))
    assert (held(rows) - split.batch(rows.tolist()).pixels.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
