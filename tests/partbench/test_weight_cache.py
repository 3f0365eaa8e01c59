from __future__ import annotations

import time

import pytest
import torch
from safetensors.torch import save

from partbench import CacheItem, cached_weights, training_seconds
from partbench.weight_cache import WeightsAbsent, training_allowed, weights_in


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    return tmp_path


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"w": torch.full((2,), float(self.calls)), "v": torch.arange(6).view(2, 3).T}


def test_weights_are_made_once_per_identity(cache):
    make = Maker()
    first = cached_weights("kind", {"a": 1, "b": [1, 2]}, make)
    again = cached_weights("kind", {"b": [1, 2], "a": 1}, make)
    other = cached_weights("kind", {"a": 2, "b": [1, 2]}, make)
    assert make.calls == 2
    assert torch.equal(first["w"], again["w"])
    assert torch.equal(first["v"], torch.arange(6).view(2, 3).T)
    assert other["w"].tolist() == [2, 2]
    assert len(list((cache / "kind").iterdir())) == 2


def test_interrupted_making_leaves_nothing_behind(cache):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_weights("kind", {}, interrupted)
    assert not list(cache.rglob("*.safetensors"))


def test_what_is_no_tensor_is_not_cached(cache):
    with pytest.raises(AttributeError):
        cached_weights("kind", {}, lambda: {"w": "no tensor"})
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_truncated_file_is_made_again_with_a_warning(cache):
    make = Maker()
    cached_weights("kind", {}, make)
    (file,) = (cache / "kind").iterdir()
    file.write_bytes(file.read_bytes()[:10])
    with pytest.warns(UserWarning, match=r"kind/.* is damaged \(its checksum is"):
        assert cached_weights("kind", {}, make)["w"].tolist() == [2, 2]


def test_checked_weights_that_are_no_safetensors_are_made_again(cache):
    CacheItem("kind", "name", ".safetensors").write(lambda file: file.write(b"something else"))
    with pytest.warns(UserWarning, match="name.* is damaged"):
        assert cached_weights("kind", "name", Maker())["w"].tolist() == [1, 1]


def test_seconds_of_the_making_are_kept_and_not_those_of_the_reading(cache):
    def slow():
        time.sleep(0.05)
        return {"w": torch.zeros(1)}

    assert training_seconds("kind", {"a": 1}) is None
    cached_weights("kind", {"a": 1}, slow)
    first = training_seconds("kind", {"a": 1})
    cached_weights("kind", {"a": 1}, slow)
    assert first >= 0.05
    assert training_seconds("kind", {"a": 1}) == first
    assert training_seconds("kind", {"a": 2}) is None


def test_weights_without_seconds_and_damaged_weights_have_none(cache):
    item = CacheItem("kind", "name", ".safetensors")
    file = item.write(lambda file: file.write(save({"w": torch.zeros(1)})))
    assert training_seconds("kind", "name") is None
    file.unlink()
    cached_weights("kind", "name", Maker())
    assert training_seconds("kind", "name") is not None
    (file,) = item.files()
    file.write_bytes(file.read_bytes()[:-1])
    assert training_seconds("kind", "name") is None


def test_weights_of_another_folder_are_neither_those_of_the_cache_nor_left_in_it(cache, tmp_path_factory):
    make, folder = Maker(), tmp_path_factory.mktemp("anew")
    cached_weights("kind", {"a": 1}, make)
    with weights_in(folder):
        assert training_seconds("kind", {"a": 1}) is None
        anew = cached_weights("kind", {"a": 1}, make)
        assert training_seconds("kind", {"a": 1}) is not None
    assert anew["w"].tolist() == [2, 2]
    assert cached_weights("kind", {"a": 1}, make)["w"].tolist() == [1, 1]
    assert make.calls == 2
    assert len(list((folder / "kind").iterdir())) == 1


def test_nothing_is_trained_where_that_is_not_allowed(cache):
    make = Maker()
    cached_weights("kind", {"a": 1}, make)
    with training_allowed(False):
        assert cached_weights("kind", {"a": 1}, make)["w"].tolist() == [1, 1]
        with pytest.raises(WeightsAbsent):
            cached_weights("kind", {"a": 2}, make)
    assert make.calls == 1
    cached_weights("kind", {"a": 2}, make)
    assert make.calls == 2
