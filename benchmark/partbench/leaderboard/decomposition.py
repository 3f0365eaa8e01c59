"""The gain of an explainer over the one that it is compared with, and how much of it is due to following parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from partbench.functional.statistics import interval
from partbench.leaderboard.markdown import ABSENT, bounded, escape, grid, number
from partbench.leaderboard.paired import MIN_CELLS, resampled_means
from partbench.leaderboard.published import published_ratio
from partbench.leaderboard.standings import UNRANKED, current

INSTABILITY, FOLLOWING, PARTS, ACCURACY = "location_instability", "part_following", "part_interpretability", "accuracy"
NULL = f"{INSTABILITY}@shuffled"
COLUMNS = ["board", "explainer", "other", "metric", "pairs", "ratio", "ratio_low", "ratio_high", "published"]
COLUMNS += ["gain", "lower_null", "part_following", "part_following_low", "part_following_high", "rest"]
COLUMNS += ["accuracy", "accuracy_low", "accuracy_high"]
_FIELDS = {"against": "other", "lower null": "lower_null", "accuracy difference": "accuracy"}
_TEXT = f"""\
Each explainer is compared with the one that it names, on the tasks and seeds that both have. Ratio: mean of the
explainer / mean of the other. Published: the ratio in the paper, mean and range over its networks. Gain: instability
of the other - instability of the explainer. The gain is the sum of two terms: how much lower the explainer's shuffled
null is, and how much larger its part_following is. Accuracy difference: explainer - other. Brackets: 95 % intervals
from resampled tasks and seeds; they are rough with fewer than {MIN_CELLS} pairs. Ablations come last."""
_REST = """\
Rest: with several categories, location_instability of a filter is that of the category where it is lowest, and
part_following that of the category that activates the filter most. Rest is the part of the gain due to this."""


def gain_decomposition(frame: pd.DataFrame) -> pd.DataFrame:
    """Explainers against the one that each is to be compared with, a row per board, label and metric.

    All numbers are means over seeds, then tasks, of the cells where both have the metric (`pairs`), with 95 % bootstrap
    intervals over tasks and, within each, seeds; the images are the same on both sides and are not resampled. `ratio`
    is explainer / other, of the means; a draw resamples both alike. `accuracy` is explainer - other. Of
    location_instability, `gain` = other - explainer = `lower_null` + `part_following` + `rest`: `lower_null` is the
    difference of the shuffled nulls, `part_following` that of the metric of this name, and `rest` 0 but for rounding
    where an image shows one category. A number is NaN if one of its cells lacks a value, an interval also if there is
    but one pair.
    """
    rows = current(frame)
    rows = rows[rows["scored"] & np.isfinite(rows["value"].astype(float))]
    found = [row for _, of_board in rows.groupby("board", sort=True) for row in _of_board(of_board)]
    return pd.DataFrame(found, columns=COLUMNS)


def gain_section(rows: pd.DataFrame) -> list[str]:
    """The part of a page on one board, from its rows of `standings.current`; empty if nothing can be compared."""
    found = gain_decomposition(rows)
    parts = []
    for metric, arrow in ((INSTABILITY, "↓"), (PARTS, "↑")):
        table = found[found["metric"] == metric]
        if len(table):
            parts += [f"#### {metric} {arrow}", _table(table, metric)]
    if not parts:
        return []
    return ["### Decomposition of the gain", _TEXT, *([_REST] if _has_rest(found) else []), *parts]


def _of_board(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    values = rows.pivot(index=["label", "task", "seed"], columns="metric", values="value")
    values = values.reindex(columns=[INSTABILITY, NULL, FOLLOWING, PARTS, ACCURACY]).astype(float)
    board, dataset = rows["board"].iloc[0], rows["dataset"].iloc[0]
    for metric in (INSTABILITY, PARTS):
        known = values.dropna(subset=metric)
        for explainer, name, other, control in _partners(rows):
            mine, theirs = (known[known.index.get_level_values(0) == one].droplevel(0) for one in (name, other))
            cells = mine.index.intersection(theirs.index).sort_values()
            if not len(cells):
                continue
            paper = (explainer, other.partition(" (")[0], metric, dataset, board)
            printed = "" if control in UNRANKED else published_ratio(*paper)
            names = {"board": board, "explainer": name, "other": other, "metric": metric, "published": printed}
            yield {**names, "pairs": len(cells), **_compared(mine.loc[cells], theirs.loc[cells], metric)}


def _partners(rows: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Explainer, its label, the label it is to be compared with, and its kind of control; ablations last."""
    named = rows[rows["compared_with"] != ""].drop_duplicates("label", keep="last")
    columns = ("explainer", "label", "compared_with", "control")
    found = list(zip(*(named[name] for name in columns), strict=True))
    return sorted(found, key=lambda row: (row[3] in UNRANKED, row[1]))


def _compared(mine: pd.DataFrame, theirs: pd.DataFrame, metric: str) -> dict[str, float]:
    """Of two tables of the same cells, sorted (task, seed); a column per metric."""
    more = mine - theirs
    with np.errstate(divide="ignore", invalid="ignore"):  # the ratio is infinite or NaN if the other marks no part
        ratio, ratios = _mean(mine[metric]) / _mean(theirs[metric]), _draws(mine[metric]) / _draws(theirs[metric])
    found = _named("ratio", ratio, ratios)
    found |= _named("accuracy", _mean(more[ACCURACY]), _draws(more[ACCURACY]))
    if metric != INSTABILITY:
        return found
    gain, lower_null, following = -_mean(more[INSTABILITY]), -_mean(more[NULL]), _mean(more[FOLLOWING])
    found |= {"gain": gain, "lower_null": lower_null, "rest": gain - lower_null - following}
    return found | _named("part_following", following, _draws(more[FOLLOWING]))


def _named(name: str, value: float, draws: Float[np.ndarray, "draws"]) -> dict[str, float]:
    low, high = interval(draws) if np.isfinite(draws).all() else (np.nan, np.nan)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _mean(cells: pd.Series) -> np.float64:
    return np.float64(np.mean([task.mean() for task in _by_task(cells)]))


def _draws(cells: pd.Series) -> Float[np.ndarray, "draws"]:
    return resampled_means(_by_task(cells)) if len(cells) > 1 else np.array([np.nan])


def _by_task(cells: pd.Series) -> list[Float[np.ndarray, "s"]]:
    return [task.to_numpy(float) for _, task in cells.groupby(level="task", sort=True)]


def _has_rest(found: pd.DataFrame) -> bool:
    return bool((found["rest"].abs() >= 0.0005).any())  # else it is 0.000


def _table(found: pd.DataFrame, metric: str) -> str:
    """The comparisons of one metric on one board."""
    split = ["gain", "lower null", "part_following"] if metric == INSTABILITY else []
    rest = ["rest"] if split and _has_rest(found) else []
    columns = ["explainer", "against", "pairs", "ratio", "published", *split, *rest, "accuracy difference"]
    return grid(columns, [[_cell(row, _FIELDS.get(name, name)) for name in columns] for _, row in found.iterrows()])


def _cell(row: pd.Series, field: str) -> str:
    if f"{field}_low" in row:
        return bounded(row[field], row[f"{field}_low"], row[f"{field}_high"])
    return number(row[field]) if isinstance(row[field], float) else escape(row[field]) or ABSENT
