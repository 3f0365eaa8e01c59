"""Scores of numbers alone: an explainer can have them without an explanation, as a copy of the logit has."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Metrics that read no maps. A copy of the performer's logit, cut into equal shares, is best in most of them.
METRICS = (
    "accuracy", "average_precision", "balanced_accuracy", "classification_error", "contribution_entropy",
    "contribution_error", "faithfulness_classification", "faithfulness_regression", "relative_deviation",
)  # fmt: skip


def unsupported(table: pd.DataFrame) -> pd.Series:
    """Which rows of `standings` are scores of numbers alone, of an explainer whose maps are no better than floors'.

    A bool for each row. The maps of an explainer count as better if a ranked metric of maps says so against every floor
    of its board. Nothing is said of boards on which no floor has such a metric.
    """
    numbers = table["metric"].isin(METRICS)
    floor = table["control"] == "floor"
    of_maps = ~numbers & ~table["metric"].str.contains("@") & table["higher_is_better"].notna()
    measured = of_maps & table["low"].notna().where(~floor, table["value"].notna())
    with_floor = measured & _any(measured & floor, table, ["board", "metric"])
    better = _any(with_floor & ~floor & ~table["beaten_by_control"], table, ["board", "explainer", "variant"])
    judged = _any(with_floor, table, ["board"])
    return numbers & ~floor & judged & ~better & table["value"].notna()


def _any(rows: pd.Series, table: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Whether any row of the same group is among `rows`."""
    if not len(table):
        return np.zeros(0, dtype=bool)
    return rows.groupby([table[name] for name in by]).transform("any").to_numpy(bool)
