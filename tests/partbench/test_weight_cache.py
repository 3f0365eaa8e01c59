from __future__ import annotations

import time

import pytest
import torch

from partbench import cached_weights, training_seconds, write_weights


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


def test_failed_write_leaves_nothing_behind(cache):
    with pytest.raises(AttributeError):
        write_weights({"w": "no tensor"}, cache / "x.safetensors")
    assert not list(cache.iterdir())


def test_truncated_file_is_made_again(cache):
    make = Maker()
    cached_weights("kind", {}, make)
    (file,) = (cache / "kind").iterdir()
    file.write_bytes(file.read_bytes()[:10])
    assert cached_weights("kind", {}, make)["w"].tolist() == [2, 2]


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


def test_weights_kept_without_seconds_have_none(cache):
    cached_weights("kind", {}, Maker())
    (file,) = (cache / "kind").iterdir()
    write_weights({"w": torch.zeros(1)}, file)
    assert training_seconds("kind", {}) is None
    file.write_bytes(file.read_bytes()[:10])
    assert training_seconds("kind", {}) is None
