"""The gain of an explainer over the one that it is compared with, and how much of it is due to following parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from partbench.functional.statistics import compare_all, ratios_of_means
from partbench.leaderboard.current import UNRANKED, current
from partbench.leaderboard.judged import Judged
from partbench.leaderboard.markdown import ABSENT, bounded, escape, grid, number
from partbench.leaderboard.published import published_ratio
from partbench.leaderboard.verdicts import Board

INSTABILITY, FOLLOWING, PARTS, ACCURACY = "location_instability", "part_following", "part_interpretability", "accuracy"
NULL = f"{INSTABILITY}@shuffled"
COLUMNS = ["board", "explainer", "other", "metric", "tasks", "ratio", "ratio_low", "ratio_high", "published"]
COLUMNS += ["gain", "lower_null", "part_following", "part_following_low", "part_following_high", "rest"]
COLUMNS += ["accuracy", "accuracy_low", "accuracy_high"]
_FIELDS = {"against": "other", "lower null": "lower_null", "accuracy difference": "accuracy"}
_TEXT = """\
Each explainer is compared with the one that it names, on the tasks that both have. Ratio: mean of the
explainer / mean of the other. Published: the ratio in the paper, mean and range over its networks. Gain: instability
of the other - instability of the explainer. The gain is the sum of two terms: how much lower the explainer's shuffled
null is, and how much larger its part_following is. Accuracy difference: explainer - other. Brackets: 95 % intervals
over images and seeds; with one seed they hold for this training alone. Ablations come last."""
_REST = """\
Rest: with several categories, location_instability of a filter is that of the category where it is lowest, and
part_following that of the category that activates the filter most. Rest is the part of the gain due to this."""


def gain_decomposition(rows: pd.DataFrame, found: Judged) -> pd.DataFrame:
    """Explainers against the one that each is to be compared with, a row per board, label and metric.

    `rows` are those of `load_results`, `found` what `judged.judged` makes of them and of the evidence of images. All
    numbers are means over images and seeds, then over the tasks where both have the metric (`tasks`), with 95 %
    intervals over images and seeds. `ratio` is explainer / other, of the means (`statistics.ratios_of_means`).
    `accuracy` is explainer - other. Of location_instability, `gain` = other - explainer = `lower_null` +
    `part_following` + `rest`: `lower_null` is the difference of the shuffled nulls, `part_following` that of the metric
    of this name, and `rest` 0 but for rounding where an image shows one category. A number is NaN if an explainer lacks
    a value that it is made of.
    """
    boards: dict[str, dict[str, Board]] = {}
    for board in found.boards:
        boards.setdefault(board.aligned.board, {})[board.aligned.metric] = board
    partners = current(rows).groupby("board", sort=True)
    made = [row for name, of_board in partners for row in _of_board(of_board, boards.get(str(name), {}))]
    return pd.DataFrame(made, columns=COLUMNS)


def gain_section(rows: pd.DataFrame, found: Judged) -> list[str]:
    """The part of a page on one board, from its rows of `standings.current`; empty if nothing can be compared."""
    table = gain_decomposition(rows, found)
    parts = []
    for metric, arrow in ((INSTABILITY, "↓"), (PARTS, "↑")):
        of_metric = table[table["metric"] == metric]
        if len(of_metric):
            parts += [f"### {metric} {arrow}", _table(of_metric, metric)]
    if not parts:
        return []
    return ["## Decomposition of the gain", _TEXT, *([_REST] if _has_rest(table) else []), *parts]


def _of_board(rows: pd.DataFrame, metrics: Mapping[str, Board]) -> Iterator[dict[str, object]]:
    board, dataset = rows["board"].iloc[0], rows["dataset"].iloc[0]
    partners = _partners(rows)
    for metric in (INSTABILITY, PARTS):
        for explainer, name, other, control in partners:
            tasks = _shared(metrics.get(metric), (name, other))
            if not tasks:
                continue
            paper = (explainer, other.partition(" (")[0], metric, dataset, board)
            printed = "" if control in UNRANKED else published_ratio(*paper)
            names = {"board": board, "explainer": name, "other": other, "metric": metric, "published": printed}
            yield {**names, "tasks": len(tasks), **_compared(metrics, metric, (name, other), tasks)}


def _partners(rows: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Explainer, its label, the label it is to be compared with, and its kind of control; ablations last."""
    columns = ["explainer", "label", "compared_with", "control"]
    last = rows.loc[rows["compared_with"] != "", columns].drop_duplicates("label", keep="last")
    found = list(last.itertuples(index=False, name=None))
    return sorted(found, key=lambda row: (row[3] in UNRANKED, row[1]))


