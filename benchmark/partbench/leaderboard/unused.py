"""Cells that no page uses: of older code, of an older version of a task, or of metrics of older versions only."""

from __future__ import annotations

import pandas as pd

from partbench.leaderboard.current import current
from partbench.leaderboard.taking_part import taking_part


def unused_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per file of a cell that pages leave out; `frame` is what `load_results` gives.

    Submitted cells that are self-reported or withdrawn are none of them: pages show their history. Columns: file,
    explainer, variant, task, seed, created_at.
    """
    frame = taking_part(frame)
    used = set(current(frame)["cell"])
    left = frame.loc[~frame["cell"].isin(used), ["file", "explainer", "variant", "task", "seed", "created_at"]]
    return left.drop_duplicates("file").reset_index(drop=True)
