"""Which image files a folder holds, and that none of them is a link out of the dataset or to nothing."""

from __future__ import annotations

import os
from pathlib import Path

from partbench import InputError


def sizes_in(folder: Path, base: Path, suffix: str) -> dict[str, int]:
    """Bytes of each file of a folder whose name ends in `suffix`, by its name; folders below it are not looked into.

    Raises InputError for a link, of the folder or in it, that leads out of `base` or to nothing.
    """
    inside, found = base.resolve(), {}
    check_link(folder, inside)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                check_link(Path(entry.path), inside)
            if entry.name.endswith(suffix) and entry.is_file():
                found[entry.name] = entry.stat().st_size
    return found


def check_link(path: Path, base: Path) -> None:
    """Raise InputError for a path that leads out of the folder `base`, which is resolved, or to nothing."""
    target = path.resolve()
    if not target.is_relative_to(base) or not target.exists():
        raise InputError(f"{path} is a link to {target}, expected an image in {base}; copy the image itself")
