"""Scenes of no animal: no part in them, none left out, and nothing but the shape tells them from animals."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from partbench.datasets.fauna.dataset import OTHER_SEEDS, TEST_SEED, TRAIN_SEED, Fauna, OtherSet
from partbench.datasets.fauna.other_scene import OTHER_LABEL, draw_other_scene
from partbench.datasets.fauna.render import CATEGORIES, render, render_many
from partbench.datasets.fauna.things import THING, THINGS
from partbench.testing.dataset import check_split

COUNT = 240
Drawn = dict[str, np.ndarray]


def colours(images: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 64 cells of the colour cube."""
    cells = (images // 64).astype(int) @ (16, 4, 1)
    return np.stack([np.bincount(of_image.ravel(), minlength=64) for of_image in cells]) / cells[0].size


def edges(images: np.ndarray) -> np.ndarray:
    """Strength of edges by direction (16), and how many pixels have weak or strong ones (5)."""
    found = []
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        strength = np.hypot(across, down).ravel()
        direction = np.minimum((np.arctan2(down, across) % np.pi / np.pi * 16).astype(int), 15).ravel()
        levels = np.bincount(np.digitize(strength, [20, 60, 150, 300]), minlength=5) / strength.size
        found.append(np.concatenate([np.bincount(direction, strength, 16) / strength.sum(), levels]))
    return np.stack(found)


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Drawn, Drawn]]:
    """Animals and scenes of no animal, of the seeds of both splits."""
    return {
        split: (render_many(seed, range(COUNT)), render_many(other, range(COUNT), scene_of=draw_other_scene))
        for split, seed, other in zip(("train", "test"), (TRAIN_SEED, TEST_SEED), OTHER_SEEDS, strict=True)
    }


@pytest.mark.parametrize("histogram", [colours, edges])
def test_histograms_do_not_tell_a_category_from_scenes_of_no_animal(
    drawn: dict[str, tuple[Drawn, Drawn]], histogram: Callable[[np.ndarray], np.ndarray]
) -> None:
    known = {split: [histogram(each["image"]) for each in both] for split, both in drawn.items()}
    accuracies = []
    for label in range(len(CATEGORIES)):
        sides = {split: (own[drawn[split][0]["label"] == label], other) for split, (own, other) in known.items()}
        probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", C=0.1, max_iter=1000))
        probe.fit(np.concatenate(sides["train"]), np.repeat([1, 0], [len(side) for side in sides["train"]]))
        shown, other = (probe.predict(side) for side in sides["test"])
        accuracies.append((shown.mean() + 1 - other.mean()) / 2)
    assert np.mean(accuracies) <= 0.65  # of a single category there are too few images here


def test_the_probe_finds_what_a_histogram_tells(drawn: dict[str, tuple[Drawn, Drawn]]) -> None:
    animals, others = (each["image"] for each in drawn["train"])
    brighter = np.clip(others.astype(int) + 60, 0, 255).astype(np.uint8)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(np.concatenate([colours(animals), colours(brighter)]), np.repeat([1, 0], COUNT))
    tested = np.concatenate([colours(drawn["test"][0]["image"]), colours(brighter)])
    assert probe.score(tested, np.repeat([1, 0], COUNT)) > 0.75


def test_they_have_no_parts_landmarks_or_box(drawn: dict[str, tuple[Drawn, Drawn]]) -> None:
    others = drawn["test"][1]
    assert set(others["label"]) == {OTHER_LABEL}
    assert not others["masks"].any()
    assert np.isnan(others["landmarks"]).all()
    assert not others["box"].any()


def test_something_is_in_the_picture(drawn: dict[str, tuple[Drawn, Drawn]]) -> None:
    scenes = [draw_other_scene(OTHER_SEEDS[1], i) for i in range(40)]
    for scene in scenes:
        assert set(scene.solids.parts) == {THING}
        low, high = scene.solids.corners()
        size = np.sqrt((np.minimum(high.max(0), 1) - np.maximum(low.min(0), 0))[:2].prod())
        assert size > 0.3


def test_no_part_can_be_left_out() -> None:
    whole, without = (render(OTHER_SEEDS[0], 3, 48, parts, draw_other_scene) for parts in ((), ("head", "legs")))
    assert np.array_equal(whole.image, without.image)
    with pytest.raises(ValueError, match="did you mean 'head'"):
        render(OTHER_SEEDS[0], 3, 48, ("hed",), draw_other_scene)


def test_every_kind_of_thing_is_drawn() -> None:
    from partbench.datasets.fauna.body import Body

    for kind in THINGS:
        for seed in range(5):
            body = Body()
            kind(body, np.random.default_rng(seed))
            assert body.feet, kind.__name__
            assert {solid[0] for solid in (*body.cones, *body.ellipsoids)} == {THING}
            assert len(body.cones) + len(body.ellipsoids) < 255


def test_the_random_images_of_fauna_keep_the_contract_of_splits() -> None:
    fauna = Fauna(size=32)
    for name, split in zip(("train", "test"), fauna.random_images(), strict=True):
        assert isinstance(split, OtherSet)
        fauna.classes = (*CATEGORIES, "other")
        check_split(name, split, fauna)
        assert not split.has_removals
