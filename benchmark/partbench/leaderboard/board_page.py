"""The details of a board in GitHub Markdown: all metrics, rankings, variants, comparisons, cells without a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from partbench.leaderboard.current import ABLATION, FLOOR
from partbench.leaderboard.decomposition import ACCURACY, FOLLOWING, INSTABILITY, NULL, PARTS, gain_section
from partbench.leaderboard.judged import Judged
from partbench.leaderboard.markdown import ABSENT, HEADER, bounds, escape, grid, number
from partbench.leaderboard.published import elsewhere, same_data
from partbench.leaderboard.score import Score, arrow
from partbench.leaderboard.shown_board import (
    NO_VERDICT,
    ShownBoard,
    folder_of,
    marked,
    name_of,
)
from partbench.results.schema import label, safe_name

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
_FIRST, _LAST = ["rank", "explainer", "value", "95 % interval"], ["coverage", "seeds", "images"]
_MISSING = r"^\d+ of \d+ \S+ have no value(?:; |$)"
# For a metric, the columns of other metrics in its table, by heading.
_BESIDE = {
    INSTABILITY: {"shuffled null": NULL, f"{FOLLOWING} ↑": FOLLOWING, f"{ACCURACY} ↑": ACCURACY},
    FOLLOWING: {f"{ACCURACY} ↑": ACCURACY},
    PARTS: {f"{ACCURACY} ↑": ACCURACY},
}


def board_page(board: ShownBoard, found: Judged) -> str:
    """The page of a board; `found` compares its explainers."""
    link = f"[All boards of {escape(board.dataset)}](../{folder_of(board.dataset)}.md)."
    parts = [HEADER, f"# {escape(board.name)}", f"{board.about} {link}", _READING, *_controls(board.rows)]
    if board.metrics:
        about = "±: half the width of the interval."
        parts += ["## Overview", about, _overview(list(board.metrics), board.main)]
    noted = board.rows.loc[board.rows["scored"] & (board.rows["reason"] != ""), ["metric", "reason"]].drop_duplicates()
    value = {(name_of(score), score.metric): score.value for score in board.scores}
    for metric, scores in board.metrics.items():
        parts += [f"## {_heading(scores)}", *_worth(board, metric), _ranking(scores, value)]
        parts += _notes(noted.loc[noted["metric"] == metric, "reason"])
    parts += _in_detail([score for score in board.scores if not score.main and score.tasks])
    parts += gain_section(board.rows, found) + _elsewhere(board.scores)
    parts += [*board.submitted, *_not_scored(board.rows)]
    return "\n\n".join(parts) + "\n"


def _controls(rows: pd.DataFrame) -> list[str]:
    """One paragraph that names the floors and ablations among the rows."""
    lines, found = [], rows[["control", "label"]].drop_duplicates()
    for kind, meaning in _CONTROLS.items():
        if names := sorted(found.loc[found["control"] == kind, "label"]):
            lines.append(f"{meaning}; they have no rank: {escape(', '.join(names))}.")
    return [" ".join(lines)] if lines else []


def _worth(board: ShownBoard, metric: str) -> list[str]:
    """The verdict of the metric's card, and what bad and good values are."""
    said = []
    if (verdict := board.verdict(metric)) != NO_VERDICT:
        said.append(f"[Its card](../metrics/{safe_name(metric)}.md) says: {verdict}.")
    if floor := board.floors.get(metric):
        said.append(f"Best floor: {number(floor.value)} ({name_of(floor)}).")
    if truth := board.truths.get(metric):
        tasks = ", ".join(truth.tasks)
        said.append(f"Truth: {number(truth.value)} (on {escape(tasks)}).")
    return [" ".join(said)] if said else []


def _overview(metrics: Sequence[str], scores: Sequence[Score]) -> str:
    headings = [_heading([score for score in scores if score.metric == metric]) for metric in metrics]
    return grid(["explainer", *headings], _by_explainer(scores, metrics))


def _by_explainer(scores: Sequence[Score], metrics: Sequence[str]) -> list[list[str]]:
    """One row per explainer that has a value, floors and ablations last; short values."""
    shown: dict[str, dict[str, str]] = {}
    for score in sorted(scores, key=lambda score: (not score.method, score.explainer, score.variant)):
        shown.setdefault(name_of(score), {})[score.metric] = _short(score)
    lines = [[name, *(cells.get(metric, ABSENT) for metric in metrics)] for name, cells in shown.items()]
    return [line for line in lines if set(line[1:]) != {ABSENT}]


