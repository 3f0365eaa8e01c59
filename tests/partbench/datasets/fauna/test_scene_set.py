"""Sets of scenes: kept on disk once rendered, the same however they are asked for."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
import torch
from torch.nn import functional as F

from partbench.datasets.fauna import scene_set
from partbench.datasets.fauna.scene_set import MANY, FaunaSet, OtherScenes
from partbench.datasets.fauna.vocabulary import CATEGORIES, FINE_PARTS, PART_NAMES, merged_part

BODY = [{merged_part(fine) for fine in FINE_PARTS[category]} for category in CATEGORIES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    return tmp_path


def scenes(**other) -> FaunaSet:
    return FaunaSet(**{"seed": 7, "count": MANY + 2, "size": 24, **other})


def same(a, b) -> bool:
    pairs = [(a.pixels, b.pixels), (a.labels, b.labels), (a.boxes, b.boxes), (a.masks, b.masks)]
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


def test_a_torn_file_is_rendered_again_with_a_warning(folder: Path) -> None:
    first = scenes().batch(range(MANY))
    (path,) = folder.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"\.npz is damaged"):
        assert same(first, scenes().batch(range(MANY)))


def test_progress_is_told_to_the_end(folder: Path) -> None:
    seen = []
    scenes(progress=lambda what, done, total: seen.append((done, total))).batch(range(MANY))
    assert seen[-1] == (MANY + 2, MANY + 2)


@pytest.mark.parametrize("turn", [0.1, 60.0])
def test_splits_are_rendered_in_turn_but_none_waits_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch, turn: float
) -> None:
    monkeypatch.setattr(scene_set, "TURN", turn)
    (folder / ".locks").mkdir()
    rendering = Thread(target=lambda: scenes().batch(range(MANY)), daemon=True)
    with scene_set._in_turn():
        rendering.start()
        rendering.join(60 if turn < 1 else 1)
        assert bool(list(folder.rglob("*.npz"))) == (turn < 1)
    rendering.join(60)
    assert list(folder.rglob("*.npz"))


def test_fingerprints_tell_sizes_seeds_and_parts_left_out_apart() -> None:
    sets = [scenes(), scenes(seed=8), scenes(size=25), scenes(count=70), scenes(without=("head",))]
    assert len({s.fingerprint for s in sets}) == len(sets)


def test_a_scene_without_a_part_has_another_id_and_no_such_part() -> None:
    whole, headless = scenes(), scenes(without=("head",))
    a, b = whole.batch([0, 4]), headless.batch([0, 4])
    assert not set(a.ids) & set(b.ids)
    assert a.masks[:, 0].any()
    assert not b.masks[:, 0].any()


@pytest.mark.parametrize("part", PART_NAMES)
def test_without_a_part_all_pixels_away_from_it_stay(folder: Path, part: str) -> None:
    """A pixel changes only on the part or beside it, where a finer drawing of the scene shows the part."""
    whole, rest = scenes().batch(range(12)), scenes().batch_without(range(12), part)
    finer = scenes(size=96).batch(range(12)).masks[:, PART_NAMES.index(part)].float()
    near = F.max_pool2d(F.max_pool2d(finer[:, None], 4), 3, 1, 1)[:, 0] > 0
    changed = (whole.pixels != rest.pixels).any(1)
    assert not (changed & ~near).any()
    assert changed.any(2).any(1).tolist() == near.any(2).any(1).tolist()
    assert not rest.masks[:, PART_NAMES.index(part)].any()
    assert torch.equal(whole.labels, rest.labels)


@pytest.mark.parametrize("part", ["legs", "front_legs", "back_legs"])
def test_without_a_part_that_it_lacks_an_image_stays_to_the_bit(folder: Path, part: str) -> None:
    many = scenes()
    rows = [i for i in range(24) if part not in BODY[i % 6]]
    assert rows
    assert torch.equal(many.batch(rows).pixels, many.batch_without(rows, part).pixels)


def test_images_without_a_part_are_those_of_a_split_without_it(folder: Path) -> None:
    split = scenes(without=("tail",))
    few = split.batch_without([5, 2], "head")
    assert same(few, scenes(without=("tail", "head")).batch([5, 2]))
    assert not set(few.ids) & {*split.batch([5, 2]).ids, *split.batch_without([5, 2], "torso").ids}
    assert not list(folder.rglob("*.npz"))
    assert same(split.batch_without(range(MANY), "head")[2:3], split.batch_without([2], "head"))
    assert len(list(folder.rglob("*.npz"))) == 1  # kept: later calls render nothing
    with pytest.raises(ValueError, match="did you mean 'head'"):
        split.batch_without([0], "hed")


def test_scenes_of_no_category_have_the_label_behind_those_of_the_categories_and_no_removals() -> None:
    others = OtherScenes(7, 4, 24)
    assert others.labels.tolist() == [len(CATEGORIES)] * 4
    assert (scenes().has_removals, others.has_removals) == (True, False)
