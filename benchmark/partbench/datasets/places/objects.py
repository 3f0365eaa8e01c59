"""Which objects of the rooms are the parts of the dataset, and their names."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from partbench import CacheItem
from partbench.datasets.places.folders import Release
from partbench.datasets.places.rooms import RoomPhoto

OBJECTS = 64  # objects that are told apart: masks of hundreds at 224 px would take gigabytes
VERSION = 1  # of the choice; raise it when the rule changes


def most_frequent(release: Release, photos: Sequence[RoomPhoto]) -> list[str]:
    """The labels of the objects that most photographs show; each room counts the same. The first is the most frequent.

    Photographs are looked at once: the cache has the labels afterwards. Raises InputError for a broken annotation.
    """
    known = hashlib.sha256(f"{VERSION} {OBJECTS} {release.root.resolve()}".encode(errors="surrogateescape"))
    for photo in photos:
        known.update(photo.described())
    item = CacheItem("places-objects", known.hexdigest()[:24], ".json")

    def choose() -> Path:
        shown: dict[str, list[set[str]]] = {}
        for photo in photos:
            shown.setdefault(photo.room, []).append(release.labels(photo))
        return item.write(lambda file: file.write(json.dumps(ranked(shown)[:OBJECTS]).encode()))

    labels: list[str] = item.once(lambda path: json.loads(path.read_bytes()), choose)
    return labels


def ranked(shown: Mapping[str, Sequence[set[str]]]) -> list[str]:
    """Labels by the share of a room's photographs that show them, averaged over rooms; equals by the alphabet."""
    shares: Counter[str] = Counter()
    for photos in shown.values():
        for label, count in Counter(label for photo in photos for label in photo).items():
            shares[label] += count / len(photos)  # type: ignore[assignment]
    return sorted(shares, key=lambda label: (-round(shares[label], 9), label))


def parts_of(labels: Sequence[str]) -> dict[str, str]:
    """The name of the part of each label: its first synonym, or all of them where two labels share the first."""
    first = Counter(slug(label.split(",")[0]) for label in labels)
    names = {label: slug(label.split(",")[0]) for label in labels}
    return {label: name if first[name] == 1 and name else slug(label) for label, name in names.items()}


def slug(text: str) -> str:
    """Lower case, with underscores for what is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "object"
