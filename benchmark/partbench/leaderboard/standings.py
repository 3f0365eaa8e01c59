"""Standings: which rows count, means over equal sets of tasks, intervals, ranks and ties."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from partbench.functional.statistics import interval
from partbench.leaderboard.numbers_alone import unsupported
from partbench.results.schema import AGGREGATE, TEXTS, label

FLOOR, ABLATION = "floor", "ablation"
UNRANKED = (FLOOR, ABLATION)
DRAWS = 2000
_SD_PER_WIDTH = 1 / (2 * 1.96)  # a 95 % interval is 2 * 1.96 standard deviations wide
_ROW = ["board", "explainer", "variant", "metric"]


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count, one aggregate row per explainer, variant, task, seed and metric; texts become plain strings.

    Of several versions of a task or (within a dataset) of a metric only the newest counts; of several cells with one
    (explainer, variant, task, seed) the one asked for last (`asked_at`; without this column, the one made last). Adds
    `board`, `label` and `scored`: status ok and a value that is not NaN. Idempotent: rows that already have these
    columns, all or some of them, are returned unchanged.
    """
    if "scored" in frame:
        return frame
    rows = frame[frame["unit"] == AGGREGATE]
    rows = _newest(rows.astype(dict.fromkeys(TEXTS, object)), ["task"], "task_version")
    when = "asked_at" if "asked_at" in rows else "created_at"
    rows = rows.sort_values([when, "cell", "metric"], kind="stable")
    rows = rows.drop_duplicates(["cell", "metric"], keep="last")
    rows = rows[rows["cell"] == rows.groupby(["explainer", "variant", "task", "seed"])["cell"].transform("last")]
    rows = _newest(rows, ["dataset", "metric"], "metric_version")
    rows = rows.assign(
        board=[board_of(task) for task in rows["task"]],
        control=rows["control"].fillna(""),
        compared_with=rows["compared_with"].fillna(""),
        label=[label(*row) for row in zip(rows["explainer"], rows["variant"], strict=True)],
        scored=(rows["status"] == "ok") & rows["value"].notna(),
    )
    return rows.astype({"board": object, "label": object}).reset_index(drop=True)


def board_of(task: str) -> str:
    """The board of a task: `fauna/multi:*` of `fauna/multi:bird`, and likewise `fauna/attribute-*`, `fauna/*`.

    Tasks with a performer of their own (`fauna/multi:bird@alexnet`) are on another board, `fauna/multi:*@alexnet`, and
    those that name their negatives (`fauna/bird:others`) on `fauna/*:others`. `fauna/multi` is a board by itself.
    """
    dataset, _, place = task.partition("/")
    category, at, performer = place.rpartition("@") if "@" in place else (place, "", "")
    name, colon, rest = category.partition(":")
    if name == "multi":
        kind = f"multi{colon and ':*'}"
    else:
        kind = f"{'attribute-' if name.startswith('attribute-') else ''}*{colon}{rest}"
    return f"{dataset}/{kind}{at}{performer}"


