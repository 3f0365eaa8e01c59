"""Files that are made from results: written all at once, compared with what is there, told from files of others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from partbench.leaderboard.markdown import HEADER
from partbench.results.plain_text import inert
from partbench.whole_files import write_whole


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files by their names below a folder, made if absent, but for those that are so already; their paths.

    Raises OSError.
    """
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        data = content.encode() if isinstance(content, str) else content
        if bytes_of(path) != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    return paths


def differing(folder: Path, contents: Mapping[str, str]) -> set[str]:
    """Names of the files below a folder that are absent or not as they should be."""
    return {name for name, text in contents.items() if bytes_of(folder / name) != text.encode()}


def is_generated(page: Path) -> bool:
    """Whether a page of Markdown was made from results."""
    return (bytes_of(page) or b"").startswith(HEADER.encode())


def bytes_of(path: Path) -> bytes | None:
    """What is in a file; None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def as_csv(table: pd.DataFrame) -> str:
    """A table as comma-separated values, in which no text can start a formula."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.assign(**{name: table[name].map({text: inert(text) for text in set(table[name])}) for name in texts})
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
