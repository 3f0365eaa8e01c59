"""Cells with planted rows, as a run hands them to the store."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import numpy as np

from partbench.results.schema import Cell

NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
RUN = {"run_id": "r1", "created_at": NOON, "partbench_version": "0.1.0", "variant": "", "metric_version": "1"}


def cell(**changes: Any) -> Cell:
    usual = Cell(
        explainer="srae",
        distribution="partbench",
        plugin_version="0.1.0",
        options={"beta": 3.0, "profile": "paper", "layers": (64, 5)},
        task="fauna/multi:cat",
        task_version="1",
        dataset="fauna",
        category="cat",
        performer="small_vgg",
        data_fingerprint="f00d",
        seed=0,
    )
    return dataclasses.replace(usual, **changes)


def rows(values: list[float], metric: str = "locality") -> list[dict[str, Any]]:
    usual = {**RUN, "metric": metric, "status": "ok", "higher_is_better": False, "images": len(values)}
    aggregate = {**usual, "unit": "all", "value": float(np.mean(values)), "low": min(values), "high": max(values)}
    return [aggregate, *({**usual, "unit": f"image-{i}", "value": value} for i, value in enumerate(values))]
