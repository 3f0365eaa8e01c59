"""`bench compare`: two explainers, image by image."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import completion_of, json_option, results_option
from partbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("a", metavar="A", shell_complete=completion_of("explainers"))
@click.argument("b", metavar="B", shell_complete=completion_of("explainers"))
@click.option("--task", metavar="GLOB", help="Only these tasks, such as 'fauna/multi:*' or fauna/multi:bird.",
              shell_complete=completion_of("tasks"))  # fmt: skip
@click.option("--metric", metavar="M", help="Only this metric.", shell_complete=completion_of("metrics"))
@click.option("--scope", type=click.Choice(["these", "new"]), default="these", show_default=True,
              help="These categories, or new ones like them (four tasks or more).")  # fmt: skip
@json_option
@results_option
def compare(a: str, b: str, task: str | None, metric: str | None, scope: str, as_json: bool, results: Path) -> None:
    """Compare explainers A and B on every board on which both have results.

    A and B are explainers with their options, as on the leaderboards: srae, 'srae (profile=released)'. One that is not
    among your results is looked for among the published ones that come with partbench: default options, on the same
    tasks, data and kind of device. The verdict
    counts all rows of the table (Holm's method); the interval is that of one row. On an image: the probability that A
    is better on an image. * marks explainers with one seed: the verdict holds for these trainings alone.

    \b
    Examples:
      bench compare srae nn
      bench compare interp_cnn 'top_conv (network=ordinary)' --task 'fauna/*' --metric location_instability
      bench compare srae nn --scope new --json
    """
    from partbench.leaderboard.compared import compared
    from partbench.results.store import load_with_evidence

    if not results.is_dir():
        raise InputError(f"no folder {results}; run `bench run` first, or name one with --results")
    datasets = None if task is None or "*" in task.partition("/")[0] else [task.partition("/")[0]]
    rows, images, published = _beside_published(*load_with_evidence(results, datasets), (a, b))
    found = compared(rows, images, (a, b), task, metric, scope)
    if as_json:
        of_others = {"published": [name for name in (a, b) if name in published]}
        click.echo(json.dumps([_in_json(row) | of_others for row in found.to_dict("records")], indent=1))
        return
    from partbench.cli.tables import print_table

    for board, of_board in found.groupby("board", sort=True):
        shown = " - ".join(f"{name} (published)" if name in published else name for name in (a, b))
        print_table(f"{board}: {shown}", [_shown(row) for row in _records(of_board)])


def _beside_published(
    rows: pd.DataFrame, images: pd.DataFrame, names: tuple[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, Collection[str]]:
    """Results with the published ones of explainers that are not among them, and the labels of these."""
    from partbench.leaderboard.current import current
    from partbench.leaderboard.with_published import published_alone, with_published
    from partbench.results.reference.cells import Reference

    rows = current(rows)
    absent = [name for name in names if name not in set(rows["label"])]
    if not absent:
        return rows, images, ()
    reference = Reference.load()
    known = set(reference.rows["explainer"])  # all have default options
    if set(absent) <= known and len(absent) == len(names):
        found = published_alone(reference, absent)
        return found.rows, found.images, found.published
    # The tasks of the explainer that is there are those to compare on.
    there = rows[rows["label"].isin(names)]
    found = with_published(there, images[images["cell"].isin(set(there["cell"]))], reference, absent)
    if not found.published:
        if set(absent) <= known and found.left_out:
            raise InputError(f"published results of {absent[0]} do not fit yours: {found.left_out[0]}")
        return rows, images, ()
    return found.rows, found.images, found.published


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    return rows.to_dict("records")


def _shown(row: dict[Any, Any]) -> dict[str, str]:
    interval = "" if math.isnan(row["low"]) else f"{row['low']:+.3g} to {row['high']:+.3g}"
    known = not math.isnan(row["difference"])
    return {
        "metric": row["metric"],
        "difference": f"{row['difference']:+.3g}" if known else "",
        "95 % interval": interval,
        "adjusted p": "" if math.isnan(row["p_adjusted"]) else f"{row['p_adjusted']:.2g}",
        "on an image": f"{row['better']:.2f}" if known else "",
        "images": f"{row['images']}/{row['of_images']}",
        "verdict": row["verdict"] + (" *" if row["one_seed"] else ""),
    }


def _in_json(row: dict[Any, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in row.items()}
