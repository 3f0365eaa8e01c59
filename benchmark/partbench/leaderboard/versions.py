"""Which version of a metric or task counts: a result of another version says nothing of this one."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from importlib.resources import files

import pandas as pd

from partbench.leaderboard.boards import board_of
from partbench.names import FIRST_PARTY


def version_of_metric(metric: str) -> str:
    """The version of a metric (with its variants, '@') that this partbench has; "" for one that it does not have."""
    return _versions().get(("metric", metric.partition("@")[0]), "")


def version_of_task(task: str) -> str:
    """The version of a task on its default performer that this partbench has; "" for one that it does not have."""
    return _versions().get(("board", board_of(task)), "")


def counting(owners: Mapping[str, Collection[str]], own: str) -> str:
    """The version that counts, of those that have rows, each with the distributions of the explainers of its rows.

    It is that of this partbench (`own`). Where no row has it, it is the newest that an explainer of partbench has, and
    without such a row that of the most distributions: a single row of a newer version takes no result away. Versions
    that differ behind a "+" alone, as those of a performer whose file of weights has changed, are of one age: of these
    the last one of `owners` counts.
    """
    if own in owners:
        return own
    ours = [version for version, of in owners.items() if FIRST_PARTY in of]
    if ours:
        return max(reversed(ours), key=_order)
    return max(reversed(list(owners)), key=lambda version: (len(owners[version]), _order(version)))


def _order(version: str) -> tuple[tuple[int, ...], str]:
    public = version.partition("+")[0]
    return tuple(int(number) for number in re.findall(r"\d+", public)), public


@functools.cache
def _versions() -> dict[tuple[str, str], str]:
    """versions.csv, which scripts/versions.py writes: metrics need torch to be asked."""
    with (files("partbench.leaderboard") / "versions.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype=str)
    return {(kind, name): version for kind, name, version in table.itertuples(index=False)}
