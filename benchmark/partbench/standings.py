"""From rows to standings: which cells count, means over equal sets of tasks, intervals, ranks and ties."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from partbench.results import AGGREGATE, TEXTS
from partbench.statistics import interval

OF_LOCATION = frozenset({"location_instability", "part_following", "part_interpretability"})
# What a score is worth is seen beside theirs: labels (names speak for all their options), and the metrics they control.
CONTROLS: dict[str, frozenset[str] | None] = {  # None: every metric
    "random_maps": None,
    "centre_map": None,
    "interp_cnn (trained=false)": None,
    "interp_cnn (loss=false)": OF_LOCATION,  # the mask alone; a trained classifier, so no control of accuracy
}
DRAWS = 2000
_SD_PER_WIDTH = 1 / (2 * 1.96)  # a 95 % interval is 2 * 1.96 standard deviations wide
_ROW = ["board", "explainer", "variant", "metric"]


def label(explainer: str, variant: str = "") -> str:
    """How an explainer is shown: `srae`, or `srae (profile=released)` where its options differ from the defaults."""
    return f"{explainer} ({variant})" if variant else explainer


def is_control(shown: str, metric: str) -> bool:
    """Whether the explainer with this label is a control of a metric, or of the metric that it is a variant of."""
    controlled = CONTROLS.get(shown, CONTROLS.get(shown.partition(" (")[0], frozenset()))
    return controlled is None or metric.partition("@")[0] in controlled


def current(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count, one aggregate row per explainer, variant, task, seed and metric; texts become plain strings.

    Of several versions of a task or (within a dataset) of a metric only the newest counts; of several cells with one
    (explainer, variant, task, seed) the one made last. Adds `board`, `label` and `scored`: status ok and a value that
    is not NaN. Applying it twice changes nothing.
    """
    rows = frame[frame["unit"] == AGGREGATE]
    rows = rows.assign(**{name: rows[name].astype(object) for name in TEXTS})
    rows = _newest(rows, ["task"], "task_version")
    rows = rows.sort_values(["created_at", "cell", "metric"], kind="stable")
    rows = rows.drop_duplicates(["cell", "metric"], keep="last")
    rows = rows[rows["cell"] == rows.groupby(["explainer", "variant", "task", "seed"])["cell"].transform("last")]
    rows = _newest(rows, ["dataset", "metric"], "metric_version")
    return rows.assign(
        board=[_board(*row) for row in zip(rows["task"], rows["dataset"], rows["category"], strict=True)],
        label=[label(*row) for row in zip(rows["explainer"], rows["variant"], strict=True)],
        scored=(rows["status"] == "ok") & rows["value"].notna(),
    ).reset_index(drop=True)


def board(frame: pd.DataFrame) -> pd.DataFrame:
    """Standings: a row per board, explainer with variant, and metric; sorted, the same whatever the order of `frame`.

    A board is the categories of a dataset explained one at a time, or all at once (`multi`), or its attributes, on one
    performer. `value` is the mean over seeds per task, then over tasks. It is NaN unless every task that any explainer
    covers with this metric is covered; a task is covered if all its cells are scored. `coverage` says how many are
    (`4/6`). `low`, `high` are `mean_interval`. `best` marks the best value and all whose intervals overlap its
    interval: they share rank 1; the others rank after all that are separated from them. Controls, names with '@', rows
    without an interval and what explainers report of themselves have no rank. `beaten_by_control`: not separated from
    the best control, or worse than it.
    `images` is the total over tasks, `seeds` the seeds used, `categories` those covered.
    """
    rows = current(frame)
    covered = rows.groupby([*_ROW, "task"])["scored"].all().rename("covered").reset_index()
    wanted = covered[covered["covered"]].groupby(["board", "metric"])["task"].nunique()
    rows = rows.merge(covered, on=[*_ROW, "task"])
    standings = [
        {**dict(zip(_ROW, key, strict=True)), **_standing(cells, int(wanted.get((key[0], key[3]), 0)))}
        for key, cells in rows.groupby(_ROW, sort=True)
    ]
    table = pd.DataFrame(standings, columns=[*_ROW, *_STANDING])
    ranked = [_ranked(group) for _, group in table.groupby(["board", "metric"], sort=False)]
    return pd.concat(ranked).sort_values(_ROW).reset_index(drop=True) if ranked else _ranked(table)


