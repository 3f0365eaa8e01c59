"""The twelve species of the world `fauna_species`, and what each part of each looks like.

A species is a mixture of looks of its parts, as in CUB. Several species share every look, and the nearest species of
each differs from it in one part or two, so that no part tells all species apart. `TRUTH` is the truth table;
`differing_parts` says which parts tell two species apart.
"""

from __future__ import annotations

from collections.abc import Mapping

SPECIES_VERSION = "1"

# part -> what it can look like; the first is the ordinary one
PROPERTIES: dict[str, tuple[str, ...]] = {
    "beak": ("short dark", "short yellow", "long dark", "long yellow"),
    "crown": ("plain", "red", "crest"),
    "forehead": ("plain", "white"),
    "eyes": ("plain", "white ring"),
    "throat": ("plain", "black", "red"),
    "nape": ("plain", "white"),
    "breast": ("plain", "yellow", "spotted"),
    "belly": ("plain", "white"),
    "back": ("plain", "black"),
    "wings": ("plain", "white bars", "red shoulder"),
    "tail": ("short", "long"),
    "legs": ("dark", "yellow"),
}


def _looks(**looks: str) -> dict[str, str]:
    """The ordinary look of every part, but for those named."""
    return {part: looks.get(part, known[0]) for part, known in PROPERTIES.items()}


_FINCH = _looks(throat="black", wings="white bars", belly="white")
_JAY = _looks(crown="crest", tail="long", breast="spotted", eyes="white ring", legs="yellow")
_CREEPER = _looks(beak="long dark", tail="long", throat="red", breast="spotted", back="black")
_HOOPOE = _looks(beak="long yellow", crown="crest", nape="white", wings="white bars", breast="yellow", legs="yellow")

TRUTH: Mapping[str, Mapping[str, str]] = {
    "black_throated_finch": _FINCH,
    "red_crowned_finch": {**_FINCH, "crown": "red", "beak": "short yellow"},
    "yellow_breasted_finch": {**_FINCH, "breast": "yellow", "nape": "white"},
    "spotted_jay": _JAY,
    "black_backed_jay": {**_JAY, "back": "black"},
    "red_shouldered_jay": {**_JAY, "wings": "red shoulder", "beak": "short yellow"},
    "red_throated_creeper": _CREEPER,
    "white_fronted_creeper": {**_CREEPER, "forehead": "white", "beak": "long yellow"},
    "red_crowned_creeper": {**_CREEPER, "crown": "red", "eyes": "white ring"},
    "yellow_breasted_hoopoe": _HOOPOE,
    "white_fronted_hoopoe": {**_HOOPOE, "forehead": "white", "belly": "white"},
    "red_throated_hoopoe": {**_HOOPOE, "throat": "red", "wings": "red shoulder"},
}
SPECIES = tuple(TRUTH)


def differing_parts(one: str, other: str) -> tuple[str, ...]:
    """The parts in which two species differ."""
    return tuple(part for part in PROPERTIES if TRUTH[one][part] != TRUTH[other][part])


def nearest(species: str) -> dict[str, tuple[str, ...]]:
    """The species that differ in the fewest parts from one, and in which parts each does."""
    apart = {other: differing_parts(species, other) for other in SPECIES if other != species}
    fewest = min(map(len, apart.values()))
    return {other: parts for other, parts in apart.items() if len(parts) == fewest}