def standings(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per board, explainer with variant, and metric; sorted, the same whatever the order of `frame`.

    A board holds the tasks of a dataset that `board_of` puts together. `value` is the mean over seeds per task, then
    over tasks. It is NaN unless every task that any explainer covers with this metric is covered; a task is covered if
    all its cells are scored. `coverage` says how many are (`4/6`). `low`, `high` are `mean_interval`. `best` marks the
    best value and all whose intervals overlap its interval: they share rank 1; the others rank after all that are
    separated from them. `control` is what explainers declare: floors and ablations have no rank, a baseline is ranked
    as any explainer. Metrics with '@', rows without an interval and what explainers report of themselves have no rank.
    `beaten_by_control`: not separated from every floor, or worse than one. `unsupported`: see
    `numbers_alone.unsupported`. `images` is the total over tasks, `seeds` the seeds used, `categories` those covered.
    """
    rows = current(frame)
    found = _standings(rows, rows.groupby([*_ROW, "task"])["scored"].transform("all").to_numpy(bool))
    table = pd.DataFrame(found, columns=[*_ROW, *_STANDING]).astype(dict.fromkeys(_TEXTS, object))
    ranked = [_ranked(group) for _, group in table.groupby(["board", "metric"], sort=False)]
    table = pd.concat(ranked).sort_values(_ROW).reset_index(drop=True) if ranked else _ranked(table)
    return table.assign(unsupported=unsupported(table))


def mean_interval(tasks: Sequence[Float[np.ndarray, "s 3"]], draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of the mean over tasks of the mean over seeds, from value, low and high of the cells of each task.

    Two things could have come out otherwise. The training: per task, seeds are resampled with replacement, and
    deviations widened by sqrt(s / (s - 1)) because s resampled seeds spread too little. The images: each cell's own
    interval says how its value moves with the images. Seeds of a task share their images, so more seeds do not average
    this away: one normal error per task and draw, with the mean standard deviation of that task's cells. Tasks are not
    resampled: a board speaks of its own tasks. A single seed contributes no training noise; the page lists the seeds.
    NaN where a cell has no finite interval of its own.
    """
    if not all(np.isfinite(cells).all() for cells in tasks):
        return float("nan"), float("nan")
    noise = _noise(tuple(len(cells) for cells in tasks), draws)
    drawn = [_task_draws(cells, *of_task) for cells, of_task in zip(tasks, noise, strict=True)]
    return interval(np.mean(drawn, axis=0))


@functools.lru_cache(maxsize=32)  # many rows of a board have the same numbers of seeds
def _noise(seeds: tuple[int, ...], draws: int) -> list[tuple[Float[np.ndarray, "draws s"], Float[np.ndarray, "draws"]]]:
    """Per task, from its number of seeds: their weights in each draw, and a standard normal error of the images."""
    random = np.random.default_rng(0)
    return [(random.multinomial(n, np.full(n, 1 / n), size=draws) / n, random.standard_normal(draws)) for n in seeds]


def _task_draws(
    cells: Float[np.ndarray, "s 3"], weights: Float[np.ndarray, "draws s"], error: Float[np.ndarray, "draws"]
) -> Float[np.ndarray, "draws"]:
    values, low, high = cells.T
    n = len(values)
    training = weights @ (values - values.mean()) * np.sqrt(n / max(n - 1, 1))
    sd = np.mean(high - low) * _SD_PER_WIDTH
    return values.mean() + training + error * sd


_STANDING = ["dataset", "performer", "control", "higher_is_better", "value", "low", "high", "tasks", "coverage"]
_STANDING += ["seeds", "images", "categories"]
_TEXTS = [
    *_ROW,
    "dataset",
    "performer",
    "control",
    "coverage",
    "seeds",
]  # Python strings: Arrow's are slow to read one by one


def _standings(rows: pd.DataFrame, covered: Bool[np.ndarray, "n"]) -> Iterator[dict[str, object]]:
    """The standings but for what compares them; a row is covered if its task is."""
    said = {"dataset": "first", "performer": "first", "control": "last", "higher_is_better": "last"}
    names = rows.groupby(_ROW).agg(said)
    cells = rows[covered].sort_values(["task", "seed"])
    wanted = cells.groupby(["board", "metric"])["task"].nunique()
    of_row = cells.groupby(_ROW).indices
    columns = {name: cells[name].to_numpy() for name in ("task", "seed", "category", "images")}
    columns["numbers"] = _with_bounds(cells)
    for row in names.reset_index().to_dict("records"):
        board, explainer, variant, metric = (row[name] for name in _ROW)
        at = of_row.get((board, explainer, variant, metric), np.array([], int))
        found = _standing({name: column[at] for name, column in columns.items()}, int(wanted.get((board, metric), 0)))
        yield row | found


def _with_bounds(cells: pd.DataFrame) -> Float[np.ndarray, "n 3"]:
    """value, low and high; what an explainer reports of itself, several seeds through, moves with the training only."""
    several = cells.groupby([*_ROW, "task"])["seed"].transform("size") > 1
    reported = (cells["higher_is_better"].isna() & (cells["images"] == 0) & several).to_numpy(bool)
    numbers = cells[["value", "low", "high"]].to_numpy(float)
    return np.where(reported[:, None] & np.isnan(numbers), numbers[:, :1], numbers)


def _standing(cells: dict[str, np.ndarray], wanted: int) -> dict[str, object]:
    """From the cells of covered tasks, sorted (task, seed); `numbers` (n, 3) are value, low and high."""
    _, starts = np.unique(cells["task"], return_index=True)
    tasks = np.split(cells["numbers"], starts[1:]) if len(starts) else []
    complete = 0 < len(tasks) == wanted
    low, high = mean_interval(tasks) if complete else (np.nan, np.nan)
    return {
        "value": np.mean([task[:, 0].mean() for task in tasks]) if complete else np.nan,
        "low": low,
        "high": high,
        "tasks": len(tasks),
        "coverage": f"{len(tasks)}/{wanted}",
        "seeds": " ".join(map(str, np.unique(cells["seed"]))),
        "images": int(np.maximum.reduceat(cells["images"], starts).sum()) if tasks else 0,
        "categories": tuple(np.unique(cells["category"])),
    }


def _ranked(group: pd.DataFrame) -> pd.DataFrame:
    """The standings of one metric on one board, with rank, best and beaten_by_control."""
    floor, unranked = (group["control"].isin(kinds).to_numpy(bool) for kinds in ([FLOOR], UNRANKED))
    ranks = np.full(len(group), np.nan)
    best, beaten = np.zeros(len(group), bool), np.zeros(len(group), bool)
    if len(group) and "@" not in group["metric"].iloc[0] and group["higher_is_better"].notna().all():
        sign = 1 if group["higher_is_better"].iloc[-1] else -1
        value, *ends = sign * group[["value", "low", "high"]].to_numpy(float).T
        exact = floor & np.isnan(ends[0])  # a value without an interval is exact: the map is the same for all images
        low, high = np.sort(np.where(exact, value, ends), axis=0)
        better = low[:, None] > high[None, :]  # [i, j]: the interval of i is better than and apart from that of j
        known = ~np.isnan(low)
        if (ranked := known & ~unranked).any():
            first = np.argmax(np.where(ranked, value, -np.inf))
            best = ranked & ~better[first]
            ranks[ranked] = np.where(best, 1, 1 + better[ranked].sum(axis=0))[ranked]
        if (floors := known & floor).any():
            beaten = ~np.isnan(value) & ~floor & ~better[:, floors].all(axis=1)
    return group.assign(rank=ranks, best=best, beaten_by_control=beaten)


def _newest(rows: pd.DataFrame, by: list[str], version: str) -> pd.DataFrame:
    newest = rows.groupby(by)[version].transform(lambda versions: max(set(versions), key=_version_order))
    return rows[rows[version] == newest]


def _version_order(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
