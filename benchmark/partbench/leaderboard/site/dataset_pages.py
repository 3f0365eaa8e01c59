"""A page per dataset: what it is, its tasks, and the boards on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from partbench.leaderboard.site.boards import BoardTable
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render

PERFORMER_ACCURACY = "balanced_accuracy@performer"


def dataset_pages(data: SiteData, boards: list[BoardTable], facts: Facts, claims: bool) -> Iterator[tuple[str, str]]:
    """The list of datasets and a page for each one."""
    named = [(name, facts.of("datasets", name), [b for b in boards if b.dataset == name]) for name in data.datasets]
    yield "datasets.html", render("datasets.html", here="datasets", datasets=named, claims=claims)
    for name, fact, own in named:
        yield page_of("datasets", name), render(
            "dataset.html", root="../", here="datasets", name=name, fact=fact, boards=own,
            tasks=_tasks(data, name), claims=claims,
        )  # fmt: skip


def _tasks(data: SiteData, dataset: str) -> list[dict[str, Any]]:
    """Tasks with network, images, number of explainers and of cells, and how often the network is right."""
    columns = ["task", "board", "category", "performer", "images", "label", "cell", "metric", "scored", "value"]
    rows = data.rows.loc[data.rows["dataset"] == dataset, columns]
    right = rows[(rows["metric"] == PERFORMER_ACCURACY) & rows["scored"]].groupby("task")["value"].mean()
    found = rows.groupby("task", sort=True).agg(
        board=("board", "first"), category=("category", "first"), performer=("performer", "first"),
        images=("images", "max"), explainers=("label", "nunique"), cells=("cell", "nunique"),
    )  # fmt: skip
    found = found.assign(accuracy=right.reindex(found.index)).reset_index()
    return [
        {**row, "accuracy": None if pd.isna(row["accuracy"]) else row["accuracy"]} for row in found.to_dict("records")
    ]
