"""Which rows take part in comparisons: self-reported and withdrawn ones do not."""

from __future__ import annotations

import pandas as pd

from partbench.results.submission_history import COLUMN, REFERENCE, VERIFIED


def taking_part(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are ranked, compared and counted: references and verified ones.

    Rows that are self-reported or withdrawn enter nothing: no family, no floor, no version, no set of tasks. Without
    the column `submission_status` all rows are references.
    """
    if COLUMN not in frame:
        return frame
    return frame[frame[COLUMN].isin([REFERENCE, VERIFIED])]
