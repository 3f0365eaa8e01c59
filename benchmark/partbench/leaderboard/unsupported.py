"""Scores of metrics that read no maps, which no metric of maps supports: a copy of the logit scores well in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from partbench.leaderboard.current import FLOOR

# A copy of the performer's logit, cut into equal shares, is best in most of these.
METRICS_WITHOUT_MAPS = (
    "accuracy", "average_precision", "balanced_accuracy", "classification_error", "contribution_entropy",
    "contribution_error", "faithfulness_classification", "faithfulness_regression", "relative_deviation",
)  # fmt: skip

# Maps that lie apart from each other, or in a corner where no part is, are good in these without a look at the image.
METRICS_OF_PLACES = ("locality", "orthogonality_frobenius", "orthogonality_logdet")


def supports(metric: str) -> bool:
    """Whether a score of this metric that is better than that of every floor shows that the maps follow the image."""
    return metric not in (*METRICS_WITHOUT_MAPS, *METRICS_OF_PLACES) and "@" not in metric


def unsupported(table: pd.DataFrame) -> pd.Series:
    """Which rows of `standings` are scores of metrics without maps, of an explainer whose maps beat no floor.

    A bool for each row. The maps of an explainer are supported if they are better than every floor of its board in
    some ranked metric that `supports`. False for floors, and on boards where no floor has such a metric.
    """
    without_maps = table["metric"].isin(METRICS_WITHOUT_MAPS)
    floor = table["control"] == FLOOR
    of_maps = table["metric"].map(supports).astype(bool) & table["higher_is_better"].notna()
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
