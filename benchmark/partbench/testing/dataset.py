"""The contract of datasets: what any explainer and metric may rely on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from partbench import advice
from partbench.advice import Advice
from partbench.plugin.dataset import Dataset, ImageSet
from partbench.testing.checks import expect, expect_docstring
from partbench.types import Batch

SAMPLE = 32  # images of each split that are compared with those of the other


def check_dataset(dataset: Dataset, images: int = 6) -> None:
    """Read some images of an opened dataset and check what it declares and returns. Raises ContractError.

    Names and versions; labels in range; pixels (n, 3, size, size) in [0, 1], the same at every call, whatever the
    other images of the batch and whatever a caller wrote into those read before; boxes, landmarks, masks, part boxes
    and attributes of the declared shapes; stable fingerprints; no id and no picture in both splits, as far as the first
    32 images of each tell.
    """
    cls = type(dataset)
    expect_docstring(cls)
    expect(bool(dataset.version), f"{cls.__name__} has no version", advice.VERSION)
    strange = set(dataset.categories) - set(dataset.classes)
    expect(not strange, f"categories {', '.join(sorted(strange))} are no classes", advice.CATEGORIES)
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        check_split(name, split, dataset, images)
    _check_disjoint(dataset)


def check_split(name: str, split: ImageSet, dataset: Dataset, images: int = 6) -> None:
    """The contract of one split of a dataset."""
    count, labels = len(split), split.labels
    expect(count > 0, f"the {name} split is empty", advice.SPLIT_EMPTY)
    expect(
        labels.shape == (count,),
        f"labels of the {name} split are {tuple(labels.shape)}, expected ({count},)",
        advice.LABELS,
    )
    expect(
        not labels.dtype.is_floating_point,
        f"labels of the {name} split are {labels.dtype}, expected integers",
        advice.LABELS,
    )
    low, high = int(labels.min()), int(labels.max())
    classes = len(dataset.classes)
    expect(
        low >= 0 and high < classes,
        f"labels of the {name} split are {low} to {high}, of {classes} classes",
        advice.LABELS,
    )
    fingerprint = split.fingerprint
    expect(
        isinstance(fingerprint, str) and bool(fingerprint), f"the {name} split has no fingerprint", advice.FINGERPRINT
    )
    rows = sorted({round(i * (count - 1) / max(1, images - 1)) for i in range(images)})
    batch = split.batch(rows)
    _check_batch(name, batch, dataset, labels[rows])
    _check_repeatable(name, split, rows, batch)
    expect(
        split.fingerprint == fingerprint,
        f"the fingerprint of the {name} split changed while images were read",
        advice.FINGERPRINT,
    )


def _check_batch(name: str, batch: Batch, dataset: Dataset, labels: Tensor) -> None:
    n, size = len(labels), dataset.size
    expect(len(set(batch.ids)) == n, f"{name}: {len(set(batch.ids))} different ids for {n} images", advice.IDS)
    _expect_shape(f"{name}: pixels", batch.pixels, (n, 3, size, size), advice.PIXEL_AXES)
    expect(
        batch.pixels.dtype == torch.float32,
        f"{name}: pixels are {batch.pixels.dtype}, expected float32",
        advice.PIXEL_RANGE,
    )
    low, high = float(batch.pixels.min()), float(batch.pixels.max())
    expect(low >= 0 and high <= 1, f"{name}: pixels are {low:.3g} to {high:.3g}, expected 0 to 1", advice.PIXEL_RANGE)
    expect(
        torch.equal(batch.labels, labels),
        f"{name}: labels of a batch differ from those of the split",
        advice.BATCH_LABELS,
    )
    parts = len(dataset.part_names)
    shapes = {
        "boxes": (n, 4),
        "landmarks": (n, len(dataset.landmark_names), 2),
        "masks": (n, parts, size, size),
        "part_boxes": (n, parts, 4),
        "attributes": (n, len(dataset.attribute_names)),
    }
    for field, shape in shapes.items():
        value = cast(Tensor | None, getattr(batch, field))
        if value is not None:
            _expect_shape(f"{name}: {field}", value, shape, advice.ANNOTATION_AXES)
            boolean = value.dtype == torch.bool
            expect(boolean == (field == "masks"), f"{name}: {field} are {value.dtype}", advice.ANNOTATION_TYPES)
    for field in ("boxes", "part_boxes"):
        _check_boxes(f"{name}: {field}", getattr(batch, field), size)
    if batch.landmarks is not None:
        _check_landmarks(f"{name}: landmarks", batch.landmarks, size)
    if batch.attributes is not None:
        known = batch.attributes[~batch.attributes.isnan()]
        expect(bool((known.abs() == 1).all()), f"{name}: attributes must be +1, -1 or NaN", advice.ATTRIBUTES)


def _check_boxes(what: str, boxes: Tensor | None, size: int) -> None:
    """Corners in order and on the image; a box may be absent (NaN) or empty."""
    if boxes is None:
        return
    known = boxes.reshape(-1, 4)
    known = known[~known.isnan().any(1)]
    if not len(known):
        return
    expect(bool((known[:, :2] <= known[:, 2:]).all()), f"{what}: x0 y0 must not exceed x1 y1", advice.BOXES)
    on_image = bool(((known >= -1) & (known <= size + 1)).all())
    expect(
        on_image,
        f"{what}: from {known.min():.3g} to {known.max():.3g}, outside the {size} px of the image",
        advice.BOXES,
    )


def _check_landmarks(what: str, landmarks: Tensor, size: int) -> None:
    """On the image, or beside it where it was cropped, by half a side at most: further off they are of other images."""
    known = landmarks[~landmarks.isnan()]
    if len(known):
        near = bool(((known >= -size / 2) & (known <= 1.5 * size)).all())
        expect(
            near,
            f"{what}: from {known.min():.3g} to {known.max():.3g}, outside the {size} px of the image",
            advice.LANDMARKS,
        )


def _check_repeatable(name: str, split: ImageSet, rows: Sequence[int], batch: Batch) -> None:
    pixels = batch.pixels.clone()
    batch.pixels.zero_()  # as a careless caller might
    again = split.batch(list(reversed(rows)))
    expect(
        torch.equal(again.pixels.flip(0), pixels),
        f"{name}: the same images have other pixels at the second call",
        advice.REPEATABLE,
    )
    alone = split.batch(rows[:1])
    expect(
        torch.equal(alone.pixels, pixels[:1]),
        f"{name}: pixels of an image depend on the others of the batch",
        advice.REPEATABLE,
    )
    expect(alone.ids[0] == batch.ids[0], f"{name}: the id of an image changes from call to call", advice.REPEATABLE)


def _check_disjoint(dataset: Dataset) -> None:
    seen = []
    for split in (dataset.train, dataset.test):
        batch = split.batch(range(min(SAMPLE, len(split))))
        pictures = {hashlib.sha256(picture.numpy().tobytes()).digest() for picture in batch.pixels.cpu()}
        seen.append((set(batch.ids), pictures))
    (train_ids, train_pictures), (test_ids, test_pictures) = seen
    shared = sorted(train_ids & test_ids)
    expect(not shared, f"train and test share images, such as {', '.join(shared[:2])}", advice.DISJOINT)
    expect(not train_pictures & test_pictures, "train and test share pictures, under different ids", advice.DISJOINT)


def _expect_shape(what: str, value: Tensor, shape: tuple[int, ...], mending: Advice) -> None:
    expect(tuple(value.shape) == shape, f"{what} are {tuple(value.shape)}, expected {shape}", mending)
