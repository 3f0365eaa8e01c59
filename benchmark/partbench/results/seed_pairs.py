"""How far apart two trainings are: aggregates of cells that differ in the seed alone, compared as `agreement` does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from partbench.results.agreement import ENDS, TIMES, agree, tolerances
from partbench.results.schema import AGGREGATE, TEXTS

FLOOR = "floor"  # draws numbers and trains nothing: the numbers are the same on all machines
QUANTILE = 0.05  # of pairs that have a smaller share than `agreement.SEED_SHARE`
TASK = ("task", "task_version", "performer", "performer_digest", "device")
EXPLAINER = ("explainer", "options", "distribution", "plugin_digest")


def trained(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the rows of `load_results`, those of explainers that train, without times."""
    of_trained = rows["deterministic"].eq(False) & (rows["control"] != FLOOR) & (rows["unit"] == AGGREGATE)
    return rows[of_trained & (rows["status"] != "failed") & ~rows["metric"].astype(str).str.endswith(TIMES)]


def shares(rows: pd.DataFrame) -> pd.Series:
    """The share of aggregates that agree, of all ordered pairs of cells of one explainer that differ in the seed alone.

    `rows` as of `trained`. By explainer and both cells.
    """
    pairs = _pairs(rows, [*EXPLAINER, *TASK])
    return _shares(pairs[pairs["seed"] != pairs["seed_found"]])


def shares_of_others(rows: pd.DataFrame) -> pd.Series:
    """The same of pairs of different explainers on one task with one seed, which a share does not surely tell apart."""
    pairs = _pairs(rows, [*TASK, "seed"])
    return _shares(pairs[pairs["explainer"] != pairs["explainer_found"]])


def _pairs(rows: pd.DataFrame, same: Sequence[str]) -> pd.DataFrame:
    """A row for each metric of both cells of an ordered pair: those found have the suffix `_found`."""
    by = [*same, "metric", "metric_version"]
    columns = list(dict.fromkeys([*by, "explainer", "cell", "seed", *ENDS]))
    texts = [name for name in columns if name in TEXTS]
    plain = rows[columns].astype(dict.fromkeys(texts, object)).fillna({"performer_digest": ""})
    return plain.merge(plain, on=by, suffixes=("", "_found"))


def _shares(pairs: pd.DataFrame) -> pd.Series:
    width = (pairs["high_found"] - pairs["low_found"]).to_numpy()
    both = [(pairs[end].to_numpy(), pairs[f"{end}_found"].to_numpy()) for end in ENDS]
    known = [~(np.isnan(one) & np.isnan(other)) for one, other in both]
    within = [agree(one, other, tolerances(other, width, False)) for one, other in both]
    counted = pairs[["explainer", "cell", "cell_found"]].assign(known=sum(known), within=sum(within))
    found = counted.groupby(["explainer", "cell", "cell_found"], observed=True)[["known", "within"]].sum()
    return found["within"] / found["known"]
