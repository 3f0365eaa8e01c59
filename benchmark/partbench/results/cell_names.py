"""Cells as users name them: by key, by the beginning of a key, or by file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from partbench.errors import InputError
from partbench.results.folders import cell_paths
from partbench.results.schema import cell_path
from partbench.results.store import find_cell

SHOWN = 3  # keys of an explainer that a mistake names


def place_of(results: Path, text: str) -> str:
    """The place of a cell below a folder of results.

    Raises InputError if no cell is meant, or more than one, with what is near.
    """
    paths = [] if text.endswith(".parquet") else cell_paths(results)
    keys = [path.stem.rpartition("-")[2] for path in paths]
    if paths and not any(key.startswith(text) for key in keys):
        raise InputError(f"no cell '{text}' in {results} ({len(paths)} cells); {_hint(text, paths)}")
    return cell_path(Path(), find_cell(results, text)).as_posix()


def located(results: Path, text: str) -> tuple[Path, str]:
    """The folder of results that a cell is in, which a file says itself, and the place of the cell there."""
    place = place_of(results, text)
    if not text.endswith(".parquet"):
        return results, place
    path = Path(text).resolve()
    if not path.as_posix().endswith(f"/{place}"):
        raise InputError(f"'{text}' does not lie where its rows say, at {place} below a folder of results")
    return path.parents[2], place


def _hint(text: str, paths: Sequence[Path]) -> str:
    if set(text) & set("*?["):
        return "it is a pattern; expected the key or the file of one cell"
    of_explainer: dict[str, list[str]] = {}
    for path in paths:
        name, _, key = path.stem.rpartition("-")
        of_explainer.setdefault(name, []).append(key)
    near = difflib.get_close_matches(text, of_explainer, n=1)
    if near:
        own = of_explainer[near[0]]
        more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
        return f"expected the key of a cell; those of {near[0]} are {', '.join(own[:SHOWN])}{more}"
    similar = difflib.get_close_matches(text, [key for own in of_explainer.values() for key in own], n=1)
    return f"did you mean {similar[0]}?" if similar else "keys are the last part of file names"