def _ranking(scores: Sequence[Score], value: Mapping[tuple[str, str], float | None]) -> str:
    """The table of one metric, best first, floors and ablations last; with related metrics and published values."""
    sign = -1 if scores[-1].higher_is_better else 1
    order = sorted(scores, key=lambda one: (not one.method, *_place(one.value, sign), one.explainer, one.variant))
    beside = _BESIDE.get(scores[0].metric, {})
    printed = [same_data(score) for score in order]
    lines = []
    for score, text in zip(order, printed, strict=True):
        ours = [number(value.get((name_of(score), metric))) for metric in beside.values()]
        about = [score.coverage, score.seeds, str(score.images)]
        lines.append([*_ranking_row(score), *ours, *about, *([escape(text) or ABSENT] if any(printed) else [])])
    published = ["published (same data, network as named)"] if any(printed) else []
    return grid([*_FIRST, *beside, *_LAST, *published], lines)


def _place(value: float | None, sign: int) -> tuple[bool, float]:
    return (True, 0.0) if value is None else (False, sign * value)


def _ranking_row(score: Score) -> list[str]:
    unranked = ABSENT if score.method else score.control
    name = f"**{name_of(score)}**" if score.best else name_of(score)
    return [score.rank or unranked, name, marked(number(score.value), score), bounds(score.low, score.high)]


def _notes(reasons: pd.Series) -> list[str]:
    """The notes of rows of one metric, without the numbers of missing values."""
    reasons = reasons.str.replace(_MISSING, "", regex=True)
    return [f"Note: {_reason(text)}." for text in sorted(set(reasons) - {""})]


def _in_detail(scores: Sequence[Score]) -> list[str]:
    """Tables of the metrics of each family of variants; those that explainers report of themselves together."""
    if not scores:
        return []
    text = (
        "Variants of metrics, and numbers that explainers report of themselves. They have no rank. ±: half the width of"
        " the interval; for reported numbers, it reflects the seeds alone."
    )
    families: dict[str, list[Score]] = {}
    for score in scores:
        families.setdefault(score.metric.partition("@")[0] if "@" in score.metric else "", []).append(score)
    parts = ["## In detail", text]
    for _, some in sorted(families.items()):
        metrics = sorted({score.metric for score in some})
        parts.append(grid(["explainer", *map(escape, metrics)], _by_explainer(some, metrics)))
    return parts


def _elsewhere(scores: Sequence[Score]) -> list[str]:
    found = elsewhere(scores)
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
        direction = "" if "@" in row["metric"] else f" {arrow(row['higher_is_better'])}"
        values = [number(row["ours"]), number(row["published"])]
        about = [escape(row[name]) or ABSENT for name in columns[4:]]
        cells.append(
            [escape(row["metric"]) + direction, escape(label(row["explainer"], row["variant"])), *values, *about]
        )
    return [f"## Published (other data: {escape(data)}), for direction only", text, grid(columns, cells)]


def _not_scored(rows: pd.DataFrame) -> list[str]:
    missing = rows[~rows["scored"]]
    if missing.empty:
        return []
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, status, reason, metric in zip(
        *(missing[key] for key in ("label", "status", "reason", "metric")), strict=True
    ):
        why = ("no value", "the value is NaN") if status == "ok" else (status, reason)
        groups.setdefault((name, *why), []).append(metric)
    cells = []
    for (name, status, reason), metrics in sorted(groups.items()):
        about = [escape(name), escape(status), escape(", ".join(sorted(set(metrics)))), _reason(reason)]
        cells.append([*about, str(len(metrics))])
    return ["## Not scored", grid(["explainer", "status", "metrics", "reason", "count"], cells)]


def _reason(text: str) -> str:
    return escape(text if len(text) <= 200 else f"{text[:199]}…")


def _heading(scores: Sequence[Score]) -> str:
    return f"{escape(scores[-1].metric)} {scores[-1].arrow}"


def _short(score: Score) -> str:
    if score.value is None:
        return f"{ABSENT} ({score.coverage})" if score.tasks else ABSENT
    half = score.half_width
    return marked(f"{number(score.value)}{'' if half is None else f' ± {number(half)}'}", score)
