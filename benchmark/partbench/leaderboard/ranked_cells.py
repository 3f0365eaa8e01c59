"""The cells of a folder that boards rank, and how many others there are, by why boards do not."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from partbench.errors import InputError
from partbench.leaderboard.current import current
from partbench.leaderboard.taking_part import taking_part
from partbench.results.folders import cell_paths
from partbench.results.store import load_results
from partbench.results.submission_history import COLUMN


@dataclass(frozen=True)
class RankedCells:
    """What a folder holds.

    rows: an aggregate row of each cell that boards rank, as `load_results` gives them. unreadable: places of files that
    are no cells. others: how many further cells there are, by why boards do not rank them. total: all files.
    """

    rows: pd.DataFrame
    unreadable: list[str]
    others: Mapping[str, int]
    total: int


def ranked_cells(folder: Path) -> RankedCells:
    """Look through a folder of results. Raises InputError if it holds no cell that boards rank, and none unreadable."""
    every = [path.relative_to(folder).as_posix() for path in cell_paths(folder)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file that cannot be read is among `unreadable`
        rows = load_results(folder)
    first = rows.drop_duplicates("cell")
    ranked = first["cell"].isin(set(current(rows)["cell"]))
    unreadable = sorted(set(every) - set(first["file"]))
    others = first.loc[~ranked, COLUMN].astype(object)
    taking = first[~ranked].index.isin(taking_part(first[~ranked]).index)
    counts = others.where(~taking, "older than another of their explainer, options, task and seed").value_counts()
    if not ranked.any() and not unreadable:
        there = ", ".join(f"{count} are {why}" for why, count in counts.items())
        hint = f"of {len(every)} cells {there}; name one by its key" if every else "expected a folder of results"
        raise InputError(f"no cells in {folder} that boards rank; {hint}")
    return RankedCells(first[ranked], unreadable, {str(why): int(count) for why, count in counts.items()}, len(every))
