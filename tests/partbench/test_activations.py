from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from partbench import Activations, Batch, Dataset, Images, ImageSet, InputError, Performer

LAYERS = ("conv1", "conv2", "conv3", "fc1", "logits")


class Noise(ImageSet):
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


class NoiseDataset(Dataset):
    name = "noise"

    def __init__(self, train: str = "train") -> None:
        super().__init__(None, 8)
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


def test_a_split_without_images_is_named(tmp_path: Path) -> None:
    dataset = NoiseDataset()
    dataset.train = Noise(0, "none")
    with pytest.raises(InputError, match="noise has no train images, expected at least one"):
        Activations(dataset, performer(), tmp_path).of_split("train", "target")


def test_layers_above_the_explained_map_are_computed_without_reading_images_again(tmp_path: Path) -> None:
    dataset = NoiseDataset()
    cache = Activations(dataset, performer(), tmp_path)
    for layer in ("target", "conv3", "fc1", "logits"):
        cache.of_split("train", layer)
    assert dataset.train.asked == 70


def test_a_layer_has_the_same_bits_from_images_and_from_any_stored_layer_below(tmp_path: Path) -> None:
    found = []
    for number, first in enumerate(((), ("target",), ("target", "fc1"), ("fc1",))):
        cache = Activations(NoiseDataset(), performer(), tmp_path / str(number))
        for layer in first:
            cache.of_split("train", layer)
        found.append(cache.of_split("train", "logits"))
    assert all(torch.equal(one, found[0]) for one in found)


def test_a_map_that_would_be_too_large_is_stored_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_target = 80 * 5 * 4 * 4 * 4
    cache = Activations(NoiseDataset(), roles(performer()), tmp_path)
    assert (cache.bytes_of("target"), cache.shared()) == (of_target, ("conv2", "logits"))
    monkeypatch.setattr("partbench.activations.SHARED", of_target - 1)
    assert cache.shared() == ("fc1", "logits")
    cache.of_split("train", "logits")
    assert stored(tmp_path) == {"train-fc1", "train-logits"}
    assert cache.when_stored("target") == "asked"
    cache.of_split("train", "target")
    assert "train-conv2" in stored(tmp_path)


def test_in_half_precision_files_are_half_as_large_and_values_do_not_depend_on_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Activations(NoiseDataset(), roles(performer()), tmp_path).of_split("train", "target")
    monkeypatch.setenv("PARTBENCH_ACTIVATIONS", "float16")
    found = []
    for number, first in enumerate(("target", "fc1", "logits")):
        cache = Activations(NoiseDataset(), roles(performer()), tmp_path / str(number))
        cache.of_split("train", first)
        found.append((cache.of_split("train", "target")[:], cache.of_split("train", "logits")))
    assert all(torch.equal(one, other) for pair in found for one, other in zip(pair, found[0], strict=True))
    assert torch.equal(found[0][0], whole.half().float())
    assert found[0][1].dtype == torch.float
    assert cache.bytes_of("target") == 80 * 5 * 4 * 4 * 2
    images = cache.batch("train", [41, 3]).images
    assert torch.equal(images.activations("target"), whole[[41, 3]].half().float())


def roles(tiny: Performer) -> Performer:
    return replace(tiny, roles={"target": "conv2", "fc1": "fc1", "logits": "logits"})


def stored(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.rglob("*.npy")}


def test_a_later_run_reads_the_files_of_an_earlier_one(tmp_path: Path) -> None:
    first = Activations(NoiseDataset(), performer(), tmp_path).of_split("train", "logits").clone()
    again = NoiseDataset()
    assert torch.equal(Activations(again, performer(), tmp_path).of_split("train", "logits"), first)
    assert again.train.asked == 0


def test_other_weights_or_other_images_do_not_share_files(tmp_path: Path) -> None:
    folders = {
        Activations(dataset, tiny, tmp_path).item("train", "fc1").identity
        for dataset in (NoiseDataset(), NoiseDataset("other"))
        for tiny in (performer(), performer("other weights"))
    }
    assert len(folders) == 4


def test_a_performer_whose_name_holds_long_paths_has_a_cache_of_its_own(tmp_path: Path) -> None:
    found = []
    for end in ("a", "b"):
        tiny = replace(performer(), name=f"tiny,weights={'/long/path' * 60}/{end}.pth")
        found.append(Activations(NoiseDataset(), tiny, tmp_path))
        assert len(found[-1].of_split("test", "target")) == len(found[-1].dataset.test)
    assert found[0].name != found[1].name


def test_images_of_a_split_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = performer()
    cache = Activations(NoiseDataset(), tiny, tmp_path)
    rows = [41, 3, 69]
    images = cache.batch("train", rows).images
    expected = cache.of_split("train", "conv3")[rows]
    monkeypatch.setattr(tiny, "activations", None)
    assert torch.equal(images.activations("conv3"), expected)
    assert torch.equal(images[1:].activations("conv3"), expected[1:])


