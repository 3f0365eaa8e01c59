"""Standings: means over equal sets of tasks with intervals, rank intervals and what floors say of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from partbench.functional.statistics import Estimates, bounded_interval
from partbench.leaderboard.current import FLOOR
from partbench.leaderboard.judged import Judged, judged
from partbench.leaderboard.means import ROW
from partbench.leaderboard.unsupported import unsupported
from partbench.leaderboard.verdicts import beaten

COLUMNS = [*ROW, "dataset", "performer", "network", "control", "higher_is_better", "value", "low", "high", "unit"]
COLUMNS += ["low_bound", "high_bound", "tasks", "coverage", "seeds", "one_seed", "images", "categories"]
COLUMNS += ["rank_low", "rank_high", "best", "floors", "beaten_by_control", "unsupported"]


def standings(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row per board, explainer with variant, and metric; sorted, the same whatever the order of the arguments.

    `rows` are those of `load_results`, `images` those of `load_evidence`. A board holds the tasks of a dataset that
    `board_of` puts together.

    `value` is a mean over seeds, then tasks, see `means.means`. `low`, `high` are its 95 % interval over images and
    seeds, within the bounds of the metric; NaN without evidence of images. What explainers report of themselves has the
    interval of its seeds.

    `rank_low`, `rank_high` are [1 + surely better, n - surely worse] in the family of `families.with_families`. They
    are missing for floors, ablations, variants, single seeds (`one_seed`), other networks where that matters, and, of
    two explainers that are not comparable, for the one with a value on fewer images. `best` marks rows of a family
    where no other row is surely better. Metrics with '@' and what explainers report of themselves have no rank.

    `floors` is the number of floors that have the metric on every task of the board; a row that is not surely better
    than each of them is `beaten_by_control`. `network` names the network that is explained, "" for the performer.
    `unsupported`: see `unsupported.unsupported`.
    """
    return standings_of(judged(rows, images))


def standings_of(found: Judged) -> pd.DataFrame:
    """`standings`, from what the evidence says."""
    table = found.table
    if table.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS}).astype(_KINDS)
    low, high = _of_reports(table).T
    ranks, floors = np.full((len(table), 2), np.nan), _floors(table).to_numpy(int)
    marked = (floors > 0) & (table["control"] != FLOOR).to_numpy(bool) & table["value"].notna().to_numpy(bool)
    for board in found.boards:
        low[board.at], high[board.at] = board.interval.T
        if board.rows["ranked"].any():
            ranks[board.at] = board.verdicts.ranks(board.rows["ranked"].astype(bool))
        if floors[board.at[0]] > 0:
            marked[board.at] = beaten(board, floors[board.at[0]])
    table = table.assign(low=low, high=high, rank_low=ranks[:, 0], rank_high=ranks[:, 1], best=ranks[:, 0] == 1)
    table = table.assign(floors=floors, beaten_by_control=marked)
    return table.assign(unsupported=unsupported(table))[COLUMNS].astype(_KINDS)


def _floors(table: pd.DataFrame) -> pd.Series:
    """How many floors have the metric of a row on every task of its board; 0 for metrics without ranks."""
    floor = (table["control"] == FLOOR) & table["value"].notna() & table["directed"]
    return floor.groupby([table["board"], table["metric"]]).transform("sum").astype(int)


_KINDS = {"rank_low": "Int64", "rank_high": "Int64"} | dict.fromkeys(
    ("one_seed", "best", "beaten_by_control", "unsupported"), bool
)


def _of_reports(table: pd.DataFrame) -> np.ndarray:
    """The intervals over seeds of what explainers report of themselves; NaN for all other rows."""
    variance, degrees = (table[f"reported_{name}"].to_numpy(float) for name in ("variance", "degrees"))
    value = table["value"].to_numpy(float)
    found = Estimates(value, variance, degrees, np.full(len(table), np.nan))
    return bounded_interval(value, found, (-np.inf, np.inf))
