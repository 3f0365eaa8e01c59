"""Classes and parts of Pascal-Part, and the parts that the paper on interpretable CNNs merges them to."""

from __future__ import annotations

import re

CATEGORIES = ("bird", "cat", "cow", "dog", "horse", "sheep")
OTHER_CLASSES = (  # of objects that are not read
    "aeroplane", "bicycle", "boat", "bottle", "bus", "car", "chair", "diningtable", "motorbike", "person",
    "pottedplant", "sofa", "table", "train", "tvmonitor",
)  # fmt: skip
PARTS = ("head", "torso", "legs", "front_legs", "back_legs", "tail")
LANDMARKS = ("head", "neck", "torso")  # parts as annotated, before they are merged

_LIMB_ENDS = {"cat": ("leg", "pa"), "dog": ("leg", "pa"), "horse": ("uleg", "lleg", "ho")}
_LIMB_ENDS |= dict.fromkeys(("cow", "sheep"), ("uleg", "lleg"))
_HEADS = {
    "bird": ("head", "leye", "reye", "beak"),
    "cat": ("head", "leye", "reye", "lear", "rear", "nose"),
    "dog": ("head", "leye", "reye", "lear", "rear", "nose", "muzzle"),
    "cow": ("head", "leye", "reye", "lear", "rear", "muzzle", "lhorn", "rhorn"),
    "horse": ("head", "leye", "reye", "lear", "rear", "muzzle"),
    "sheep": ("head", "leye", "reye", "lear", "rear", "muzzle", "lhorn", "rhorn"),
}


def _merges(animal: str) -> dict[str, str]:
    merged = dict.fromkeys(_HEADS[animal], "head") | {"torso": "torso", "neck": "torso"}
    if animal == "bird":
        merged |= dict.fromkeys(("lwing", "rwing"), "torso") | {"tail": "tail"}
        return merged | dict.fromkeys(("lleg", "lfoot", "rleg", "rfoot"), "legs")
    for place, legs in (("f", "front_legs"), ("b", "back_legs")):
        merged |= {f"{side}{place}{end}": legs for side in "lr" for end in _LIMB_ENDS[animal]}
    return merged | {"tail": "tail" if animal in ("cat", "dog") else ""}


# By animal: annotated part -> one of PARTS, "" for none: the paper counts tails of birds, cats and dogs alone.
MERGES = {animal: _merges(animal) for animal in CATEGORIES}


def merged(animal: str, name: str) -> str | None:
    """The part that a part of an animal belongs to, "" for none; None if animals of this class have no such part.

    Numbers at the end of a name, as in `wheel_1`, tell parts of one kind apart.
    """
    return MERGES[animal].get(re.sub(r"_\d+$", "", name))
