"""`bench score`: a metric added to finished cells."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.engines import cores
from partbench.cli.metric_names import expect_metrics
from partbench.cli.pages import write_pages_of
from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    expect_results,
    jobs_option,
    other_option,
    results_option,
    time_limit_option,
)
from partbench.errors import InputError
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    import pandas as pd

    from partbench.running.cell_job import CellOutcome


@click.command()
@click.argument("cells", nargs=-1, metavar="[CELL]...")
@click.option(
    "--metric", "metrics", multiple=True, required=True, shell_complete=completion_of("metrics"),
    help="Metric to add; may be repeated.",
)  # fmt: skip
@click.option(
    "--plugin-file", "--plugin", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE.py|PROJECT",
    help="A plugin file or a project, of the metric or of explainers of the cells; may be repeated.",
)  # fmt: skip
@click.option("--refit", is_flag=True, help="Train again where weights are not in the cache.")
@jobs_option
@time_limit_option("A cell that takes longer is left as it is.")
@results_option
@data_root_option
@other_option
def score(
    cells: tuple[str, ...], metrics: tuple[str, ...], files: tuple[Path, ...], refit: bool, jobs: int | None,
    time_limit: float, results: Path, data_root: Path | None, other: Path | None,
) -> None:  # fmt: skip
    """Add a metric to finished cells, by default to all of the folder; all other rows stay as they are.

    The explainer of each cell explains the test images again, with the cell's options and seed and with trained weights
    from the cache. A cell that still lacks the metric is named, with the reason: its weights are not in the cache
    (--refit trains them), or its code, data or network are not here. A value of an earlier version of the metric is
    replaced.

    Exit code 1: some cells still lack the metric.

    \b
    Examples:
      bench score --metric part_following
      bench score --metric pointing_game --plugin-file ./pointing_game.py
      bench score 3fa9 --metric accuracy --refit
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import Display
    from partbench.cli.project import file_or_name
    from partbench.results.store import load_results
    from partbench.running.cell_job import Limits, Setting, prepare_results
    from partbench.running.crew import Crew
    from partbench.running.engine import interruptible
    from partbench.running.rescoring import expect_known, rescored

    expect_results(results)
    expect_metrics(metrics, bool(files))
    prepare_results(results)
    prepare_cache()
    finished, failed = _split(_asked(load_results(results), results, cells))
    setting = Setting.at(results, [file_or_name(str(file)) for file in files], data_root, other)
    limits, count = Limits(time_limit, Limits.usual().memory), min(jobs or cores(), max(1, len(finished)))
    lacking, datasets = False, set[str]()
    with interruptible(), Display(quiet=False) as display, Crew(count, limits, display) as crew:
        expect_known(metrics, setting, crew)
        display.total(len(finished) * len(metrics), count)
        for metric in metrics:
            outcomes = list(rescored(finished, metric, setting, refit, crew))
            datasets |= {str(one.columns["dataset"]) for one in outcomes if one.status == "done"}
            lacking |= _print(metric, outcomes, failed)
    for path in write_pages_of(results, datasets) if datasets else []:
        click.echo(path)
    if lacking:
        sys.exit(1)


def _asked(rows: pd.DataFrame, results: Path, cells: Sequence[str]) -> pd.DataFrame:
    """The aggregate rows of the cells asked for."""
    from partbench.results.cell_names import place_of

    if cells:
        rows = rows[rows["file"].isin({place_of(results, text) for text in cells})]
    if rows.empty:
        raise InputError(f"no cells in {results}; run `bench run` first, or name another folder with --results")
    return rows


def _split(rows: pd.DataFrame) -> tuple[list[dict[str, object]], list[str]]:
    """A row of each cell that is finished, and the names of cells that failed."""
    failed = (rows["status"] == "failed").groupby(rows["cell"], observed=True).transform("all")
    named = rows[failed].drop_duplicates("cell")
    names = [f"{row.explainer} on {row.task}, seed {row.seed}" for row in named.itertuples()]
    return rows[~failed].drop_duplicates("cell").to_dict("records"), names


def _print(metric: str, outcomes: Sequence[CellOutcome], failed: Sequence[str]) -> bool:
    """What came of a metric, and a line for each cell that lacks it; whether one does."""
    lacking = {f"{name} ({one.columns.get('cell', 'unknown cell')})": one.reason
               for one in outcomes if one.status == "failed" for name in [one.job.label]}  # fmt: skip
    lacking |= dict.fromkeys(failed, "the cell failed; run it again")
    for name, reason in lacking.items():
        click.echo(printable(f"lacks {metric}: {name}: {reason}"))
    added, had = (sum(one.status == status for one in outcomes) for status in ("done", "finished before"))
    click.echo(f"{metric}: added to {added} cells, {had} had it, {len(lacking)} lack it")
    return bool(lacking)
