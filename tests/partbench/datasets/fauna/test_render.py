"""Fauna: a data set whose truth is exact because it was drawn."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from partbench.datasets.fauna.dataset import SPLITS
from partbench.datasets.fauna.render import (
    ALL_LANDMARKS,
    CATEGORIES,
    CUB_LANDMARKS,
    FINE_PARTS,
    LANDMARK_NAMES,
    PART_NAMES,
    Sample,
    render,
    render_many,
)
from partbench.datasets.fauna.vocabulary import FAUNA, merged_part

MANY = 900


@pytest.fixture(scope="module")
def many() -> dict[str, np.ndarray]:
    """Images for training, which other tests of a run need too: rendered once, and in the cache."""
    batch = SPLITS.at(64)[0].batch(range(MANY))
    image = (255 * batch.pixels).round().byte().permute(0, 2, 3, 1)
    truth = {"label": batch.labels, "box": batch.boxes, "landmarks": batch.landmarks, "masks": batch.masks}
    return {name: values.numpy() for name, values in {"image": image, **truth}.items()}


def _same(a: Sample, b: Sample) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=f.name == "landmarks") for f in fields(Sample)
    )


def _changed(a: Sample, b: Sample) -> np.ndarray:
    return (a.image != b.image).any(-1)


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)).astype(bool)


def _part(sample: Sample, name: str) -> np.ndarray:
    return sample.masks[PART_NAMES.index(name)]


def _touched(seed: int, index: int, size: int, part: str) -> np.ndarray:
    """Pixels of a `size` image that contain any of a part, or lie beside one: found on the same scene drawn finer."""
    fine = _part(render(seed, index, 4 * size), part).reshape(size, 4, size, 4).any((1, 3))
    return _grown(fine, 1)


def _probe_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Held-out accuracy of a linear classifier, over three folds."""
    folds = np.arange(len(labels)) // len(CATEGORIES) % 3
    right = []
    for fold in range(3):
        train, test = folds != fold, folds == fold
        scale = StandardScaler().fit(features[train])
        model = LogisticRegression(C=0.01, max_iter=300).fit(scale.transform(features[train]), labels[train])
        right.append(model.score(scale.transform(features[test]), labels[test]))
    return float(np.mean(right))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63), index=st.integers(0, 10**9), size=st.integers(24, 80))
def test_every_scene_has_exact_shapes_ranges_and_a_tight_box(seed: int, index: int, size: int):
    sample = render(seed, index, size)
    assert sample.image.shape == (size, size, 3)
    assert sample.image.dtype == np.uint8
    assert sample.masks.shape == (len(PART_NAMES), size, size)
    assert sample.masks.dtype == bool
    assert sample.landmarks.shape == (len(ALL_LANDMARKS), 2)
    assert sample.landmarks.dtype == np.float32
    assert sample.box.shape == (4,)
    assert sample.box.dtype == np.float32
    assert sample.masks.sum(0).max() == 1  # disjoint, and something of the animal is visible
    rows, columns = np.nonzero(sample.masks.any(0))
    np.testing.assert_array_equal(sample.box, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    present = sample.landmarks[~np.isnan(sample.landmarks).any(1)]  # below 24 px a thin part may fall between pixels
    assert (present >= sample.box[:2] - 1).all()
    assert (present <= sample.box[2:] + 1).all()


def test_a_scene_depends_only_on_seed_and_index():
    first = render(5, 11)
    render(6, 12)
    assert _same(first, render(5, 11))
    assert _changed(first, render(5, 17)).mean() > 0.5  # the same category, another scene
    assert _changed(first, render(6, 11)).mean() > 0.5


def test_many_images_are_the_single_images_stacked_however_many_workers():
    indices = (3, 8, 1)
    alone = render_many(2, indices, 32)
    together = render_many(2, indices, 32, workers=2)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, together[name])
        np.testing.assert_array_equal(values[1], getattr(render(2, 8, 32), name))


