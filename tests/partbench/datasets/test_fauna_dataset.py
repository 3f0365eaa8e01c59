"""The dataset `fauna`: splits that do not overlap, kept on disk once rendered, the same however they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from partbench.datasets.fauna.dataset import MANY, Fauna, FaunaSet


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    return tmp_path


def scenes(**other) -> FaunaSet:
    return FaunaSet(**{"seed": 7, "count": MANY + 2, "size": 24, **other})


def same(a, b) -> bool:
    pairs = [(a.images, b.images), (a.labels, b.labels), (a.boxes, b.boxes), (a.masks, b.masks)]
    landmarks = torch.equal(a.landmarks.nan_to_num(-1), b.landmarks.nan_to_num(-1))
    return a.ids == b.ids and landmarks and all(torch.equal(x, y) for x, y in pairs)


def test_few_images_and_the_kept_split_agree(folder: Path) -> None:
    few = scenes().batch([3, 1])
    assert not list(folder.rglob("*.npz"))
    whole = scenes()
    whole.batch(range(MANY))
    assert len(list(folder.rglob("*.npz"))) == 1
    assert same(few, whole.batch([3, 1]))
    assert same(few, scenes().batch([3, 1]))


def test_a_torn_file_is_rendered_again(folder: Path) -> None:
    first = scenes().batch(range(MANY))
    (path,) = folder.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert same(first, scenes().batch(range(MANY)))


def test_progress_is_told_to_the_end(folder: Path) -> None:
    seen = []
    scenes(progress=lambda what, done, total: seen.append((done, total))).batch(range(MANY))
    assert seen[-1] == (MANY + 2, MANY + 2)


def test_splits_share_no_scene_and_are_balanced() -> None:
    fauna = Fauna(size=64)
    assert fauna.train.seed != fauna.test.seed
    for split in (fauna.train, fauna.test):
        assert split.labels.bincount().tolist() == [len(split) // 6] * 6


def test_fingerprints_tell_sizes_seeds_and_parts_left_out_apart() -> None:
    sets = [scenes(), scenes(seed=8), scenes(size=25), scenes(count=70), scenes(without=("head",))]
    assert len({s.fingerprint for s in sets}) == len(sets)


def test_a_scene_without_a_part_has_another_id_and_no_such_part() -> None:
    whole, headless = scenes(), scenes(without=("head",))
    a, b = whole.batch([0, 4]), headless.batch([0, 4])
    assert not set(a.ids) & set(b.ids)
    assert a.masks[:, 0].any()
    assert not b.masks[:, 0].any()
