"""A dataset: drawn flowers with the parts centre, petals and stem. Nothing is read from a disk."""

import hashlib
import math

import numpy as np
import torch

from partbench import Batch, Dataset, ImageSet, hookimpl

KINDS = {"daisy": (9, (1.0, 1.0, 0.95)), "violet": (5, (0.5, 0.25, 0.8))}  # petals and their colour
PARTS = ("centre", "petals", "stem")
CLASSES = (*KINDS, "other")  # images of the class "other" are what single tasks tell a category from


class FlowerSet(ImageSet):
    """Flowers of each kind, and grass without a flower, in turns; each image is drawn from its number alone."""

    def __init__(self, split, count, size):
        self.split, self.size = split, size
        self.labels = torch.arange(count) % len(CLASSES)
        self.fingerprint = f"flowers 1 {split} {count} {size}"

    def __len__(self):
        return len(self.labels)

    def batch(self, indices):
        drawn = [draw(f"{self.split}/{i}", CLASSES[self.labels[i]], self.size) for i in indices]
        size, n = self.size, len(drawn)
        pixels = np.array([pixels for pixels, _, _ in drawn], np.float32).reshape(n, 3, size, size)
        masks = np.array([masks for _, masks, _ in drawn], bool).reshape(n, len(PARTS), size, size)
        centres = np.array([centre for _, _, centre in drawn], np.float32).reshape(n, 1, 2)
        return Batch(
            tuple(f"{self.split}/{i}" for i in indices), torch.from_numpy(pixels), self.labels[list(indices)],
            masks=torch.from_numpy(masks), landmarks=torch.from_numpy(centres),
        )  # fmt: skip


def draw(name: str, kind: str, size: int):
    """Pixels (3, size, size), masks of the parts, and the centre x y in px (NaN in grass) of an image."""
    random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
    y, x = np.mgrid[:size, :size] + 0.5
    green = np.array([0.2, 0.45, 0.15]) + random.normal(0, 0.05, 3)
    pixels = green[:, None, None] + random.normal(0, 0.05, (3, size, size))
    masks = np.zeros((len(PARTS), size, size), bool)
    if kind not in KINDS:
        return pixels.clip(0, 1), masks, (math.nan, math.nan)
    petals, colour = KINDS[kind]
    (cx, cy), radius = random.uniform(0.35, 0.65, 2) * size, random.uniform(0.18, 0.28) * size
    distance, angle = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx) + random.uniform(0, 2 * math.pi)
    masks[0] = distance < 0.3 * radius
    masks[1] = (distance < radius * (0.65 + 0.35 * np.cos(petals * angle))) & ~masks[0]
    masks[2] = (abs(x - cx) < 0.03 * size) & (y > cy) & ~masks[0] & ~masks[1]
    for mask, paint in zip(masks, ((0.95, 0.8, 0.1), colour, (0.1, 0.6, 0.1)), strict=True):
        pixels[:, mask] = np.array(paint)[:, None] + random.normal(0, 0.03, (3, int(mask.sum())))
    return pixels.clip(0, 1), masks, (cx, cy)


class Flowers(Dataset):
    """Two kinds of flowers on grass, and grass alone; 32 px and more. 240 training images, 60 test images."""

    name = "flowers"
    default_performer = "tiny_cnn"
    classes, categories = CLASSES, tuple(KINDS)
    part_names, landmark_names = PARTS, ("centre",)

    def __init__(self, root=None, size=32):
        super().__init__(root, size)
        self.train, self.test = FlowerSet("train", 240, size), FlowerSet("test", 60, size)


@hookimpl
def register_datasets(register):
    register(Flowers)
