"""Which releases of ADE20K and Places365 a folder holds."""

from __future__ import annotations

import warnings
from pathlib import Path

from partbench.datasets.places.challenge_release import OBJECTS_FILE, SCENES_FILE, ChallengeRelease
from partbench.datasets.places.full_release import FullRelease
from partbench.datasets.places.places365 import Places365

FULL = ("ADE20K_2021_17_01", "ADE20K_2016_07_26")  # the folders that the archives unpack to
CHALLENGE = "ADEChallengeData2016"
SPLITS = ("training", "validation")

Release = FullRelease | ChallengeRelease
Source = Release | Places365


def release_in(root: Path) -> Release | None:
    """The release in a folder, or in a folder of its published name there; None if there is none.

    Of several the first of 2021, 2016 and the challenge, with a warning.
    """
    found: list[Release] = []
    for place in (root, *(root / name for name in FULL), root / CHALLENGE):
        lists = any((place / name).is_file() for name in (OBJECTS_FILE, SCENES_FILE))
        if lists or any((place / "annotations" / split).is_dir() for split in SPLITS):
            found.append(ChallengeRelease(place))
        elif any((place / "images" / name).is_dir() for name in ("ADE", *SPLITS)):
            found.append(FullRelease(place))
    if len(found) > 1:
        others = ", ".join(release.root.name for release in found[1:])
        warnings.warn(f"places: of {root} {found[0].root.name} is used, not {others}", stacklevel=2)
    return found[0] if found else None


def sources_in(root: Path) -> list[Source]:
    """What a folder holds: ADE20K first, then Places365."""
    found = (release_in(root), Places365.of(root))
    return [source for source in found if source is not None]