def _shared(board: Board | None, names: tuple[str, str]) -> list[str]:
    """The tasks on which both explainers are scored."""
    if board is None or not set(names) <= set(board.aligned.labels):
        return []
    scored = (board.aligned.stack.seeds[_pair(board, names)] > 0).all((0, 1))
    return list(itertools.compress(board.aligned.tasks, scored))


def _pair(board: Board, names: tuple[str, str]) -> Int[np.ndarray, "1 2"]:
    return np.array([[board.aligned.labels.index(name) for name in names]])


def _compared(
    metrics: Mapping[str, Board], metric: str, names: tuple[str, str], tasks: Sequence[str]
) -> dict[str, float]:
    """The numbers of one comparison; NaN for those without evidence."""
    board, pair = metrics[metric], _pair(metrics[metric], names)
    stack = board.aligned.stack
    found = _named("ratio", ratios_of_means(stack, pair, board.pairings, (stack.seeds[pair] > 0).all(1))[0])
    found |= _named("accuracy", _difference(metrics.get(ACCURACY), names, tasks))
    if metric != INSTABILITY:
        return found
    found |= _named(FOLLOWING, _difference(metrics.get(FOLLOWING), names, tasks))
    gain, lower_null = (-_mean_difference(metrics.get(name), names, tasks) for name in (INSTABILITY, NULL))
    return found | {"gain": gain, "lower_null": lower_null, "rest": gain - lower_null - found[FOLLOWING]}


def _difference(board: Board | None, names: tuple[str, str], tasks: Sequence[str]) -> Sequence[float]:
    """The difference of the means over these tasks, with its interval; NaN unless both explainers have all of them."""
    value = _mean_difference(board, names, tasks)
    if board is None or np.isnan(value):
        return [np.nan] * 3
    stack = board.aligned.stack.on(_places(board, tasks))
    return [value, *compare_all(stack, _pair(board, names), board.pairings).these.interval()[0]]


def _mean_difference(board: Board | None, names: tuple[str, str], tasks: Sequence[str]) -> float:
    if board is None or not set(tasks) <= set(_shared(board, names)):
        return np.nan
    one, other = board.aligned.stack.task_means[np.ix_(_pair(board, names)[0], _places(board, tasks))].mean(1)
    return float(one - other)


def _places(board: Board, tasks: Sequence[str]) -> Int[np.ndarray, "t"]:
    return np.flatnonzero(np.isin(board.aligned.tasks, tasks))


def _named(name: str, numbers: Sequence[float]) -> dict[str, float]:
    value, low, high = map(float, numbers)
    return {name: value if not np.isnan(low) else np.nan, f"{name}_low": low, f"{name}_high": high}


def _has_rest(found: pd.DataFrame) -> bool:
    return bool((found["rest"].abs() >= 0.0005).any())  # else it is 0.000


def _table(found: pd.DataFrame, metric: str) -> str:
    """The comparisons of one metric on one board."""
    split = ["gain", "lower null", "part_following"] if metric == INSTABILITY else []
    rest = ["rest"] if split and _has_rest(found) else []
    columns = ["explainer", "against", "tasks", "ratio", "published", *split, *rest, "accuracy difference"]
    return grid(columns, [[_cell(row, _FIELDS.get(name, name)) for name in columns] for _, row in found.iterrows()])


def _cell(row: pd.Series, field: str) -> str:
    if isinstance(row[field], int):
        return str(row[field])
    if f"{field}_low" in row:
        return bounded(row[field], row[f"{field}_low"], row[f"{field}_high"])
    return number(row[field]) if isinstance(row[field], float) else escape(row[field]) or ABSENT
