"""The gain of an explainer over the one that it is compared with, and how much of it is due to following parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from partbench.functional.statistics import Evidence, Pairing, Ratio, compare, ratio_of_means
from partbench.functional.statistics.ratios import mean
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
    intervals over images and seeds. `ratio` is explainer / other, of the means (`statistics.ratio_of_means`).
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
    for metric in (INSTABILITY, PARTS):
        for explainer, name, other, control in _partners(rows):
            sides = _sides(metrics.get(metric), name, other)
            if sides is None:
                continue
            paper = (explainer, other.partition(" (")[0], metric, dataset, board)
            printed = "" if control in UNRANKED else published_ratio(*paper)
            names = {"board": board, "explainer": name, "other": other, "metric": metric, "published": printed}
            yield {**names, "tasks": len(sides[0]), **_compared(sides, metrics, metric, (name, other))}


def _partners(rows: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Explainer, its label, the label it is to be compared with, and its kind of control; ablations last."""
    columns = ["explainer", "label", "compared_with", "control"]
    last = rows.loc[rows["compared_with"] != "", columns].drop_duplicates("label", keep="last")
    found = list(last.itertuples(index=False, name=None))
    return sorted(found, key=lambda row: (row[3] in UNRANKED, row[1]))


Sides = tuple[dict[str, Evidence], dict[str, Evidence], Pairing]


def _sides(board: Board | None, name: str, other: str, tasks: Iterable[str] | None = None) -> Sides | None:
    """The evidence of two explainers on the tasks that both have, and how they are paired; None without such tasks.

    With `tasks`, None unless both have all of them.
    """
    if board is None or not {name, other} <= set(board.aligned.labels):
        return None
    mine, theirs = board.evidence(name), board.evidence(other)
    shared = sorted(mine.keys() & theirs.keys()) if tasks is None else list(tasks)
    if not shared or not set(shared) <= mine.keys() & theirs.keys():
        return None
    return {task: mine[task] for task in shared}, {task: theirs[task] for task in shared}, board.pairing(name, other)


def _compared(sides: Sides, metrics: Mapping[str, Board], metric: str, names: tuple[str, str]) -> dict[str, float]:
    """The numbers of one comparison; NaN for those without evidence."""
    found = _named("ratio", _known(lambda: ratio_of_means(*sides)))
    found |= _difference("accuracy", _sides(metrics.get(ACCURACY), *names, sides[0]))
    if metric != INSTABILITY:
        return found
    null = _sides(metrics.get(NULL), *names, sides[0])
    found |= _difference(FOLLOWING, _sides(metrics.get(FOLLOWING), *names, sides[0]))
    gain, lower_null = -_mean_difference(sides), np.nan if null is None else -_mean_difference(null)
    return found | {"gain": gain, "lower_null": lower_null, "rest": gain - lower_null - found[FOLLOWING]}


def _difference(name: str, sides: Sides | None) -> dict[str, float]:
    if sides is None:
        return _named(name, None)

    def found() -> Ratio:
        return Ratio(_mean_difference(sides), *compare(*sides).these.interval())

    return _named(name, _known(found))


def _known(found: Callable[[], Ratio]) -> Ratio | None:
    """None where no two images have a value of both explainers, or the other's mean is 0."""
    try:
        return found()
    except ValueError:
        return None


def _named(name: str, found: Ratio | None) -> dict[str, float]:
    value, low, high = found or (np.nan, np.nan, np.nan)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _mean_difference(sides: Sides) -> float:
    return mean(sides[0], list(sides[0])) - mean(sides[1], list(sides[0]))


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
