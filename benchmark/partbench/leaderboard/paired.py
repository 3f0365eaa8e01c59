"""Paired comparisons of explainers on the same tasks and seeds, and whether they agree with the papers."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from partbench.functional.statistics import interval, resampling_weights
from partbench.leaderboard.intervals import DRAWS
from partbench.leaderboard.published import proposed, published_pairs
from partbench.leaderboard.standings import UNRANKED, current

# A sign test cannot reject at the 5 % level with fewer pairs than this.
MIN_CELLS = 6
COLUMNS = ["board", "explainer", "other", "metric", "difference", "low", "high", "wins", "cells", "verdict"]
_PAIR = ["task", "seed"]
POSITIVE = "@positive"  # a metric limited to images of the explained category
BETTER, WORSE, UNDECIDED = "better", "worse", "not separated"


def comparisons(
    frame: pd.DataFrame, explainer: str, others: Iterable[str], metrics: Iterable[str] | None = None
) -> pd.DataFrame:
    """Paired differences `explainer - other` over the (task, seed) cells that both have scored, board by board.

    Explainers are named by their labels: `srae`, `srae (profile=released)`. `difference` is the mean over seeds, then
    tasks, in the metric's units; `low`, `high` a 95 % bootstrap interval over tasks and, within each, seeds. `wins`
    counts the cells where `explainer` is better. The verdict is "better" or "worse" (in the metric's direction) if the
    interval leaves out 0 and there are at least 6 cells, else "not separated". The images are the same on both sides
    and are not resampled. Without `metrics`, all that both share.
    """
    others = list(dict.fromkeys(others))
    rows = current(frame)[["board", "metric", *_PAIR, "label", "value", "higher_is_better", "scored"]]
    known = rows["scored"] & np.isfinite(rows["value"].astype(float)) & rows["label"].isin([explainer, *others])
    rows = rows[known if metrics is None else known & rows["metric"].isin(list(metrics))]
    mine, theirs = rows[rows["label"] == explainer], rows[rows["label"].isin(others)]
    both = mine.merge(theirs, on=["board", "metric", *_PAIR], suffixes=("", "_other")).sort_values(_PAIR)
    both["other"] = pd.Categorical(both["label_other"], others)
    found = []
    for (other, board, metric), paired in both.groupby(["other", "board", "metric"], sort=True, observed=True):
        names = {"board": board, "explainer": explainer, "other": other, "metric": metric}
        found.append({**names, **_compared(paired)})
    return pd.DataFrame(found, columns=COLUMNS)


def directions(frame: pd.DataFrame) -> pd.DataFrame:
    """Every comparison a paper prints for its own explainer that can be made here, with what the paper found.

    The columns of `comparisons`, `paper`, `published` ("better (2 of 2)") and `holds`: "yes", "no", "not separated", or
    "" where the paper's own tables disagree or have no such value. Metrics limited to images of the explained
    category (`@positive`) are compared too, without a published value. Options of the paper's own explainer other
    than the defaults are compared as well, but for floors and ablations; those of the others are not. Where the
    explainer itself names options of another that it is to be compared with (`compared_with`), and the board has them,
    they stand for that other.
    """
    found = [row for _, rows in current(frame).groupby("board", sort=True) for row in _directions(rows)]
    columns = [*COLUMNS, "paper", "published", "holds"]
    return pd.concat(found)[columns].reset_index(drop=True) if found else pd.DataFrame(columns=columns)


def _directions(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
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
            compared = comparisons(rows, str(label), others, names)
            yield _with_published(compared, table, rows).assign(paper=paper)


def _compared(paired: pd.DataFrame) -> dict[str, object]:
    """Of one metric, sorted (task, seed)."""
    differences = (paired["value"] - paired["value_other"]).to_numpy(float)
    sign = 1 if paired["higher_is_better"].dropna().eq(True).all() else -1
    _, starts = np.unique(paired["task"].to_numpy(str), return_index=True)
    tasks = np.split(differences, starts[1:])
    low, high = interval(resampled_means(tasks))
    worst, best = sorted((sign * low, sign * high))
    verdict = UNDECIDED if len(paired) < MIN_CELLS else BETTER if worst > 0 else WORSE if best < 0 else UNDECIDED
    difference = float(np.mean([task.mean() for task in tasks]))
    wins = int((sign * differences > 0).sum())
    return {"difference": difference, "low": low, "high": high, "wins": wins, "cells": len(paired), "verdict": verdict}


def resampled_means(tasks: Sequence[Float[np.ndarray, "s"]]) -> Float[np.ndarray, "draws"]:
    """Bootstrap draws of the mean over seeds, then tasks: seeds are resampled within each task, then the tasks.

    The weights depend on the numbers of seeds and tasks only, so draws of paired quantities go together.
    """
    of_seeds, of_tasks = _weights(tuple(len(task) for task in tasks))
    seeds = np.stack([weights @ task for weights, task in zip(of_seeds, tasks, strict=True)], axis=1)
    return (of_tasks * seeds).sum(axis=1)


@functools.lru_cache(maxsize=32)  # many pairs of a board share the same tasks and seeds
def _weights(seeds: tuple[int, ...]) -> tuple[list[Float[np.ndarray, "draws s"]], Float[np.ndarray, "draws t"]]:
    """From the numbers of seeds of each task: the weights of seeds, by task, and those of tasks."""
    of_seeds = [resampling_weights(n, DRAWS, seed=i) for i, n in enumerate(seeds)]
    return of_seeds, resampling_weights(len(seeds), DRAWS, seed=len(seeds))


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
    if verdict == UNDECIDED:
        return UNDECIDED
    return "yes" if published.startswith(verdict) else "no"
