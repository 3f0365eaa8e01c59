"""Names of fauna: categories, parts and landmarks.

Fine parts follow Pascal-Part (Chen et al., CVPR 2014); the merged parts are those on which part interpretability is
measured (Zhang et al., Interpretable CNN, CVPR 2018, section 5). Two deviations: the tails of cow, horse and sheep are
kept as a part, so that the masks cover the whole animal; and "left" and "right" are always the animal's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CATEGORIES = ("bird", "cat", "cow", "dog", "horse", "sheep")
OTHER = "other"  # scenes of none of the categories
PART_NAMES = ("head", "torso", "legs", "front_legs", "back_legs", "tail")
SIDES = ("left", "right")

_HEAD = ("head", "left_eye", "right_eye", "left_ear", "right_ear")
_TRUNK = ("torso", "neck")


def _leg_parts(*segments: str) -> tuple[str, ...]:
    return tuple(f"{side}_{end}_{segment}" for end in ("front", "back") for side in SIDES for segment in segments)


_HORNED = (*_HEAD, "muzzle", "left_horn", "right_horn", *_TRUNK, *_leg_parts("upper_leg", "lower_leg"), "tail")

FINE_PARTS: dict[str, tuple[str, ...]] = {
    "bird": (
        "head",
        "left_eye",
        "right_eye",
        "beak",
        "torso",
        "neck",
        "left_wing",
        "right_wing",
        "left_leg",
        "left_foot",
        "right_leg",
        "right_foot",
        "tail",
    ),
    "cat": (*_HEAD, "nose", *_TRUNK, *_leg_parts("leg", "paw"), "tail"),
    "cow": _HORNED,
    "dog": (*_HEAD, "nose", "muzzle", *_TRUNK, *_leg_parts("leg", "paw"), "tail"),
    "horse": (*_HEAD, "muzzle", *_TRUNK, *_leg_parts("upper_leg", "lower_leg", "hoof"), "tail"),
    "sheep": _HORNED,
}

PAIRS: dict[str, tuple[str, str]] = {
    f"{noun}s": (f"left_{noun}", f"right_{noun}") for noun in ("eye", "ear", "horn", "wing")
}

CUB_LANDMARKS = (
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left_eye",
    "left_leg",
    "left_wing",
    "nape",
    "right_eye",
    "right_leg",
    "right_wing",
    "tail",
    "throat",
)
BOX_LANDMARKS = ("head", "neck", "torso", "front_legs", "back_legs", "tail")
_QUADRUPED_LANDMARKS = (*BOX_LANDMARKS, "left_eye", "right_eye", "nose", "left_ear", "right_ear")

LANDMARK_NAMES: dict[str, tuple[str, ...]] = {
    category: (*CUB_LANDMARKS, "head", "neck", "torso") if category == "bird" else _QUADRUPED_LANDMARKS
    for category in CATEGORIES
}
ALL_LANDMARKS: tuple[str, ...] = tuple(dict.fromkeys(name for c in CATEGORIES for name in LANDMARK_NAMES[c]))


def merged_part(fine: str) -> str:
    """The entry of PART_NAMES that a fine part belongs to (neck and wings are torso; ears, beak, horns are head)."""
    if fine in ("torso", "neck") or fine.endswith("_wing"):
        return "torso"
    if fine == "tail":
        return "tail"
    if "_front_" in fine or "_back_" in fine:
        return "front_legs" if "_front_" in fine else "back_legs"
    return "legs" if fine.endswith(("_leg", "_foot")) else "head"


def _known_names() -> set[str]:
    return {*PART_NAMES, *PAIRS, *(fine for parts in FINE_PARTS.values() for fine in parts)}


def removed_fine_parts(category: str, without: Iterable[str], worn: Iterable[str] = ()) -> frozenset[str]:
    """Fine parts of a category named by `without` (none of OTHER): merged names, fine names, or a pair such as "ears".

    `worn` are fine parts that the animal at hand has too: in attribute scenes any animal may have horns.

    "head", "torso" and "tail" are both merged and fine: they mean the merged part. A name of another category's part
    ("beak" for a cow) removes nothing. Raises ValueError for a name that no category has.
    """
    removed: set[str] = set()
    for name in without:
        if name not in _known_names():
            close = difflib.get_close_matches(name, sorted(_known_names()), n=1)
            raise ValueError(f"no part named {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        if category == OTHER:
            continue
        members = PAIRS.get(name, (name,))
        removed.update(
            fine
            for fine in (*FINE_PARTS[category], *worn)
            if (merged_part(fine) == name if name in PART_NAMES else fine in members)
        )
    return frozenset(removed)
