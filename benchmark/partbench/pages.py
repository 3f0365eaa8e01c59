"""Standings as GitHub Markdown: overview, a ranked table per metric, variants, directions, and what was not scored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd
from tabulate import tabulate

from partbench.comparisons import MIN_CELLS, directions
from partbench.published import elsewhere, same_data
from partbench.standings import label

HEADER = "<!-- Generated from the results by `bench leaderboard`; do not edit. -->"
ABSENT = "—"
_READING = f"""\
How to read it. A value is the mean over seeds per task, then over tasks; it is missing ({ABSENT}) unless every task
that any explainer covers with this metric is covered, and the coverage says how many are. ↑: higher is better,
↓: lower is. Intervals are 95 %: seeds are resampled within each task, and the uncertainty from the images, which all
seeds share, is added to every task. **Bold**: the best value and those whose intervals overlap its interval; they
share rank 1. Controls know nothing of what the network sees and have no rank. † not separated from the best control,
or worse than it: such a score is no evidence of explaining."""
_COLUMNS = ["rank", "explainer", "value", "95 % interval", "coverage", "seeds", "images"]


def page(dataset: str, standings: pd.DataFrame, rows: pd.DataFrame) -> str:
    """The page of a dataset. `standings` are those of `standings.board`, `rows` those of `standings.current`."""
    parts = [HEADER, f"# {escape(dataset)}", _READING]
    for board in sorted(set(standings["board"]), key=lambda board: ("/multi" in board, board)):
        parts += _board(board, standings[standings["board"] == board], rows[rows["board"] == board])
    return "\n\n".join(parts) + "\n"


def escape(text: object) -> str:
    """Text that Markdown shows as it is, on one line and inside a table: no markup, no HTML, no column separator."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*\[\]|~$])", r"\\\1", line)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # within a word an underscore is no markup


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub table of cells that are already escaped."""
    return tabulate(list(rows), headers=columns, tablefmt="pipe", disable_numparse=True, colglobalalign="left")


def _board(board: str, standings: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    categories = ", ".join(sorted(set(rows["category"])))
    what = "all categories explained at once" if categories == "multi" else f"one category at a time: {categories}"
    parts = [f"## {escape(board)}", f"Network explained: {escape(rows['performer'].iloc[0])}; {escape(what)}."]
    ranked = ~standings["metric"].str.contains("@") & standings["higher_is_better"].notna()
    main, variants = standings[ranked], standings[~ranked]
    measured = sorted(set(main.loc[main["tasks"] > 0, "metric"]))
    if measured:
        parts += ["### Overview", "± half the width of the interval.", _overview(main, measured)]
    for metric in measured:
        table = main[main["metric"] == metric]
        parts += [f"### {_heading(table)}", _ranking(table[table["tasks"] > 0])]
    return parts + _in_detail(variants) + _directions(rows) + _elsewhere(standings) + _not_scored(rows)


def _overview(main: pd.DataFrame, metrics: list[str]) -> str:
    headings = [_heading(main[main["metric"] == metric]) for metric in metrics]
    return grid(["explainer", *headings], _by_explainer(main, metrics))


def _by_explainer(table: pd.DataFrame, metrics: list[str]) -> list[list[str]]:
    """One row per explainer that has a value, controls last; short values."""
    found = []
    for _, group in table.groupby(["control", "explainer", "variant"], sort=True):
        of_metric = {row["metric"]: row for _, row in group.iterrows()}
        cells = [_short(of_metric[metric]) if metric in of_metric else ABSENT for metric in metrics]
        first = group.iloc[0]
        if set(cells) != {ABSENT}:
            found.append([_name(first["explainer"], first["variant"]), *cells])
    return found


def _ranking(table: pd.DataFrame) -> str:
    """One metric, best first, controls below the others; with what papers print for the same data, if anything."""
    direction = -1 if table["higher_is_better"].iloc[-1] else 1
    by = ["control", "rank", "order", "explainer", "variant"]
    order = table.assign(order=direction * table["value"]).sort_values(by)
    beside = [same_data(row) for _, row in order.iterrows()]
    rows = [_ranking_row(row) for _, row in order.iterrows()]
    if not any(beside):
        return grid(_COLUMNS, rows)
    cells = [[*row, escape(text) or ABSENT] for row, text in zip(rows, beside, strict=True)]
    return grid([*_COLUMNS, "published (same data, network as named)"], cells)


def _ranking_row(row: pd.Series) -> list[str]:
    name = _name(row["explainer"], row["variant"])
    rank = "control" if row["control"] else ABSENT if pd.isna(row["rank"]) else str(int(row["rank"]))
    about = [row["coverage"], row["seeds"], str(row["images"])]
    return [rank, _bold(name, row), _marked(_number(row["value"]), row), _bounds(row["low"], row["high"]), *about]


def _in_detail(variants: pd.DataFrame) -> list[str]:
    measured = variants[variants["tasks"] > 0]
    if measured.empty:
        return []
    text = (
        "Variants of metrics, and what explainers report of themselves. Not ranked; ± half the width of the interval."
    )
    parts, names = ["### In detail", text], measured["metric"]
    for _, table in measured.groupby(names.str.partition("@")[0].where(names.str.contains("@"), ""), sort=True):
        metrics = sorted(set(table["metric"]))
        parts.append(grid(["explainer", *map(escape, metrics)], _by_explainer(table, metrics)))
    return parts


def _directions(rows: pd.DataFrame) -> list[str]:
    found = directions(rows)
    if found.empty:
        return []
    text = (
        "Differences between a paper's own explainer and those it compares with, paired over tasks and seeds; the"
        f" interval resamples tasks and seeds. Fewer than {MIN_CELLS} pairs are never separated. Wins: pairs where the"
        " paper's own explainer is better. Published: its verdict in the paper's tables, whatever the data and network."
    )
    columns = ["explainer", "against", "metric", "difference", "95 % interval", "wins", "here", "published", "holds"]
    cells = []
    for _, row in found.iterrows():
        names = [escape(row[name]) for name in ("explainer", "other", "metric")]
        numbers = [_number(row["difference"]), _bounds(row["low"], row["high"]), f"{row['wins']}/{row['cells']}"]
        cells.append([*names, *numbers, *(row[name] or ABSENT for name in ("verdict", "published", "holds"))])
    return ["### Does the paper's direction hold?", text, grid(columns, cells)]


def _elsewhere(standings: pd.DataFrame) -> list[str]:
    found = elsewhere(standings)
    if found.empty:
        return []
    data = ", ".join(sorted(set(found["dataset"])))
    text = (
        "Other images, other networks: compare orders and directions, never numbers. Published values are means over"
        " the paper's categories and over the networks named."
    )
    columns = ["metric", "explainer", "ours", "published", "dataset", "setting", "networks", "source"]
    cells = []
    for _, row in found.iterrows():
        metric = escape(row["metric"]) if "@" in row["metric"] else f"{escape(row['metric'])} {_arrow(row)}"
        values = [_number(row["ours"]), _number(row["published"])]
        about = [escape(row[name]) or ABSENT for name in columns[4:]]
        cells.append([metric, _name(row["explainer"], row["variant"]), *values, *about])
    return [f"### Published (other data: {escape(data)}), for direction only", text, grid(columns, cells)]


def _not_scored(rows: pd.DataFrame) -> list[str]:
    missing = rows[~rows["scored"]]
    if missing.empty:
        return []
    status = missing["status"].where(missing["status"] != "ok", "no value")
    reason = missing["reason"].where(missing["status"] != "ok", "the value is NaN")
    groups = missing.assign(status=status, reason=reason).groupby(["label", "status", "reason"], sort=True)
    cells = []
    for _, group in groups:
        first, metrics = group.iloc[0], ", ".join(sorted(set(group["metric"])))
        about = [escape(first["label"]), escape(first["status"]), escape(metrics), _reason(first["reason"])]
        cells.append([*about, str(len(group))])
    return ["### Not scored", grid(["explainer", "status", "metrics", "reason", "count"], cells)]


def _reason(text: str) -> str:
    return escape(text if len(text) <= 200 else f"{text[:199]}…")


def _heading(table: pd.DataFrame) -> str:
    return f"{escape(table['metric'].iloc[0])} {_arrow(table.iloc[-1])}"


def _arrow(row: pd.Series) -> str:
    return {True: "↑", False: "↓"}.get(row["higher_is_better"], "")


def _name(explainer: str, variant: str) -> str:
    return escape(label(explainer, variant))


def _short(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return f"{ABSENT} ({row['coverage']})" if row["tasks"] else ABSENT
    half = "" if pd.isna(row["low"]) else f" ± {_number((row['high'] - row['low']) / 2)}"
    return _marked(f"{_number(row['value'])}{half}", row)


def _marked(text: str, row: pd.Series) -> str:
    return f"{_bold(text, row)}{' †' if row['beaten_by_control'] else ''}"


def _bold(text: str, row: pd.Series) -> str:
    return f"**{text}**" if row["best"] else text


def _bounds(low: float, high: float) -> str:
    return ABSENT if pd.isna(low) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    if pd.isna(value):
        return ABSENT
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
