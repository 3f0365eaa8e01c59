"""Attributes of the attribute scenes: local ones, which are drawn, and global ones, random given the local ones.

The two kinds are those of face attributes in "Explaining Neural Networks Semantically and Quantitatively" (Chen et
al., ICCV 2019, section 4.2): "global features can usually be described by local visual concepts".
"""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .scene import Stream, random_stream

ATTRIBUTES_VERSION = "1"

LOCAL = (
    "horns",
    "hat",
    "big_eyes",
    "long_ears",
    "dark_muzzle",
    "cheek_spots",
    "beard",
    "collar",
    "mane",
    "saddle",
    "spikes",
    "spots",
    "stripes",
    "belly_patch",
    "bib",
    "socks",
    "shoes",
    "long_tail",
    "tail_tuft",
)

# log-odds of a global attribute = sum of coefficient x local attribute (+1 / -1)
GLOBAL: dict[str, dict[str, float]] = {
    "wild": {"horns": 1.2, "stripes": 1.0, "spikes": 0.8, "mane": 0.6, "collar": -1.0, "hat": -0.6},
    "tame": {"collar": 1.2, "saddle": 1.0, "socks": 0.6, "spikes": -1.0, "dark_muzzle": -0.6},
    "ornate": {"hat": 1.2, "spots": 1.0, "shoes": 0.8, "bib": 0.8, "tail_tuft": 0.6, "cheek_spots": 0.6},
    "young": {"big_eyes": 1.4, "long_ears": 0.8, "belly_patch": 0.6, "beard": -1.2, "long_tail": -0.8},
}

ATTRIBUTE_NAMES = (*LOCAL, *GLOBAL)
COEFFICIENTS: Float[ndarray, "g l"] = np.array([[row.get(name, 0.0) for name in LOCAL] for row in GLOBAL.values()])


def draw_attributes(rng: np.random.Generator) -> Float[ndarray, "a"]:
    """+1 or -1 for each of ATTRIBUTE_NAMES: a fair coin for a local one, a coin of these log-odds for a global one."""
    local = np.where(rng.random(len(LOCAL)) < 0.5, 1.0, -1.0)
    odds = 1 / (1 + np.exp(-COEFFICIENTS @ local))
    return np.concatenate((local, np.where(rng.random(len(odds)) < odds, 1.0, -1.0)))


def attributes_of(seed: int, count: int) -> Float[ndarray, "n a"]:
    """Attributes of the attribute scenes 0 .. count - 1 of a seed; nothing is rendered."""
    streams = map(partial(random_stream, seed, which=Stream.ATTRIBUTES), range(count))
    return np.stack([draw_attributes(stream) for stream in streams])
