"""Damage of any kind to real cached files of any kind is noticed: the item is made again, with a warning of one line.

`make soak` does two hundred of each, and kills at random moments.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from mutation import damaged
from toys import toy_task

from partbench import CacheItem, cached_weights
from partbench.activations import _mapped
from partbench.cache.item import DamagedItem, check
from partbench.cache.upkeep import cached_files, sweep
from partbench.datasets.fauna.scene_set import MANY, FaunaSet, _load
from partbench.running.fields import field_of
from partbench.weight_cache import _load as load_weights

READERS: dict[str, Callable[[Path], object]] = {
    "activations": _mapped, "weights": load_weights, "performers": load_weights, "fauna": _load, "fields": load_weights,
}  # fmt: skip


@dataclass
class Cached:
    """A real file of the cache, as it was written, and what its reader makes of it."""

    item: CacheItem
    path: Path
    whole: bytes
    values: object

    def again(self) -> object:
        """What is found under the item's name now; a damaged file is written again as it was."""
        return self.item.once(READERS[self.item.kind], lambda: self.item.write(lambda file: file.write(self.whole)))


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cached]:
    """One file of each kind, made by the code that makes it in a run."""
    root = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTBENCH_CACHE", str(root))
        task = toy_task(root)
        task.activation_cache.of_split("train", "target")
        cached_weights("weights", {"a": 1}, lambda: {"w": torch.rand(30, 7), "b": torch.arange(5)})
        cached_weights("performers", "head", lambda: {"w": torch.rand(3, 3)})
        FaunaSet(7, MANY, 16).batch(range(MANY))
        assert field_of(task, task.performer.receptive_field("target"))
    found = {}
    for file in cached_files(root):
        assert file.identity is not None
        name, suffix = file.identity.removeprefix(f"{file.kind}/").rsplit(".", 1)
        item = CacheItem(file.kind, name, f".{suffix}", root)
        found[file.kind] = Cached(item, file.path, file.path.read_bytes(), _copied(READERS[file.kind](file.path)))
    assert set(found) == set(READERS)
    return found


def _copied(values: object) -> object:
    return values.clone() if isinstance(values, torch.Tensor) else values  # not in the mapped file that tests damage


def same(a: object, b: object) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()  # NaN too


def flip_bit(file: Cached, draw: random.Random) -> None:
    data = bytearray(file.whole)
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    file.path.write_bytes(data)


def truncate(file: Cached, draw: random.Random) -> None:
    file.path.write_bytes(file.whole[: draw.randrange(len(file.whole))])


def lengthen(file: Cached, draw: random.Random) -> None:
    file.path.write_bytes(file.whole + draw.randbytes(draw.randrange(1, 100)))


def blank_a_block(file: Cached, draw: random.Random) -> None:
    """As a crash of the machine leaves blocks that never reached the disk."""
    start = draw.randrange(len(file.whole))
    block = file.whole[start : start + 512]
    blank = bytes(len(block)) if any(block) else b"\xff" * len(block)
    file.path.write_bytes(file.whole[:start] + blank + file.whole[start + 512 :])


def empty(file: Cached, draw: random.Random) -> None:
    file.path.write_bytes(b"")


def replace(file: Cached, draw: random.Random) -> None:
    file.path.write_bytes(draw.randbytes(draw.randrange(1, 2 * len(file.whole))))


def put_a_folder(file: Cached, draw: random.Random) -> None:
    file.path.unlink()
    file.path.mkdir()
    (file.path / "inside").write_bytes(b"x")


def put_a_dangling_link(file: Cached, draw: random.Random) -> None:
    file.path.unlink()
    file.path.symlink_to("nowhere")


def mutate(file: Cached, draw: random.Random) -> None:
    copies = damaged(file.whole, 100, seed=draw.getrandbits(32))
    file.path.write_bytes(next(copy for copy in copies if copy != file.whole))


OFTEN = (flip_bit, truncate, lengthen, blank_a_block, replace, mutate)
DAMAGES = (*OFTEN, empty, put_a_folder, put_a_dangling_link)


