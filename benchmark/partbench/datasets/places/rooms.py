"""The ten rooms, and a photograph of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from partbench import InputError

PlacesSplit = Literal["training", "validation"]

ROOMS = {  # and their numbers in Places365
    "bathroom": 45, "bedroom": 52, "conference_room": 102, "dining_room": 121, "home_office": 176, "hotel_room": 182,
    "kitchen": 203, "living_room": 215, "office": 244, "waiting_room": 352,
}  # fmt: skip


@dataclass(frozen=True)
class RoomPhoto:
    """A photograph of a room, with the files that say what it shows, if any; `sizes` are bytes of all of them.

    Raises InputError for a name that cannot be printed, as of bytes that are no UTF-8.
    """

    name: str
    room: str
    path: Path
    annotation: tuple[Path, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise InputError(f"{str(self.path)!r} is no name that can be printed; rename the file")

    def described(self) -> bytes:
        """What tells it from other photographs, for fingerprints."""
        return f"{self.name} {self.room} {' '.join(map(str, self.sizes))}\n".encode()