def test_labels_are_balanced(many):
    assert np.bincount(many["label"]).tolist() == [MANY // 6] * 6


def test_no_two_images_are_alike(many):
    flat = many["image"].reshape(MANY, -1)
    assert len(np.unique(flat, axis=0)) == MANY


@pytest.mark.parametrize("index", range(12))
def test_the_scene_is_the_same_at_another_resolution(index: int):
    small, large = render(1, index, 64), render(1, index, 192)
    shrunk = large.masks.reshape(len(PART_NAMES), 64, 3, 64, 3).mean((2, 4)) > 0.5
    for part in range(len(PART_NAMES)):
        if small.masks[part].sum() > 150:
            overlap = (small.masks[part] & shrunk[part]).sum() / (small.masks[part] | shrunk[part]).sum()
            assert overlap > 0.8, PART_NAMES[part]
    np.testing.assert_allclose(small.box, large.box / 3, atol=2)
    apart = np.abs(small.landmarks - large.landmarks / 3)
    assert np.nanmax(apart) < 3
    assert np.nanmedian(apart) < 0.5
    picture = cv2.resize(large.image, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(picture - small.image).mean() < 12


@pytest.mark.parametrize("part", PART_NAMES)
def test_leaving_a_part_out_changes_only_the_pixels_it_touched(part: str):
    changes = 0
    for index in range(6):
        whole, rest = render(3, index, 48), render(3, index, 48, without=(part,))
        assert not _part(rest, part).any()
        changed = _changed(whole, rest)
        assert not (changed & ~_touched(3, index, 48, part)).any()
        changes += changed.sum()
        others = [k for k, name in enumerate(PART_NAMES) if name != part]
        lost = whole.masks[others] & ~rest.masks[others]
        assert not (lost & ~_touched(3, index, 48, part)).any()  # the others may gain what was behind the part
    assert changes > 20


def test_the_whole_animal_can_be_left_out():
    for index in range(6):
        whole, empty = render(4, index), render(4, index, without=PART_NAMES)
        assert not empty.masks.any()
        assert np.isnan(empty.landmarks).all()
        assert (empty.box == 0).all()
        changed = _changed(whole, empty)
        assert not (changed & ~_grown(whole.masks.any(0), 2)).any()
        assert changed[whole.masks.any(0)].mean() > 0.8


def test_every_fine_part_is_drawn_and_can_be_left_out_alone():
    for label, category in enumerate(CATEGORIES):
        for fine in (f for f in FINE_PARTS[category] if f not in PART_NAMES):
            seen = False
            for index in range(label, 240, 6):
                whole, rest = render(0, index, 64), render(0, index, 64, without=(fine,))
                changed = _changed(whole, rest)
                if changed.any():
                    assert not (changed & ~_grown(_part(whole, merged_part(fine)), 2)).any()
                    seen = True
                    break
            assert seen, f"{fine} of the {category} is never visible"


def test_every_part_of_a_category_is_visible_in_most_images_and_no_other_part_ever(many):
    for label, category in enumerate(CATEGORIES):
        visible = many["masks"][many["label"] == label].any((2, 3)).mean(0)
        expected = {merged_part(fine) for fine in FINE_PARTS[category]}
        for name, share in zip(PART_NAMES, visible, strict=True):
            assert share > 0.8 if name in expected else share == 0, (category, name, share)


def test_a_pair_is_both_its_sides_and_a_part_of_another_category_removes_nothing():
    assert FAUNA.removed("cow", ("horns", "left_ear")) == {"left_horn", "right_horn", "left_ear"}
    assert FAUNA.removed("cow", ("beak", "legs")) == frozenset()
    assert FAUNA.removed("bird", ("torso",)) == {"torso", "neck", "left_wing", "right_wing"}
    assert _same(render(0, 2), render(0, 2, without=("beak",)))


def test_an_unknown_part_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"no part named 'hed'; did you mean 'head'\?"):
        render(0, 0, without=("hed",))
    with pytest.raises(ValueError, match="found seed -1"):
        render(-1, 0)


def test_landmarks_lie_on_the_part_they_name():
    on_head = {"left_eye", "right_eye", "nose", "left_ear", "right_ear", "beak", "crown", "forehead"}
    on_torso = {"back", "belly", "breast", "left_wing", "right_wing"}
    owners = {
        **dict.fromkeys(on_head, "head"),
        **dict.fromkeys(on_torso, "torso"),
        "left_leg": "legs",
        "right_leg": "legs",
    }
    near = {name: [] for name in owners}
    for index in range(120):
        sample = render(7, index, 96)
        for name in owners:
            x, y = sample.landmarks[ALL_LANDMARKS.index(name)]
            if not np.isnan(x):
                near[name].append(_grown(_part(sample, owners[name]), 2)[min(int(y), 95), min(int(x), 95)])
    for name, hits in near.items():
        assert len(hits) >= 8, name
        assert np.mean(hits) > 0.85, (name, np.mean(hits))


def test_a_box_landmark_is_the_centre_of_the_visible_parts_box():
    for index in (1, 2, 4, 8, 13, 22):
        sample = render(9, index, 128)
        for name in ("head", "front_legs", "back_legs"):
            rows, columns = np.nonzero(_part(sample, name))
            point = sample.landmarks[ALL_LANDMARKS.index(name)]
            if len(rows) > 60:
                middle = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
                np.testing.assert_allclose(point, middle, atol=1.5)


def test_landmarks_are_absent_for_other_categories_for_left_out_parts_and_sometimes_when_hidden(many):
    assert LANDMARK_NAMES["bird"][:15] == CUB_LANDMARKS
    assert len(set(CUB_LANDMARKS)) == 15
    absent = np.isnan(many["landmarks"]).any(2)
    for label, category in enumerate(CATEGORIES):
        for k, name in enumerate(ALL_LANDMARKS):
            share = absent[many["label"] == label, k].mean()
            assert share == 1 if name not in LANDMARK_NAMES[category] else share < 0.8, (category, name, share)
    eyes = [ALL_LANDMARKS.index("left_eye"), ALL_LANDMARKS.index("right_eye")]
    assert 0.2 < absent[:, eyes].mean() < 0.8  # one eye is mostly on the far side of the head
    assert np.isnan(render(0, 1, without=("head",)).landmarks[eyes]).all()


def test_animals_vary_in_size_and_some_are_cut_by_the_frame(many):
    spans = (many["box"][:, 2:] - many["box"][:, :2]).max(1) / 64
    assert np.quantile(spans, 0.05) < 0.6
    assert np.quantile(spans, 0.95) > 0.85
    cut = ((many["box"] <= 0) | (many["box"] >= 64)).any(1)
    assert 0.1 < cut.mean() < 0.4


def test_colour_does_not_give_the_category_away(many):
    histograms = np.stack(
        [cv2.calcHist([image], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel() for image in many["image"]]
    )
    assert _probe_accuracy(np.sqrt(histograms), many["label"]) < 0.30
    channels = np.stack(
        [
            np.concatenate([np.bincount(image[..., c].ravel() // 16, minlength=16) for c in range(3)])
            for image in many["image"]
        ]
    )
    assert _probe_accuracy(np.sqrt(channels), many["label"]) < 0.30


def test_area_does_not_give_the_category_away(many):
    area = many["masks"].any(1).mean((1, 2))
    assert _probe_accuracy(np.stack((area, area**2), 1), many["label"]) < 0.40


def test_the_colour_probe_would_notice_a_coloured_category(many):
    tinted = many["image"].astype(float)
    tinted[many["label"] == 0, ..., 0] *= 0.5
    channels = np.stack([np.bincount((image[..., 0] // 16).astype(int).ravel(), minlength=16) for image in tinted])
    assert _probe_accuracy(np.sqrt(channels), many["label"]) > 0.24


def test_shape_gives_the_category_away(many):
    silhouettes = []
    for masks, box in zip(many["masks"], many["box"].astype(int), strict=True):
        cut = masks.any(0)[box[1] : box[3], box[0] : box[2]].astype(np.float32)
        cut = cv2.resize(cut, (16, 16), interpolation=cv2.INTER_AREA)
        silhouettes.append(np.concatenate((cut, cut[:, ::-1])).ravel() / 2)
    assert _probe_accuracy(np.stack(silhouettes), many["label"]) > 0.55
