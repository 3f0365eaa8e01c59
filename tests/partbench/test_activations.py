from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from partbench import Activations, Batch, Performer

LAYERS = ("conv1", "conv2", "conv3", "fc1", "logits")


class Noise:
    """Random images; counts how many were asked for."""

    def __init__(self, count: int, fingerprint: str) -> None:
        self.fingerprint, self.asked = fingerprint, 0
        self.images = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))
        self.labels = torch.arange(count) % 2

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        self.asked += len(rows)
        return Batch(tuple(f"{self.fingerprint}/{i}" for i in rows), self.images[rows], self.labels[rows])


class NoiseDataset:
    name, size = "noise", 8

    def __init__(self, train: str = "train") -> None:
        self.train, self.test = Noise(70, train), Noise(10, "test")  # 70: more than a chunk


def performer(fingerprint: str = "weights") -> Performer:
    torch.manual_seed(0)
    stages = {
        "conv1": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()),
        "conv2": nn.Sequential(nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU()),
        "conv3": nn.Sequential(nn.Conv2d(5, 6, 3, padding=1), nn.ReLU()),
        "fc1": nn.Sequential(nn.Flatten(), nn.Linear(6 * 4 * 4, 7), nn.ReLU()),
        "logits": nn.Linear(7, 2),
    }
    return Performer("tiny", "1", 8, stages, {"target": "conv2"}, ("a", "b"), {"a": 0}, fingerprint)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_cache_holds_what_the_performer_computes(layer: str, split: str, tmp_path: Path) -> None:
    dataset, tiny = NoiseDataset(), performer()
    cached = Activations(dataset, tiny, tmp_path).of_split(split, layer)
    direct = tiny.activations(getattr(dataset, split).images, [layer])[layer]
    assert torch.allclose(cached, direct, atol=1e-6)


def test_layers_above_the_explained_map_are_computed_without_reading_images_again(tmp_path: Path) -> None:
    dataset = NoiseDataset()
    cache = Activations(dataset, performer(), tmp_path)
    for layer in ("target", "conv3", "fc1", "logits"):
        cache.of_split("train", layer)
    assert dataset.train.asked == 70


def test_a_later_run_reads_the_files_of_an_earlier_one(tmp_path: Path) -> None:
    first = Activations(NoiseDataset(), performer(), tmp_path).of_split("train", "logits").clone()
    again = NoiseDataset()
    assert torch.equal(Activations(again, performer(), tmp_path).of_split("train", "logits"), first)
    assert again.train.asked == 0


def test_other_weights_or_other_images_do_not_share_files(tmp_path: Path) -> None:
    folders = {
        Activations(dataset, tiny, tmp_path).folder
        for dataset in (NoiseDataset(), NoiseDataset("other"))
        for tiny in (performer(), performer("other weights"))
    }
    assert len(folders) == 4


def test_a_batch_of_a_split_is_looked_up_by_its_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, tiny = NoiseDataset(), performer()
    cache = Activations(dataset, tiny, tmp_path)
    rows = [41, 3, 69]
    batch = dataset.train.batch(rows)
    cache.remember("train", rows, batch.ids)
    expected = cache.of_split("train", "conv3")[rows]
    monkeypatch.setattr(tiny, "activations", None)
    assert torch.equal(cache.of_batch(batch, "conv3"), expected)


def test_images_that_are_of_no_split_are_computed(tmp_path: Path) -> None:
    dataset, tiny = NoiseDataset(), performer()
    cache = Activations(dataset, tiny, tmp_path)
    cache.remember("train", [0], dataset.train.batch([0]).ids)
    strange = Batch(("elsewhere/0",), torch.rand(1, 3, 8, 8), torch.tensor([0]))
    assert torch.equal(cache.of_batch(strange, "fc1"), tiny.activations(strange.pixels, ["fc1"])["fc1"])


def test_an_interrupted_write_leaves_no_file_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, tiny = NoiseDataset(), performer()
    cache = Activations(dataset, tiny, tmp_path)
    whole = dataset.train.batch

    def interrupted(indices: Sequence[int]) -> Batch:
        if indices[0] > 0:
            raise KeyboardInterrupt
        return whole(indices)

    monkeypatch.setattr(dataset.train, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.of_split("train", "target")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert cache.of_split("train", "target").shape == (70, 5, 4, 4)


def test_writing_to_what_was_read_does_not_change_the_file(tmp_path: Path) -> None:
    cache = Activations(NoiseDataset(), performer(), tmp_path)
    cache.of_split("test", "conv1").zero_()
    assert Activations(NoiseDataset(), performer(), tmp_path).of_split("test", "conv1").abs().max() > 0
