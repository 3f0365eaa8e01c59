"""Two explainers of which one is self-reported, in one table, for a comparison that is asked for by name."""

from __future__ import annotations

import pandas as pd

from partbench.leaderboard.current import current
from partbench.leaderboard.submitted import self_reported
from partbench.results.submission_history import COLUMN


def with_self_reported(frame: pd.DataFrame, names: tuple[str, str]) -> tuple[pd.DataFrame, frozenset[str]]:
    """The rows of both explainers alone, and which of them are self-reported; none where neither is.

    `frame` is what `load_results` gives. An explainer that has rows that take part is compared by these. No rows of
    others are returned, so that nothing else can depend on what is self-reported.
    """
    rows = current(frame)
    absent = set(names) - set(rows["label"])
    if not absent or COLUMN not in frame:
        return rows, frozenset()
    reported = self_reported(frame)
    reported = reported[reported["label"].isin(absent)]
    if reported.empty:
        return rows, frozenset()
    both = pd.concat([rows[rows["label"].isin(names)], reported], ignore_index=True)
    return both, frozenset(reported["label"])
