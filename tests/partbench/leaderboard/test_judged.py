from __future__ import annotations

import numpy as np
import pandas as pd
from planted_results import INSTABILITY, ORDINARY, cells, planted

from partbench.leaderboard.current import current
from partbench.leaderboard.judged import judged
from partbench.leaderboard.pairs import pairs_of
from partbench.leaderboard.standings import standings_of


def test_evidence_that_is_not_held_is_read_again_and_the_same() -> None:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1 + 0.01 * s, f"{INSTABILITY}@shuffled": 0.2})
    table, images = planted(rows + cells(ORDINARY, lambda t, s: {INSTABILITY: 0.15 + 0.02 * t}))
    asked: list[pd.DataFrame] = []

    def evidence(of: pd.DataFrame) -> pd.DataFrame:
        asked.append(of)
        return images[images["cell"].isin(of["cell"])]

    whole, freed = judged(table, images), judged(current(table), evidence, held=[INSTABILITY])
    assert [board.aligned.held is None for board in freed.boards] == [False, True]
    assert len(asked) == 1
    for kept, again in zip(whole.boards, freed.boards, strict=True):
        np.testing.assert_array_equal(kept.aligned.stack.values, again.aligned.stack.values)
        np.testing.assert_array_equal(kept.aligned.stack.known, again.aligned.stack.known)
    assert [set(of["metric"]) for of in asked[1:]] == [{f"{INSTABILITY}@shuffled"}]
    pd.testing.assert_frame_equal(pairs_of(whole), pairs_of(freed))
    pd.testing.assert_frame_equal(standings_of(whole), standings_of(freed))
