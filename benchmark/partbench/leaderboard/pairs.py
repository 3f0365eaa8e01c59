"""Pairs of explainers that a board compares, as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from partbench.leaderboard.judged import Judged, judged
from partbench.leaderboard.verdicts import A_BETTER, B_BETTER, NOT_COMPARABLE, UNDECIDED, Board

COLUMNS = ["board", "metric", "a", "b", "difference", "low", "high", "p", "p_adjusted", "better", "images", "of_images"]
COLUMNS += ["verdict", "one_seed", "far_out"]
_VERDICTS = np.array([UNDECIDED, A_BETTER, B_BETTER], object)  # at 0, 1 and -1


def pairs(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row per board, metric and pair of explainers that are compared with each other; see `families.with_families`.

    `rows` are those of `load_results`, `images` those of `load_evidence`. Columns: `a`, `b` (labels); `difference`
    (a - b) with its 95 % interval `low`, `high`; two-sided `p`; `p_adjusted`, Holm's over the pairs of the board and
    metric; `better`, the probability in [0, 1] that a is better on an image, ties counted half; `images`, on how many
    both have a value, of `of_images`; `verdict`: "a better", "b better", "not separated", or "not comparable" below
    90 % of the images or half of those of a task; `one_seed`: the verdict holds for these fits alone; `far_out`: both p
    are of the differences without images far out, see `verdicts.Tested`. The verdict is of adjusted p, the interval of
    a pair by itself.
    """
    return pairs_of(judged(rows, images))


def pairs_of(found: Judged) -> pd.DataFrame:
    """`pairs`, from what the evidence says."""
    boards = [_pair_columns(board) for board in found.boards if (board.rows["family"] != "").sum() > 1]
    columns = {name: np.concatenate([board[name] for board in boards]) for name in COLUMNS if boards}
    return pd.DataFrame(columns, columns=COLUMNS)


def _pair_columns(board: Board) -> dict[str, np.ndarray]:
    found, compared = board.verdicts, board.verdicts.compared
    a, b = np.array(board.aligned.labels, object)[found.pairs].T
    span = board.bounds[1] - board.bounds[0]
    low, high = np.clip(compared.these.interval(), -span, span).T
    verdict = np.where(compared.comparable, _VERDICTS[found.better], NOT_COMPARABLE)
    name, metric = (np.full(len(a), text, object) for text in (board.aligned.board, board.aligned.metric))
    return {
        "board": name, "metric": metric, "a": a, "b": b,
        "difference": compared.these.difference, "low": low, "high": high, "p": found.tested.p,
        "p_adjusted": found.adjusted, "better": compared.better, "images": compared.images,
        "of_images": compared.of_images, "verdict": verdict, "one_seed": found.one_seed,
        "far_out": found.tested.far_out,
    }  # fmt: skip
