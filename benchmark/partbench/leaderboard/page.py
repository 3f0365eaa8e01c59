"""The page of a dataset in GitHub Markdown: overview, rankings, variants, comparisons, and cells without a score."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.decomposition import ACCURACY, FOLLOWING, INSTABILITY, NULL, PARTS, gain_section
from partbench.leaderboard.markdown import ABSENT, bounds, escape, grid, number
from partbench.leaderboard.published import elsewhere, same_data
from partbench.leaderboard.standings import ABLATION, FLOOR, UNRANKED
from partbench.leaderboard.verdicts import Judged
from partbench.results.schema import label

Row = Mapping[Hashable, Any]
HEADER = "<!-- Generated from the results by `bench leaderboard`; do not edit. -->"
_READING = f"""\
How to read this page. A value is a mean over seeds for each task, then over tasks. An explainer has a value only if
it has a score on every task on which any explainer has one; coverage gives the number of tasks. {ABSENT}: no value.
↑: higher is better. ↓: lower is better. Intervals are 95 % intervals over test images and seeds, for these categories
and this network. Ranks are intervals: every two explainers with default options are compared image by image (Holm's
method over all pairs, .05); of n, the best rank is 1 + the number of those surely better, the last one n - the number
of those surely worse. **Bold**: none is surely better. °: one seed; its values hold for this training alone, and have
no rank. †: not surely better than every floor that has the metric; such a score is no evidence that the explainer
explains anything. ‡: the metric reads no maps, and no metric of the explainer's maps is surely better than every floor;
a copy of the network's logit scores as well. location_instability depends on where a filter's positions lie, whatever
the image shows: compare it with its shuffled null (the same positions, dealt to other images), with part_following and
with accuracy."""
_CONTROLS = {
    FLOOR: "Floors are explainers that see nothing of what the network makes of an image",
    ABLATION: "Ablations are methods without one of their components",
}
_MARKS = {"°": "one_seed", "†": "beaten_by_control", "‡": "unsupported"}
_FIRST, _LAST = ["rank", "explainer", "value", "95 % interval"], ["coverage", "seeds", "images"]
_MISSING = r"^\d+ of \d+ \S+ have no value(?:; |$)"
# For a metric, the columns of other metrics in its table, by heading.
_BESIDE = {
    INSTABILITY: {"shuffled null": NULL, f"{FOLLOWING} ↑": FOLLOWING, f"{ACCURACY} ↑": ACCURACY},
    FOLLOWING: {f"{ACCURACY} ↑": ACCURACY},
    PARTS: {f"{ACCURACY} ↑": ACCURACY},
}


def page(dataset: str, standings: pd.DataFrame, rows: pd.DataFrame, found: Judged) -> str:
    """The page of a dataset, from its `standings.standings` and rows of `standings.current`; `found` compares them."""
    parts = [HEADER, f"# {escape(dataset)}", _READING, *_controls(rows)]
    for board in sorted(set(standings["board"]), key=lambda board: ("/multi" in board, board)):
        parts += _board(board, standings[standings["board"] == board], rows[rows["board"] == board], found)
    return "\n\n".join(parts) + "\n"


def _controls(rows: pd.DataFrame) -> list[str]:
    """One paragraph that names the floors and ablations among the rows."""
    lines = []
    for kind, meaning in _CONTROLS.items():
        if names := sorted(set(rows.loc[rows["control"] == kind, "label"])):
            lines.append(f"{meaning}; they have no rank: {escape(', '.join(names))}.")
    return [" ".join(lines)] if lines else []


def _board(board: str, standings: pd.DataFrame, rows: pd.DataFrame, found: Judged) -> list[str]:
    about = f"Network explained: {escape(rows['performer'].iloc[0])}; {escape(_explained(board, rows))}."
    parts = [f"## {escape(board)}", about]
    ranked = ~standings["metric"].str.contains("@") & standings["higher_is_better"].notna()
    main, variants = standings[ranked], standings[~ranked]
    measured = sorted(set(main.loc[main["tasks"] > 0, "metric"]))
    if measured:
        parts += ["### Overview", "±: half the width of the interval.", _overview(main, measured)]
    noted = rows[rows["scored"] & (rows["reason"] != "")]
    for metric in measured:
        table = main[main["metric"] == metric]
        parts += [f"### {_heading(table)}", _ranking(table[table["tasks"] > 0], standings)]
        parts += _notes(noted[noted["metric"] == metric])
    parts += _in_detail(variants) + gain_section(rows, found)
    return parts + _elsewhere(standings) + _not_scored(rows)


def _explained(board: str, rows: pd.DataFrame) -> str:
    """What the tasks of a board explain, in words."""
    kind = board.partition("@")[0].partition("/")[2]
    if kind == "multi":
        return "all categories explained at once"
    how = {
        "*": "one category at a time, each by a binary network that tells it from random photographs",
        "*:others": "one category at a time, each by a binary network that tells it from the others too",
        "multi:*": "one category at a time, the logit of a network that tells all categories apart",
        "attribute-*": "one attribute at a time",
    }
    return f"{how.get(kind, 'one task at a time')}: {', '.join(sorted(set(rows['category'])))}"


def _overview(main: pd.DataFrame, metrics: list[str]) -> str:
    headings = [_heading(main[main["metric"] == metric]) for metric in metrics]
    return grid(["explainer", *headings], _by_explainer(main, metrics))


def _by_explainer(table: pd.DataFrame, metrics: list[str]) -> list[list[str]]:
    """One row per explainer that has a value, floors and ablations last; short values."""
    table = table[table["metric"].isin(metrics)]
    order = table.assign(unranked=table["control"].isin(UNRANKED)).sort_values(["unranked", "explainer", "variant"])
    shown: dict[str, dict[str, str]] = {}
    for row in order.to_dict("records"):
        shown.setdefault(_name(row["explainer"], row["variant"]), {})[row["metric"]] = _short(row)
    rows = [[name, *(cells.get(metric, ABSENT) for metric in metrics)] for name, cells in shown.items()]
    return [row for row in rows if set(row[1:]) != {ABSENT}]


def _ranking(table: pd.DataFrame, standings: pd.DataFrame) -> str:
    """The table of one metric, best first, floors and ablations last; with related metrics and published values."""
    direction = -1 if table["higher_is_better"].iloc[-1] else 1
    keys = {"unranked": table["control"].isin(UNRANKED), "order": direction * table["value"]}
    order = table.assign(**keys).sort_values(["unranked", "order", "explainer", "variant"]).to_dict("records")
    beside = _BESIDE.get(table["metric"].iloc[0], {})
    names = zip(standings["explainer"], standings["variant"], standings["metric"], strict=True)
    value = dict(zip(names, standings["value"], strict=True))
    printed = [same_data(row) for row in order]
    rows = []
    for row, text in zip(order, printed, strict=True):
        ours = [number(value.get((row["explainer"], row["variant"], metric), np.nan)) for metric in beside.values()]
        about = [row["coverage"], row["seeds"], str(row["images"])]
        rows.append([*_ranking_row(row), *ours, *about, *([escape(text) or ABSENT] if any(printed) else [])])
    published = ["published (same data, network as named)"] if any(printed) else []
    return grid([*_FIRST, *beside, *_LAST, *published], rows)


def _ranking_row(row: Row) -> list[str]:
    name = _name(row["explainer"], row["variant"])
    unranked = row["control"] if row["control"] in UNRANKED else ABSENT
    rank = unranked if pd.isna(row["rank_low"]) else _rank(int(row["rank_low"]), int(row["rank_high"]))
    return [rank, _bold(name, row), _marked(number(row["value"]), row), bounds(row["low"], row["high"])]


def _rank(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _notes(rows: pd.DataFrame) -> list[str]:
    """The notes of rows of one metric, without the numbers of missing values."""
    reasons = rows["reason"].str.replace(_MISSING, "", regex=True)
    return [f"Note: {_reason(text)}." for text in sorted(set(reasons) - {""})]


def _in_detail(variants: pd.DataFrame) -> list[str]:
    measured = variants[variants["tasks"] > 0]
    if measured.empty:
        return []
    text = (
        "Variants of metrics, and numbers that explainers report of themselves. They have no rank. ±: half the width of"
        " the interval; for reported numbers, it reflects the seeds alone."
    )
    parts, names = ["### In detail", text], measured["metric"]
    for _, table in measured.groupby(names.str.partition("@")[0].where(names.str.contains("@"), ""), sort=True):
        metrics = sorted(set(table["metric"]))
        parts.append(grid(["explainer", *map(escape, metrics)], _by_explainer(table, metrics)))
    return parts


def _elsewhere(standings: pd.DataFrame) -> list[str]:
    found = elsewhere(standings)
    if found.empty:
        return []
    data = ", ".join(sorted(set(found["dataset"])))
    text = (
        "Images and networks differ from ours: compare the order of explainers, not the values. Published values are"
        " means over the paper's categories and over the networks named."
    )
    columns = ["metric", "explainer", "ours", "published", "dataset", "setting", "networks", "source"]
    cells = []
    for row in found.to_dict("records"):
        metric = escape(row["metric"]) if "@" in row["metric"] else f"{escape(row['metric'])} {_arrow(row)}"
        values = [number(row["ours"]), number(row["published"])]
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
    return f"{escape(table['metric'].iloc[0])} {_arrow(table.iloc[-1].to_dict())}"


def _arrow(row: Row) -> str:
    return {True: "↑", False: "↓"}.get(row["higher_is_better"], "")


def _name(explainer: str, variant: str) -> str:
    return escape(label(explainer, variant))


def _short(row: Row) -> str:
    if pd.isna(row["value"]):
        return f"{ABSENT} ({row['coverage']})" if row["tasks"] else ABSENT
    half = "" if pd.isna(row["low"]) else f" ± {number((row['high'] - row['low']) / 2)}"
    return _marked(f"{number(row['value'])}{half}", row)


def _marked(text: str, row: Row) -> str:
    marks = [mark for mark, column in _MARKS.items() if row[column]]
    return " ".join([_bold(text, row), *marks])


def _bold(text: str, row: Row) -> str:
    return f"**{text}**" if row["best"] else text
