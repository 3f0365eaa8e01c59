"""Comparisons of explainers that papers print, and whether they agree with the papers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from partbench.leaderboard.current import UNRANKED, current
from partbench.leaderboard.published import proposed, published_pairs
from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, Board, Judged

COLUMNS = ["board", "explainer", "other", "metric", "difference", "low", "high", "p", "better", "images", "of_images"]
COLUMNS += ["verdict", "one_seed"]
POSITIVE = "@positive"  # a metric limited to images of the explained category
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


def directions(rows: pd.DataFrame, found: Judged) -> pd.DataFrame:
    """Every comparison a paper prints for its own explainer that can be made here, with what the paper found.

    `rows` are those of `load_results`, `found` what `verdicts.judged` makes of them and of the evidence of images. The
    columns of `comparisons`, `paper`, `published` ("better (2 of 2)") and `holds`: "yes", "no", "not separated", or
    "" where the paper's own tables disagree or have no such value. Metrics limited to images of the explained
    category (`@positive`) are compared too, without a published value. Options of the paper's own explainer other
    than the defaults are compared as well, but for floors and ablations; those of the others are not. Where the
    explainer itself names options of another that it is to be compared with (`compared_with`), and the board has them,
    they stand for that other.
    """
    by_board: dict[str, list[Board]] = {}
    for board in found.boards:
        by_board.setdefault(board.aligned.board, []).append(board)
    tables = [
        row
        for name, of_board in current(rows).groupby("board", sort=True)
        for row in _directions(of_board, found._replace(boards=by_board.get(str(name), [])))
    ]
    columns = [*COLUMNS, "paper", "published", "holds"]
    tables = [table for table in tables if len(table)]
    return pd.concat(tables)[columns].reset_index(drop=True) if tables else pd.DataFrame(columns=columns)


def _directions(rows: pd.DataFrame, found: Judged) -> Iterator[pd.DataFrame]:
    """Of one board: a table per paper and label of its explainer."""
    named = rows[["explainer", "label", "control", "compared_with"]].drop_duplicates()
    labels = set(named["label"])
    own = named[~named["control"].isin(UNRANKED)].groupby(["explainer", "label"], sort=True)["compared_with"].max()
    for paper, printed in published_pairs().groupby("paper", sort=True):
        names = [f"{name}{suffix}" for name in sorted(set(printed["metric"])) for suffix in ("", POSITIVE)]
        for label, partner in own[own.index.get_level_values(0) == proposed()[str(paper)]].droplevel(0).items():
            fair = {partner.partition(" (")[0]: partner} if partner in labels else {}
            table = printed.assign(other=printed["other"].replace(fair))
            others = [name for name in dict.fromkeys(table["other"]) if name in labels]
            compared = comparisons(found, str(label), others, names)
            yield _with_published(compared, table, rows).assign(paper=paper)


def _with_published(compared: pd.DataFrame, printed: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    known = rows[["metric", "higher_is_better"]].dropna().drop_duplicates("metric", keep="last")
    higher = dict(zip(known["metric"], known["higher_is_better"].astype(bool), strict=True))
    differences = (printed["value"] - printed["other_value"]).groupby([printed["other"], printed["metric"]])
    of_pair = {name: values.to_numpy() * (1 if higher.get(name[1], True) else -1) for name, values in differences}
    names = zip(compared["other"], compared["metric"], strict=True)
    found = [_printed(of_pair.get(name, np.array([]))) for name in names]
    holds = [_holds(*row) for row in zip(compared["verdict"], found, strict=True)]
    shown = ~compared["metric"].str.contains("@") | compared["metric"].str.endswith(POSITIVE) | pd.Series(found).ne("")
    return compared.assign(published=found, holds=holds)[shown.to_numpy(bool)]


def _printed(differences: Float[np.ndarray, "n"]) -> str:
    """A paper's verdict from its differences, signed so that positive is better."""
    better, worse, n = int((differences > 0).sum()), int((differences < 0).sum()), len(differences)
    if not n:
        return ""
    if worse == n:
        return f"{WORSE} ({n} of {n})"
    return f"{BETTER} ({n} of {n})" if better == n else f"mixed (better in {better} of {n})"


def _holds(verdict: str, published: str) -> str:
    if not published.startswith((BETTER, WORSE)):
        return ""
    if verdict in (UNDECIDED, NOT_COMPARABLE):
        return verdict
    return "yes" if published.startswith(verdict) else "no"
