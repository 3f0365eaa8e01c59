"""What is printed after a run: tables of scores, why metrics have none, and what explainers remark on themselves."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

import pandas as pd

from partbench.cli.tables import print_table, table_width
from partbench.results.schema import AGGREGATE, label

WHO = "explainer"
HEADING = 18  # characters of a line of a column's heading
_LOG = re.compile(r"; its output: \S+\.log$")


def counted(values: pd.Series, noun: str) -> str:
    """The number of different values with their noun, as in "1 task" and "2 tasks"."""
    count = values.nunique()
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reasons(frame: pd.DataFrame, status: str) -> list[str]:
    """Why metrics have this status ("skipped" or "failed"): a line for each reason, with its metrics and its cells."""
    rows = frame[(frame["unit"] == AGGREGATE) & (frame["status"] == status)]
    rows = rows.astype({"metric": str, "reason": str, "explainer": str, "task": str})
    rows = rows.assign(reason=rows["reason"].str.replace(_LOG, "", regex=True))
    every = set(frame[(frame["unit"] == AGGREGATE) & frame["higher_is_better"].notna()]["metric"].astype(str))
    lines = []
    for reason, block in rows.groupby("reason", sort=True):
        metrics = sorted(set(block["metric"]))
        named = "all metrics" if len(every) > 1 and every <= set(metrics) else ", ".join(metrics)
        first = block.iloc[0]
        where = f"{first['explainer']} on {first['task']}, seed {first['seed']}"
        cells = block["cell"].nunique()
        lines.append(f"{status}: {named} ({reason}), {where if cells == 1 else f'{cells} cells, such as {where}'}")
    return lines


def remarks(frame: pd.DataFrame) -> list[str]:
    """What explainers say of numbers that they report of themselves, and in how many cells."""
    reported = frame[(frame["unit"] == AGGREGATE) & frame["higher_is_better"].isna() & (frame["status"] == "ok")]
    remarked = reported[reported["reason"].astype(str) != ""].astype({"explainer": str, "metric": str, "reason": str})
    blocks = remarked.groupby(["explainer", "metric", "reason"], sort=True)
    return [f"{who}: {reason} ({name}, {counted(of['cell'], 'cell')})" for (who, name, reason), of in blocks]


def score_rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    """One row per explainer, one column per metric: the mean of the cells that have a value, and how many do.

    Metrics that are skipped in all cells are left out: `reasons` says why. What explainers report of themselves, which
    has no direction, comes last.
    """
    shown = frame[frame["unit"] == AGGREGATE].astype({"metric": str, "explainer": str, "variant": str})
    names = [label(*pair) for pair in zip(shown["explainer"], shown["variant"], strict=True)]
    shown = shown.assign(who=names)
    blocks = sorted(shown.groupby("metric"), key=lambda one: (one[1]["higher_is_better"].isna().all(), one[0]))
    rows: dict[str, dict[str, str]] = {who: {WHO: who} for who in dict.fromkeys(names)}
    for metric, block in blocks:
        if (block["status"] == "skipped").all():
            continue
        title = f"{metric}{arrow(block['higher_is_better'].iloc[0])}"
        for who, cells in block.groupby("who", sort=False):
            rows[str(who)][title] = _score(cells)
    return list(rows.values())


def print_scores(title: str, rows: Sequence[dict[str, str]]) -> None:
    """Scores as tables that fit the width: as many metrics beside each other as there is room for."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != WHO))
    for part in beside(rows, columns, table_width()):
        shown = [row for row in rows if any(name in row for name in part)]
        print_table(title, [{name: row.get(name, "") for name in (WHO, *part)} for row in shown], heading=HEADING)
        title = ""


def beside(rows: Sequence[dict[str, str]], columns: Sequence[str], width: int) -> Iterator[list[str]]:
    """The columns in blocks that fit a width together with the names of the explainers; a block has at least one."""
    first = _width(rows, WHO) + 4
    block: list[str] = []
    used = first
    for name in columns:
        own = _width(rows, name) + 3
        if block and used + own > width:
            yield block
            block, used = [], first
        block, used = [*block, name], used + own
    if block:
        yield block


def arrow(higher_is_better: object) -> str:
    """An arrow to the better side, with a space before it, in what stdout can print; "" where there is none."""
    up = {True: (" ↑", " (+)"), False: (" ↓", " (-)")}.get(higher_is_better, ("", ""))  # type: ignore[call-overload]
    try:
        up[0].encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return str(up[1])
    return str(up[0])


def _width(rows: Sequence[dict[str, str]], name: str) -> int:
    return max(min(len(name), HEADING), *(len(row.get(name, "")) for row in rows))


def _score(cells: pd.DataFrame) -> str:
    values = cells["value"].dropna()
    if not len(values):
        return str(cells["status"].iloc[0])
    note = "" if len(values) == len(cells) else f" ({len(values)} of {len(cells)})"
    return f"{values.mean():.3f}{note}"
