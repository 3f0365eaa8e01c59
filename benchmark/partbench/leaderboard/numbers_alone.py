"""Scores of metrics that read no maps: a copy of the logit, which explains nothing, scores well in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

# A copy of the performer's logit, cut into equal shares, is best in most of these.
METRICS_WITHOUT_MAPS = (
    "accuracy", "average_precision", "balanced_accuracy", "classification_error", "contribution_entropy",
    "contribution_error", "faithfulness_classification", "faithfulness_regression", "relative_deviation",
)  # fmt: skip


def unsupported(table: pd.DataFrame) -> pd.Series:
    """Which rows of `standings` are scores of metrics without maps, of an explainer whose maps beat no floor.

    A bool for each row. The maps of an explainer are supported if some ranked metric of maps separates them from every
    floor of its board. False for floors, and on boards where no floor has such a metric.
    """
    without_maps = table["metric"].isin(METRICS_WITHOUT_MAPS)
    floor = table["control"] == "floor"
    of_maps = ~without_maps & ~table["metric"].str.contains("@") & table["higher_is_better"].notna()
    measured = of_maps & table["low"].notna().where(~floor, table["value"].notna())
    with_floor = measured & _any(measured & floor, table, ["board", "metric"])
    better = _any(with_floor & ~floor & ~table["beaten_by_control"], table, ["board", "explainer", "variant"])
    judged = _any(with_floor, table, ["board"])
    return without_maps & ~floor & judged & ~better & table["value"].notna()


def _any(rows: pd.Series, table: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Whether any row of the same group is among `rows`."""
    if not len(table):
        return np.zeros(0, dtype=bool)
    return rows.groupby([table[name] for name in by]).transform("any").to_numpy(bool)
