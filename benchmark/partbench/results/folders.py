"""The files of a folder of results, whatever is linked into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CELL, ASKED = ".parquet", ".asked"


@dataclass(frozen=True)
class Folder:
    """A folder that holds cells: its place below the results, size and mtime_ns by file, and its records of requests.

    A file that cannot be looked at has size -1.
    """

    place: tuple[str, ...]
    cells: dict[str, tuple[int, int]]
    asked: tuple[str, ...]


def folders_of(results: Path, place: tuple[str, ...] = ()) -> list[Folder]:
    """The folders with cells below `results`, or below one place in it, in order of their names.

    Links to folders are followed, each folder is read once; hidden files and folders are left out.
    """
    return sorted(_walk(results, place, set()), key=lambda folder: folder.place)


def cell_paths(results: Path) -> list[Path]:
    """The files of cells below a folder, in order of their names."""
    found = folders_of(results)
    return [results.joinpath(*folder.place, name) for folder in found for name in sorted(folder.cells)]


def _walk(results: Path, place: tuple[str, ...], seen: set[str]) -> Iterator[Folder]:
    folder = results.joinpath(*place)
    if (real := os.path.realpath(folder)) in seen or not folder.is_dir():
        return
    seen.add(real)
    cells, asked, below = {}, [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(CELL):
                cells[entry.name] = _size_and_time(entry)
            elif entry.name.endswith(ASKED):
                asked.append(entry.name)
            elif entry.is_dir():
                below.append(entry.name)
    if cells:
        yield Folder(place, cells, tuple(asked))
    for name in below:
        yield from _walk(results, (*place, name), seen)


def _size_and_time(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        found = entry.stat()
    except OSError:  # such as of a link to nothing
        return -1, -1
    return found.st_size, found.st_mtime_ns
