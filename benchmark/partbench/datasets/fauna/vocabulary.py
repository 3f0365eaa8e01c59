"""Names of fauna: categories, parts and landmarks.

Fine parts follow Pascal-Part (Chen et al., CVPR 2014); the merged parts are those on which part interpretability is
measured (Zhang et al., Interpretable CNN, CVPR 2018, section 5). Two deviations: the tails of cow, horse and sheep are
kept as a part, so that the masks cover the whole animal; and "left" and "right" are always the animal's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

CATEGORIES = ("bird", "cat", "cow", "dog", "horse", "sheep")
OTHER = "other"  # scenes of none of the categories
THING = "thing"  # the only part of what is no animal; it is none of the parts that are masked
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


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What a world calls what it draws. The renderer asks the vocabulary of a scene for every name.

    categories: a label is an index into them; len(categories) is a scene of none of them.
    part_names: the parts that are masked.
    part_of: the entry of `part_names` of every fine part that a solid may have, or "" if it is not masked.
    fine_parts: of each category, what `removed` takes out of it, in addition to what a scene shows.
    pairs: names of several fine parts together.
    landmark_names: the rows of the landmarks of a sample.
    box_landmarks: of each category, landmarks at the centre of the box of the part of the same name.
    """

    categories: tuple[str, ...]
    part_names: tuple[str, ...]
    part_of: Mapping[str, str]
    fine_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    landmark_names: tuple[str, ...] = ()
    box_landmarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def fine_id(self) -> dict[str, int]:
        """A number from 1 for each fine part; 0 is nothing."""
        return {fine: k + 1 for k, fine in enumerate(self.part_of)}

    @cached_property
    def part_of_id(self) -> UInt8[ndarray, "ids"]:
        """Of each number of `fine_id`, 1 + the index of its part in `part_names`, or 0 if it is not masked."""
        numbers = {"": 0} | {part: k + 1 for k, part in enumerate(self.part_names)}
        return np.array([0, *(numbers[part] for part in self.part_of.values())], np.uint8)

    @cached_property
    def _known(self) -> tuple[str, ...]:
        fine = {fine for fine, part in self.part_of.items() if part}
        return tuple(sorted({*self.part_names, *self.pairs, *fine}))

    def removed(self, category: str, without: Iterable[str], worn: Iterable[str] = ()) -> frozenset[str]:
        """Fine parts of a category named by `without`: parts, fine parts or pairs.

        `worn` are fine parts that the scene at hand shows too: in attribute scenes any animal may have horns. A name
        that is both a part and a fine part means the part. A name of another category's part ("beak" for a cow) removes
        nothing. Raises ValueError for a name that no category has.
        """
        removed: set[str] = set()
        for name in without:
            if name not in self._known:
                close = difflib.get_close_matches(name, self._known, n=1)
                raise ValueError(f"no part named {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
            members = self.pairs.get(name, (name,))
            removed.update(
                fine
                for fine in (*self.fine_parts.get(category, ()), *worn)
                if (self.part_of[fine] == name if name in self.part_names else fine in members)
            )
        return frozenset(removed)


FAUNA = Vocabulary(
    categories=CATEGORIES,
    part_names=PART_NAMES,
    part_of={fine: merged_part(fine) for parts in FINE_PARTS.values() for fine in parts} | {THING: ""},
    fine_parts=FINE_PARTS,
    pairs=PAIRS,
    landmark_names=ALL_LANDMARKS,
    box_landmarks={
        category: tuple(name for name in BOX_LANDMARKS if name in names) for category, names in LANDMARK_NAMES.items()
    },
)
