"""Categories that one split of a dataset has no images of."""

from __future__ import annotations

import warnings

from partbench import Dataset


def warn_of_lacking(dataset: Dataset) -> None:
    """Warn of the categories without an image for training, or for testing: what is measured of them says nothing."""
    for split, images in (("training", dataset.train), ("testing", dataset.test)):
        there = set(images.labels.tolist())
        lacking = [name for label, name in enumerate(dataset.classes) if label not in there]
        if lacking:
            text = f"no image for {split} of {', '.join(lacking)}; copy the whole dataset to use them"
            warnings.warn(f"{dataset.name}: {text}", stacklevel=3)
