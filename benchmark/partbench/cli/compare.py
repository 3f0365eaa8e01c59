"""`bench compare`: two explainers, image by image."""

from __future__ import annotations

import json
import math
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

    A and B are explainers with their options, as on the leaderboards: srae, 'srae (profile=released)'. The verdict
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
    found = compared(*load_with_evidence(results, datasets), (a, b), task, metric, scope)
    if as_json:
        click.echo(json.dumps([_in_json(row) for row in found.to_dict("records")], indent=1))
        return
    from partbench.cli.tables import print_table

    for board, rows in found.groupby("board", sort=True):
        print_table(f"{board}: {a} - {b}", [_shown(row) for row in _records(rows)])


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