def mean_interval(cells: pd.DataFrame, draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of the mean over tasks of the mean over seeds; NaN where a cell has no finite interval of its own.

    Two things could have come out otherwise. The training: per task, seeds are resampled with replacement, and
    deviations widened by sqrt(s / (s - 1)) because s resampled seeds spread too little. The images: each cell's own
    interval says how its value moves with the images. Seeds of a task share their images, so more seeds do not average
    this away: one normal error per task and draw, with the mean standard deviation of that task's cells. Tasks are not
    resampled: a board speaks of its own tasks. A single seed contributes no training noise; the page lists the seeds.
    """
    cells = cells.sort_values(["task", "seed"])
    numbers = cells[["value", "low", "high"]].to_numpy(float)
    if not np.isfinite(numbers).all():
        return float("nan"), float("nan")
    random = np.random.default_rng(0)
    _, starts = np.unique(cells["task"].to_numpy(str), return_index=True)
    tasks = np.split(numbers, starts[1:])
    return interval(np.mean([_task_draws(task, draws, random) for task in tasks], axis=0))


def _task_draws(cells: Float[np.ndarray, "s 3"], draws: int, random: np.random.Generator) -> Float[np.ndarray, "draws"]:
    values, low, high = cells.T
    n = len(values)
    weights = random.multinomial(n, np.full(n, 1 / n), size=draws) / n
    training = weights @ (values - values.mean()) * np.sqrt(n / max(n - 1, 1))
    sd = np.mean(high - low) * _SD_PER_WIDTH
    return values.mean() + training + random.standard_normal(draws) * sd


_STANDING = ["dataset", "performer", "higher_is_better", "value", "low", "high", "tasks", "coverage"]
_STANDING += ["seeds", "images", "categories"]


def _standing(cells: pd.DataFrame, wanted: int) -> dict[str, object]:
    covered = cells[cells["covered"]]
    tasks = covered["task"].nunique()
    complete = 0 < tasks == wanted
    low, high = mean_interval(covered) if complete else (float("nan"), float("nan"))
    directions = cells["higher_is_better"].dropna()
    return {
        "dataset": cells["dataset"].iloc[0],
        "performer": cells["performer"].iloc[0],
        "higher_is_better": bool(directions.iloc[-1]) if len(directions) else None,
        "value": covered.groupby("task")["value"].mean().mean() if complete else float("nan"),
        "low": low,
        "high": high,
        "tasks": tasks,
        "coverage": f"{tasks}/{wanted}",
        "seeds": " ".join(str(seed) for seed in sorted(covered["seed"].unique())),
        "images": int(covered.groupby("task")["images"].max().sum()),
        "categories": tuple(sorted(covered["category"].unique())),
    }


def _ranked(group: pd.DataFrame) -> pd.DataFrame:
    """The standings of one metric on one board, with rank, best, control and beaten_by_control."""
    of_row = zip(group["explainer"], group["variant"], group["metric"], strict=True)
    control = np.array([is_control(label(explainer, variant), metric) for explainer, variant, metric in of_row], bool)
    ranks = np.full(len(group), np.nan)
    best, beaten = np.zeros(len(group), bool), np.zeros(len(group), bool)
    if len(group) and "@" not in group["metric"].iloc[0] and group["higher_is_better"].notna().all():
        exact = control & group["low"].isna()  # one map, the same for all images: nothing varies, the value is exact
        values, better = _separated(
            group.assign(**{e: group[e].where(~exact, group["value"]) for e in ("low", "high")})
        )
        known = (group["low"].notna() | (exact & group["value"].notna())).to_numpy(bool)
        if (ranked := known & ~control).any():
            first = np.argmax(np.where(ranked, values, -np.inf))
            best = ranked & ~better[first]
            ranks[ranked] = np.where(best, 1, 1 + better[ranked].sum(axis=0))[ranked]
        if (controls := known & control).any():
            strongest = np.argmax(np.where(controls, values, -np.inf))
            beaten = group["value"].notna().to_numpy(bool) & ~control & ~better[:, strongest]
    return group.assign(rank=ranks, best=best, control=control, beaten_by_control=beaten)


def _separated(group: pd.DataFrame) -> tuple[Float[np.ndarray, "e"], Bool[np.ndarray, "e e"]]:
    """Values with greater always better, and [i, j]: the interval of i is better than and apart from that of j."""
    sign = 1 if group["higher_is_better"].iloc[-1] else -1
    ends = sign * group[["low", "high"]].to_numpy(float)
    low, high = ends.min(axis=1), ends.max(axis=1)
    return sign * group["value"].to_numpy(float), low[:, None] > high[None, :]


def _board(task: str, dataset: str, category: str) -> str:
    _, at, performer = task.partition("@")
    kind = "multi" if category == "multi" else "attributes" if category.startswith("attribute-") else "single"
    return f"{dataset}/{kind}{at}{performer}"


def _newest(rows: pd.DataFrame, by: list[str], version: str) -> pd.DataFrame:
    newest = rows.groupby(by)[version].transform(lambda versions: max(set(versions), key=_version_order))
    return rows[rows[version] == newest]


def _version_order(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
