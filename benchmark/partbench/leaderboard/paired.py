"""Two explainers compared on every board that has both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, Board, Judged

COLUMNS = ["board", "explainer", "other", "metric", "difference", "low", "high", "p", "better", "images", "of_images"]
COLUMNS += ["verdict", "one_seed"]
BETTER, WORSE, UNDECIDED = "better", "worse", "not separated"


def comparisons(
    found: Judged, explainer: str, others: Iterable[str], metrics: Iterable[str] | None = None
) -> pd.DataFrame:
    """Differences `explainer - other` on the tasks that both have, image by image, board by board.

    `found` is what `verdicts.judged` gives. Explainers are named by their labels: `srae`, `srae (profile=released)`.
    `difference` is in the metric's units, with its 95 % interval and two-sided p (`functional.statistics.compare`),
    neither adjusted. `better` is the probability that `explainer` is better on an image. The verdict is "better" or
    "worse" (in the metric's direction) where p is below .05, else "not separated"; "not comparable" where they have
    values on less than 90 % of the images. With `one_seed` it holds for these fits alone. Without `metrics`, all that
    both share.
    """
    others, wanted = list(dict.fromkeys(others)), None if metrics is None else set(metrics)
    rows: list[dict[str, object]] = []
    for board in found.boards:
        labels = board.aligned.labels
        if (wanted is None or board.aligned.metric in wanted) and explainer in labels:
            rows += _comparisons(board, explainer, [other for other in others if other in labels])
    table = pd.DataFrame(rows, columns=COLUMNS)
    place = table["other"].map({other: place for place, other in enumerate(others)})
    order = table.assign(place=place).sort_values(["place", "board", "metric"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def _comparisons(board: Board, explainer: str, others: list[str]) -> Iterator[dict[str, object]]:
    """Of one metric on one board."""
    place = board.aligned.labels.index
    pairs = np.array([[place(explainer), place(other)] for other in others], int).reshape(-1, 2)
    found, one_seed = board.compared(pairs), board.rows["one_seed"].astype(bool)[pairs].any(1)
    intervals = found.these.interval()
    for at, other in enumerate(others):
        difference, p = found.these.difference[at], found.these.p[at]
        if np.isnan(difference):
            continue
        verdict = UNDECIDED if p >= ALPHA else BETTER if difference * board.sign > 0 else WORSE
        yield {
            "board": board.aligned.board, "explainer": explainer, "other": other, "metric": board.aligned.metric,
            "difference": difference, "low": intervals[at, 0], "high": intervals[at, 1], "p": p,
            "better": found.better[at], "images": found.images[at], "of_images": found.of_images[at],
            "verdict": verdict if found.comparable[at] else NOT_COMPARABLE, "one_seed": one_seed[at],
        }  # fmt: skip