def computed(tiny: Performer, images: Images) -> torch.Tensor:
    return tiny.activations(images.pixels, ["fc1"])["fc1"]


def test_images_that_are_of_no_split_are_computed(tmp_path: Path) -> None:
    tiny = performer()
    cache = Activations(NoiseDataset(), tiny, tmp_path)
    cache.batch("train", [0])
    strange = cache.adopt(Batch(("elsewhere/0",), torch.rand(1, 3, 8, 8), torch.tensor([0]))).images
    assert torch.equal(strange.activations("fc1"), computed(tiny, strange))


def test_a_batch_of_known_and_unknown_images_is_computed_as_a_whole(tmp_path: Path) -> None:
    tiny = performer()
    cache = Activations(NoiseDataset(), tiny, tmp_path)
    known = cache.batch("train", [4, 5])
    mixed = replace(known, ids=(known.ids[0], "elsewhere/1"), pixels=torch.rand(2, 3, 8, 8)).images
    assert torch.equal(mixed.activations("fc1"), computed(tiny, mixed))
    half = replace(known, ids=(known.ids[0], "elsewhere/1")).images
    assert torch.equal(half.activations("fc1"), computed(tiny, half))


def test_images_of_both_splits_in_one_batch_are_computed(tmp_path: Path) -> None:
    tiny = performer()
    cache = Activations(NoiseDataset(), tiny, tmp_path)
    pair = [cache.batch("train", [7]), cache.batch("test", [7])]
    joined = replace(pair[0], ids=pair[0].ids + pair[1].ids, pixels=torch.cat([one.pixels for one in pair])).images
    assert torch.equal(joined.activations("fc1"), computed(tiny, joined))


@pytest.mark.parametrize("how", ["in place", "through numpy", "new images", "swapped"])
def test_changed_pixels_go_through_the_network(how: str, tmp_path: Path) -> None:
    tiny = performer()
    images = Activations(NoiseDataset(), tiny, tmp_path).batch("train", [1, 2]).images
    before = images.activations("fc1")
    if how == "in place":
        images.pixels[:, :, 2:5] = 0
    elif how == "through numpy":
        images.pixels.numpy()[:, :, 2:5] = 0
    elif how == "new images":
        images = images.with_pixels(images.pixels * 0.5)
    else:
        images = images.with_pixels(images.pixels.flip(0))
    assert torch.equal(images.activations("fc1"), computed(tiny, images))
    assert not torch.allclose(images.activations("fc1"), before)


def test_other_pixels_may_be_several_for_each_image(tmp_path: Path) -> None:
    images = Activations(NoiseDataset(), performer(), tmp_path).batch("train", [1, 2]).images
    many = images.with_pixels(images.pixels.repeat_interleave(3, 0) * torch.rand(6, 1, 8, 8))
    assert many.activations("logits").shape == (6, 2)
    with pytest.raises(ValueError, match="3 images, expected a multiple of 2"):
        images.with_pixels(torch.zeros(3, 3, 8, 8))


def test_images_of_no_task_have_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong to no task"):
        NoiseDataset().train.batch([0]).images.activations("fc1")


def test_each_mapping_of_a_split_is_the_callers_own(tmp_path: Path) -> None:
    cache = Activations(NoiseDataset(), performer(), tmp_path)
    mine = cache.mapped("train", "fc1")
    mine.fill_(5)
    assert not torch.equal(cache.mapped("train", "fc1"), mine)
    assert not torch.equal(cache.of_split("train", "fc1"), mine)


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


def halve(tiny: Performer) -> None:
    tiny.stages["conv1"][0].weight.data.mul_(0.5)


def hook(tiny: Performer) -> None:
    tiny.stages["conv2"].register_forward_hook(lambda module, inputs, output: output * 2)


def train(tiny: Performer) -> None:
    tiny.stages["fc1"].train()


@pytest.mark.parametrize("change", [halve, hook, train])
def test_nothing_is_cached_of_a_performer_that_a_plugin_has_changed(
    change: Callable[[Performer], None], tmp_path: Path
) -> None:
    tiny = performer()
    cache = Activations(NoiseDataset(), tiny, tmp_path)
    change(tiny)
    with pytest.raises(RuntimeError, match="tiny was changed since it was opened"):
        cache.of_split("train", "logits")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_mixed_precision_around_it_does_not_change_what_is_cached(tmp_path: Path) -> None:
    expected = Activations(NoiseDataset(), performer(), tmp_path / "a").of_split("train", "conv3")
    with torch.autocast("cpu", torch.bfloat16):
        found = Activations(NoiseDataset(), performer(), tmp_path / "b").of_split("train", "conv3")
    assert torch.equal(found, expected)
