"""Files in the folder of a dataset: which are there, and how many are missing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from partbench.datasets.links import check_link


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


def and_others(missing: Sequence[str]) -> str:
    """How many missing files there are beside the first, as said behind its name: " and 3 others"."""
    more = len(missing) - 1
    return f" and {more} other{'s' if more > 1 else ''}" if more > 0 else ""
