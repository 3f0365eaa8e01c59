"""Files in the folder of a dataset, and symbolic links, which must not lead out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from partbench import InputError


def files_in(folder: Path, base: Path, suffixes: tuple[str, ...]) -> Iterator[os.DirEntry[str]]:
    """The files of a folder, and links to files, whose names end so, in any order.

    Raises InputError for a link that leads out of `base` or to nothing.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(suffixes):
                continue
            if entry.is_symlink():
                check_link(Path(entry.path), base)
            if entry.is_file():
                yield entry


def sizes_in(folder: Path, base: Path, suffix: str) -> dict[str, int]:
    """Bytes of each file of a folder whose name ends in `suffix`, by its name; folders below it are not looked into.

    Raises InputError for a link, of the folder or in it, that leads out of `base` or to nothing.
    """
    check_link(folder, base)
    return {entry.name: entry.stat().st_size for entry in files_in(folder, base, (suffix,))}


def check_link(path: Path, base: Path) -> None:
    """Raise InputError for a link that leads out of the folder `base` or to nothing."""
    target, base = Path(os.path.realpath(path)), base.resolve()  # Path.resolve raises RuntimeError for a loop
    if not target.is_relative_to(base) or not target.exists():
        raise InputError(f"{path} is a link to {target}, expected a file in {base}; copy the file itself")


def and_others(missing: Sequence[str]) -> str:
    """How many missing files there are beside the first, as said behind its name: " and 3 others"."""
    more = len(missing) - 1
    return f" and {more} other{'s' if more > 1 else ''}" if more > 0 else ""
