"""Synthetic results and planted runs, of which a metric has the verdict that one wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from planted_results import frame, row

from partbench.leaderboard.sources import Sources
from partbench.results.planted import CHEAT, INVERTED, ORACLE, RANDOM_WEIGHTS, SCHEMA, TRAINED

METRIC = "part_following"  # reads maps; higher is better
TASKS = ("bird", "cat", "dog", "horse")
EXPLAINERS = {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}
DOSES = {"0": 0.95, "0.25": 0.7, "0.5": 0.5, "0.75": 0.3, "1": 0.1, INVERTED: 0.05}
PLACES = {level: place for place, level in enumerate((*DOSES, TRAINED, "fc8", "conv1"))}
PLANTED_TASK = "fauna/multi:bird"
IMAGES = 60


def planted(kind: str, subject: str, level: str, value: float, **changes: Any) -> dict[str, Any]:
    """A planted row; its interval is .02 wide."""
    usual = {
        "planted": kind, "subject": subject, "level": level, "place": PLACES.get(level, 0), "task": PLANTED_TASK,
        "dataset": "fauna", "performer": "small_vgg", "seed": 0, "metric": METRIC, "metric_version": "1",
        "value": value, "low": value - 0.01, "high": value + 0.01, "higher_is_better": True, "status": "ok",
        "reason": "", "images": IMAGES,
    }  # fmt: skip
    return usual | changes


def oracle(doses: Mapping[str, float] = DOSES, **changes: Any) -> list[dict[str, Any]]:
    return [planted(ORACLE, "parts", level, value, **changes) for level, value in doses.items()]


def random_weights(trained: float = 0.6, random: float = 0.1) -> list[dict[str, Any]]:
    values = {TRAINED: trained, "fc8": (trained + random) / 2, "conv1": random}
    return [planted(RANDOM_WEIGHTS, "a", level, value) for level, value in values.items()]


def cheat(value: float = 0.1, **changes: Any) -> list[dict[str, Any]]:
    return [planted(CHEAT, "copied_logit", "", value, **changes)]


def results(
    values: Mapping[str, Mapping[str, float]] | None = None, floor: float = 0.2, **changes: Any
) -> list[dict[str, Any]]:
    """Rows of explainers with the values of each task, by default the same order everywhere, and of a floor."""
    of_tasks = values or dict.fromkeys(TASKS, EXPLAINERS)
    usual = {"metric": METRIC, "higher_is_better": True} | changes
    found = []
    for task, of_task in of_tasks.items():
        for seed in range(2):
            found += [row(name, task, value, seed=seed, **usual) for name, value in of_task.items()]
        found.append(row("random_maps", task, floor, control="floor", **usual))
    return found


def evidence(rows: Iterable[Mapping[str, Any]], noise: float = 0.05) -> pd.DataFrame:
    """A value of each image for each row, around the row's value."""
    random, found = np.random.default_rng(0), []
    for of_row in rows:
        drawn = random.normal(scale=noise, size=IMAGES)
        values = of_row["value"] + drawn - drawn.mean()
        about = {name: of_row[name] for name in ("cell", "explainer", "variant", "task", "seed", "metric")}
        found += [{**about, "unit": f"{of_row['task']}-{i}", "value": value} for i, value in enumerate(values)]
    columns = ["cell", "explainer", "variant", "task", "seed", "metric", "unit", "value"]
    return pd.DataFrame(found, columns=columns)


def sources(
    rows: list[dict[str, Any]] | None = None, runs: list[dict[str, Any]] | None = None, noise: float = 0.05
) -> Sources:
    """By default, those of a metric that ranks."""
    rows = results() if rows is None else rows
    runs = [*oracle(), *random_weights(), *cheat()] if runs is None else runs
    return Sources(frame(rows), evidence(rows, noise), pd.DataFrame(runs, columns=SCHEMA.names))