def assert_noticed(file: Cached, damage: Callable[[Cached, random.Random], None], draw: random.Random) -> None:
    damage(file, draw)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert same(file.again(), file.values)
    (warning,) = caught
    assert str(file.path) in str(warning.message)
    assert len(str(warning.message).splitlines()) == 1
    assert file.path.read_bytes() == file.whole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(file.again(), file.values)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", READERS)
def test_damage_is_noticed(kind: str, damage: Callable, cached: dict[str, Cached]) -> None:
    draw = random.Random(f"{kind} {damage.__name__}")
    for _ in range(4 if damage in OFTEN else 1):
        assert_noticed(cached[kind], damage, draw)


@pytest.mark.soak
@pytest.mark.parametrize("damage", OFTEN)
@pytest.mark.parametrize("kind", READERS)
def test_hundreds_of_damages_are_noticed(
    kind: str, damage: Callable, cached: dict[str, Cached], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partbench.cache.item.os.fsync", lambda descriptor: None)  # thousands would take minutes
    draw = random.Random(time.time_ns())
    for _ in range(200):
        assert_noticed(cached[kind], damage, draw)


@pytest.mark.parametrize("n", [20, pytest.param(400, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", READERS)
def test_damage_from_before_the_checksum_is_made_again_or_read(
    kind: str, n: int, cached: dict[str, Cached], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a plugin that writes a file of its own into the cache: the checksum is that of the damaged bytes."""
    monkeypatch.setattr("partbench.cache.item.os.fsync", lambda descriptor: None)
    file, made_again = cached[kind], 0
    for content in damaged(file.whole, n):
        file.item.write(lambda written, content=content: written.write(content))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = file.again()
            except MemoryError:  # of an array that a header declares
                continue
        if caught:
            made_again += 1
            assert same(found, file.values)
    assert made_again > n / 4
    file.item.write(lambda written: written.write(file.whole))


def test_every_bit_of_a_small_file_counts(cached: dict[str, Cached]) -> None:
    file = cached["fields"]
    for place in range(8 * len(file.whole)):
        data = bytearray(file.whole)
        data[place // 8] ^= 1 << place % 8
        file.path.write_bytes(data)
        with pytest.raises(DamagedItem):
            check(file.path, file.item.identity)
    file.path.write_bytes(file.whole)


def test_damaged_activations_of_a_task_are_computed_again(tmp_path: Path) -> None:
    first = toy_task(tmp_path).activation_cache.of_split("train", "logits").clone()
    for path in tmp_path.rglob("*.npy"):
        data = bytearray(path.read_bytes())
        data[-3] ^= 64
        path.write_bytes(data)
    with pytest.warns(UserWarning, match=r"train-.*\.npy is damaged"):
        again = toy_task(tmp_path).activation_cache.of_split("train", "logits")
    assert torch.equal(again, first)


WRITER = """
import random, sys
from pathlib import Path
from partbench.cache.item import CacheItem
print("ready", flush=True)
for number in range(100_000):
    item = CacheItem("kind", str(number % 7), ".bin", Path(sys.argv[1]))
    for path in item.files(): path.unlink()
    data = random.Random(number % 7).randbytes(200_000)
    assert item.once(Path.read_bytes, lambda: item.write(lambda file: [file.write(data[i:i+999]) for i in range(0, 200_000, 999)])) == data
"""  # noqa: E501


@pytest.mark.parametrize("kills", [5, pytest.param(500, marks=pytest.mark.soak)])
def test_kills_at_random_moments_leave_nothing_damaged(kills: int, tmp_path: Path) -> None:
    draw = random.Random(kills)
    for _ in range(kills):
        words = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(draw.uniform(0, 0.3))
            process.send_signal(draw.choice([signal.SIGKILL, signal.SIGTERM]))
            _, errors = process.communicate()
        assert not errors, errors.decode()
        for file in cached_files(tmp_path):
            name = file.path.name.partition(".")[0]
            assert file.path.read_bytes() == random.Random(int(name)).randbytes(200_000)
    sweep(tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    shutil.rmtree(tmp_path)
