"""Aggregate rows with planted values, as leaderboards read them."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from partbench.results.schema import COLUMNS

TASKS = ("bird", "cat", "dog")
ORDINARY = "top_conv (network=ordinary)"  # what rows of interp_cnn name to be compared with
INSTABILITY, NULL = "location_instability", "location_instability@shuffled"
HIGHER = {"part_following", "part_interpretability", "accuracy"}
Values = Callable[[int, int], dict[str, float]]


def task_of(dataset: str, category: str) -> str:
    """A logit of a network of many categories, all of them, or an attribute."""
    own = category == "multi" or category.startswith("attribute-")
    return f"{dataset}/{category if own else f'multi:{category}'}"


def row(explainer: str, category: str, value: float | None, half: float = 0.01, **changes: Any) -> dict[str, Any]:
    """An aggregate row; `half` is half the width of its interval."""
    usual = {
        "created_at": pd.Timestamp("2024-05-01", tz="UTC"),
        "explainer": explainer,
        "variant": "",
        "task_version": "1",
        "dataset": "fauna",
        "category": category,
        "performer": "small_vgg",
        "seed": 0,
        "metric": "locality",
        "metric_version": "1",
        "unit": "all",
        "value": np.nan if value is None else value,
        "low": np.nan if value is None else value - half,
        "high": np.nan if value is None else value + half,
        "higher_is_better": False,
        "distribution": "partbench",
        "status": "ok",
        "reason": "",
        "images": 50,
    }
    made = usual | changes
    made = {"task": task_of(made["dataset"], category)} | made
    identity = [made[name] for name in ("explainer", "variant", "task", "task_version", "seed")]
    return {"cell": "-".join(map(str, identity))} | made


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).reindex(columns=list(COLUMNS))


IMAGES = 50
_HALF = student.ppf(0.975, IMAGES - 1) / np.sqrt(IMAGES)  # of the interval of a mean, in standard deviations


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """Evidence of 50 images for the aggregates with an interval, as `load_evidence` gives it.

    Its mean is the aggregate, and Student's t interval of the mean has the planted width. The seeds of an explainer on
    a task deviate from their means in the same images; explainers deviate independently.
    """
    known = table[(table["high"] - table["low"]).astype(float) >= 0]
    names = ["cell", "explainer", "variant", "task", "seed", "metric"]
    repeated = {name: np.repeat(known[name].to_numpy(object), IMAGES) for name in names}
    units = [f"{category} {i}" for category in known["category"] for i in range(IMAGES)]
    noise = [_noise("|".join(map(str, who))) for who in known[["explainer", "variant", "task", "metric"]].to_numpy()]
    sd = (known["high"] - known["low"]).to_numpy(float) / 2 / _HALF
    values = known["value"].to_numpy(float)[:, None] + sd[:, None] * np.array(noise).reshape(-1, IMAGES)
    return pd.DataFrame(repeated | {"unit": units, "value": values.ravel()})


@functools.cache
def _noise(who: str) -> np.ndarray:
    """Mean 0, standard deviation 1."""
    noise = np.random.default_rng(zlib.crc32(who.encode())).normal(size=IMAGES)
    return (noise - noise.mean()) / noise.std(ddof=1)


def planted(rows: Iterable[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Aggregate rows, and the evidence of their images."""
    table = frame(rows)
    return table, evidence(table)


def on_all_tasks(explainer: str, value: float, seeds: int = 3, **changes: Any) -> list[dict[str, Any]]:
    return [row(explainer, category, value, seed=seed, **changes) for category in TASKS for seed in range(seeds)]


def standing(table: pd.DataFrame, explainer: str, metric: str = "locality") -> pd.Series:
    return table[(table["explainer"] == explainer) & (table["metric"] == metric)].iloc[0]


def cell(
    shown: str, task: int | str, seed: int, values: dict[str, float], binary: bool = False, **changes: Any
) -> list[dict[str, Any]]:
    """A row per metric of the explainer with this label; `binary`: on a network of the category's own."""
    explainer, _, variant = shown.rstrip(")").partition(" (")
    category = task if isinstance(task, str) else f"t{task}"
    usual: dict[str, Any] = {
        "created_at": pd.Timestamp("2024-05-01", tz="UTC"),
        "explainer": explainer,
        "variant": variant,
        "dataset": "fauna",
        "category": category,
        "performer": "small_vgg",
        "seed": seed,
        "unit": "all",
        "status": "ok",
        "reason": "",
        "images": 50,
        "task_version": "1",
        "metric_version": "1",
        "control": "",
        "distribution": "partbench",
        "compared_with": ORDINARY if explainer == "interp_cnn" else "",
        **changes,
    }
    usual = {
        "task": f"{usual['dataset']}/{category}" if binary else task_of(usual["dataset"], category),
        "cell": f"{shown}-{usual['dataset']}-{category}-{seed}",
    } | usual
    return [
        {
            "metric": name,
            "value": value,
            "low": value - 0.001,
            "high": value + 0.001,
            "higher_is_better": name in HIGHER,
        }
        | usual
        for name, value in values.items()
    ]


def cells(shown: str, values: Values, tasks: int = 4, seeds: int = 3, **changes: Any) -> list[dict[str, Any]]:
    return [row for t in range(tasks) for s in range(seeds) for row in cell(shown, t, s, values(t, s), **changes)]


def located(instability: float, null: float, accuracy: float = 0.9) -> dict[str, float]:
    return {INSTABILITY: instability, NULL: null, "part_following": null - instability, "accuracy": accuracy}


def flat(page: str) -> str:
    return re.sub(" +", " ", page)  # columns are padded
