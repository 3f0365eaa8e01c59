"""On which boards submitted cells will have values and ranks, and what they lack for others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

import pandas as pd

from partbench.leaderboard.boards import board_of
from partbench.names import FIRST_PARTY
from partbench.results.schema import label

ELSEWHERE = "if its images and network are those of the published results"
SHOWN = 4  # tasks that a line names


def tasks_by_board(tasks: Iterable[str]) -> dict[str, set[str]]:
    """Names of tasks by their boards."""
    found: dict[str, set[str]] = {}
    for task in tasks:
        found.setdefault(board_of(task), set()).add(task)
    return found


def coverage_lines(rows: pd.DataFrame, needed: Mapping[str, set[str]], carried: Container[str]) -> Iterator[str]:
    """A line for each explainer: boards on which it gets a rank, and others with what it lacks there.

    `rows` has a row of each cell. `needed` are the tasks of boards, each of which an explainer needs for a value there.
    Explainers of others need two seeds on every task for a rank. A board that is not among `needed` has no other
    results: nothing can be said of it. Of boards that are not `carried` the published cells do not come with partbench:
    they may be of a sample of a dataset, or of a network that is nowhere else.
    """
    rows = rows.assign(label=[label(*who) for who in zip(rows["explainer"], rows["variant"], strict=True)])
    for name, own in rows.groupby("label", sort=True, observed=True):
        ranks, lacks = [], []
        for board, tasks in tasks_by_board(own["task"].astype(str)).items():
            seeds = own[own["task"].isin(tasks)].groupby("task", observed=True)["seed"].nunique()
            stranger = not own["distribution"].eq(FIRST_PARTY).all()
            if board not in needed:
                lacks.append(f"{board} (no results of others are known)")
            elif absent := sorted(needed[board] - tasks):
                lacks.append(f"{board} (no value: {len(needed[board] & tasks)} of {len(needed[board])} tasks; run also"
                             f" {_some(absent)})")  # fmt: skip
            elif stranger and seeds.min() < 2:
                lacks.append(f"{board} (values without a rank: one seed; run a second one)")
            else:
                ranks.append(board if board in carried else f"{board} ({ELSEWHERE})")
        yield f"{name}: ranked on {', '.join(ranks) or 'no board'}, once verified" + (
            f"; not on {', '.join(lacks)}" if lacks else ""
        )


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
