"""What an interpretable network gains over an ordinary one, and how much of that is following parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from partbench.functional.statistics import interval
from partbench.leaderboard.markdown import ABSENT, bounded, escape, grid, number
from partbench.leaderboard.paired import MIN_CELLS, ORDINARY, resampled_means
from partbench.leaderboard.published import published_ratio
from partbench.leaderboard.standings import current, is_control

INSTABILITY, FOLLOWING, PARTS, ACCURACY = "location_instability", "part_following", "part_interpretability", "accuracy"
NULL = f"{INSTABILITY}@shuffled"
# The ordinary networks that each explainer is held against; the last is what its paper means by the name.
AGAINST = {
    "interp_cnn": (ORDINARY,),
    "autoencoder": (ORDINARY, "top_conv (layer=target)", "top_conv"),
    "autoencoder_cls": (ORDINARY, "top_conv (layer=target)", "top_conv"),
}
COLUMNS = ["board", "explainer", "other", "metric", "pairs", "ratio", "ratio_low", "ratio_high", "published"]
COLUMNS += ["gain", "still", "following", "following_low", "following_high", "rest"]
COLUMNS += ["accuracy", "accuracy_low", "accuracy_high"]
_FIELDS = {"against": "other", "lower null": "still", "part-following": "following"}
_FIELDS["accuracy difference"] = "accuracy"
_TEXT = f"""\
On the tasks and seeds that both have. Ratio: the mean of the explainer over that of the ordinary network; published:
that of the paper, mean and range over its networks. Gain: ordinary less explainer, the sum of how much lower the
explainer's shuffled null is and of how much larger its part_following is. Accuracy difference: explainer less ordinary.
In brackets 95 % intervals that resample tasks and seeds; with fewer than {MIN_CELLS} pairs they are rough. Controls
come last."""
_REST = """\
Rest: with many categories, location_instability takes each filter in the category where it is lowest, part_following
in the one that activates it most; rest is what this choice adds to the gain."""


def gains(frame: pd.DataFrame) -> pd.DataFrame:
    """Interpretable explainers against ordinary networks, a row per board, label, network and metric.

    All numbers are means over seeds, then tasks, of the cells where both have the metric (`pairs`), with 95 % bootstrap
    intervals over tasks and, within each, seeds; the images are the same on both sides and are not resampled. `ratio`
    is explainer / ordinary, of the means; a draw resamples both alike. `accuracy` is explainer - ordinary. Of
    location_instability, `gain` = ordinary - explainer = `still` + `following` + `rest`: `still` is the difference of
    the shuffled nulls, `following` that of part_following, and `rest` 0 but for rounding where an image shows one
    category. A number is NaN if one of its cells lacks a value, an interval also if there is but one pair.
    """
    rows = current(frame)
    rows = rows[rows["scored"] & np.isfinite(rows["value"].astype(float))]
    found = [row for _, of_board in rows.groupby("board", sort=True) for row in _of_board(of_board)]
    return pd.DataFrame(found, columns=COLUMNS)


def against_ordinary(rows: pd.DataFrame) -> list[str]:
    """The part of a page on one board, from its rows of `standings.current`; empty if nothing can be compared."""
    found = gains(rows)
    parts = []
    for metric, arrow in ((INSTABILITY, "↓"), (PARTS, "↑")):
        table = found[found["metric"] == metric]
        if len(table):
            parts += [f"#### {metric} {arrow}", _table(table, metric)]
    if not parts:
        return []
    return ["### Interpretable against ordinary", _TEXT, *([_REST] if _has_rest(found) else []), *parts]


def _of_board(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    values = rows.pivot(index=["label", "task", "seed"], columns="metric", values="value")
    values = values.reindex(columns=[INSTABILITY, NULL, FOLLOWING, PARTS, ACCURACY]).astype(float)
    board, dataset = rows["board"].iloc[0], rows["dataset"].iloc[0]
    for metric in (INSTABILITY, PARTS):
        known = values.dropna(subset=metric)
        for explainer, name, other in _partners(rows, metric):
            mine, theirs = (known[known.index.get_level_values(0) == one].droplevel(0) for one in (name, other))
            cells = mine.index.intersection(theirs.index).sort_values()
            if not len(cells):
                continue
            comparable = other == AGAINST[explainer][-1] and not is_control(name, metric)
            printed = published_ratio(explainer, metric, dataset, board) if comparable else ""
            names = {"board": board, "explainer": name, "other": other, "metric": metric, "published": printed}
            yield {**names, "pairs": len(cells), **_compared(mine.loc[cells], theirs.loc[cells], metric)}


def _partners(rows: pd.DataFrame, metric: str) -> list[tuple[str, str, str]]:
    """Explainer, its label, and the label it is held against; controls last."""
    labels = rows[rows["explainer"].isin(AGAINST)].groupby("label", sort=True)["explainer"].first()
    order = sorted(labels.items(), key=lambda item: (is_control(item[0], metric), item[0]))
    return [(explainer, name, other) for name, explainer in order for other in AGAINST[explainer]]


def _compared(mine: pd.DataFrame, theirs: pd.DataFrame, metric: str) -> dict[str, float]:
    """Of two tables of the same cells, sorted (task, seed); a column per metric."""
    more = mine - theirs
    with np.errstate(divide="ignore", invalid="ignore"):  # an ordinary network that marks no part at all
        ratio, ratios = _mean(mine[metric]) / _mean(theirs[metric]), _draws(mine[metric]) / _draws(theirs[metric])
    found = _named("ratio", ratio, ratios)
    found |= _named("accuracy", _mean(more[ACCURACY]), _draws(more[ACCURACY]))
    if metric != INSTABILITY:
        return found
    gain, still, following = -_mean(more[INSTABILITY]), -_mean(more[NULL]), _mean(more[FOLLOWING])
    found |= {"gain": gain, "still": still, "rest": gain - still - following}
    return found | _named("following", following, _draws(more[FOLLOWING]))


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
    """The gains of one metric on one board."""
    split = ["gain", "lower null", "part-following"] if metric == INSTABILITY else []
    rest = ["rest"] if split and _has_rest(found) else []
    columns = ["explainer", "against", "pairs", "ratio", "published", *split, *rest, "accuracy difference"]
    return grid(columns, [[_cell(row, _FIELDS.get(name, name)) for name in columns] for _, row in found.iterrows()])


def _cell(row: pd.Series, field: str) -> str:
    if f"{field}_low" in row:
        return bounded(row[field], row[f"{field}_low"], row[f"{field}_high"])
    return number(row[field]) if isinstance(row[field], float) else escape(row[field]) or ABSENT
