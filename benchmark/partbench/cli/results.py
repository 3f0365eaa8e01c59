"""`bench results`: SQL over results, their index, and cells that no page uses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import expect_results, json_option, results_option
from partbench.cli.usage import Commands
from partbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_ROWS = 1000  # of a query that are printed as a table
LEAST_WIDTH = 8  # characters that a column of a table has at least, if its cells are so long


@click.group(cls=Commands)
def results() -> None:
    """Ask, tidy and index the folder of results.

    \b
    bench results query 'select ...'     SQL over aggregates and evidence
    bench results prune                  which cells no page uses
    bench results index                  make the index anew
    """


@results.command()
@click.argument("statement", metavar="SELECT")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@json_option
@results_option
def query(statement: str, as_csv: bool, as_json: bool, results: Path) -> None:
    """Print what an SQL query finds in the tables `aggregates` and `evidence` (pip install 'partbench[sql]').

    `aggregates` has a row per cell and metric, `evidence` one per cell, metric and image; the columns are those of
    docs/results.md. A query can read these tables only. Of a long answer the first 1000 rows are printed; --csv and
    --json print all.

    \b
    Examples:
      bench results query "select explainer, avg(value) from aggregates where metric = 'accuracy' group by all"
      bench results query 'select count(*) from evidence' --json
    """
    if as_csv and as_json:
        raise InputError("--csv and --json are two kinds of output; give one of them")
    from partbench.results.query import query

    expect_results(results)
    found = query(results, statement)
    if as_csv:
        from partbench.results.plain_text import comma_separated

        sys.stdout.write(comma_separated(found.column_names, _rows(found)))
    elif as_json:
        from partbench.results.json_values import in_json

        rows = [dict(zip(found.column_names, map(in_json, row), strict=True)) for row in _rows(found)]
        click.echo(json.dumps(rows, indent=1, default=str))
    else:
        _print_found(found)


@results.command()
@click.option("--yes", is_flag=True, help="Remove them.")
@results_option
def prune(yes: bool, results: Path) -> None:
    """Show the cells that no page uses; with --yes, remove them.

    They are cells of older code of a plugin, of an older version of a task, and cells whose metrics all have newer
    versions. Files that are damaged or of a newer version of partbench are left as they are.

    \b
    Examples:
      bench results prune
      bench results prune --yes
    """
    from partbench.cli.tables import print_table
    from partbench.leaderboard.unused import unused_cells
    from partbench.results.store import load_results

    expect_results(results)
    unused = unused_cells(load_results(results))
    if unused.empty:
        click.echo("pages use all cells")
        return
    print_table("cells that no page uses", [_shown(row) for row in unused.to_dict("records")])
    if not yes:
        click.echo(f"{len(unused)} cells; --yes removes them")
        return
    _remove(results, unused)
    click.echo(f"removed {len(unused)} cells")


@results.command()
@results_option
def index(results: Path) -> None:
    """Make the index of the results anew, in .index/.

    It is kept up to date by the commands that read it; making it anew is for other programs, which read it as it is.

    \b
    Example:
      bench results index
    """
    from partbench.results.index import rebuild

    expect_results(results)
    for name, rows in rebuild(results).items():
        click.echo(f"{name}: {rows} rows")


def _print_found(found: pa.Table) -> None:
    """The first rows as a table; or one below the other, where there are too many columns for the width."""
    from partbench.cli.tables import print_table, table_width

    rows = [{name: "NULL" if value is None else str(value) for name, value in row.items()}
            for row in found.slice(0, MOST_ROWS).to_pylist()]  # fmt: skip
    lengths = [max(len(name), *(len(row[name]) for row in rows)) if rows else len(name) for name in found.column_names]
    if 1 + sum(3 + min(length, LEAST_WIDTH) for length in lengths) <= table_width() or not rows:
        print_table("", rows or [dict.fromkeys(found.column_names, "")])
    else:
        for number, row in enumerate(rows, 1):
            print_table(f"row {number}", [{"column": name, "value": value} for name, value in row.items()])
    if (more := found.num_rows - len(rows)) > 0:
        click.echo(f"{more} more rows; --csv and --json print all", err=True)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _shown(row: dict[Any, Any]) -> dict[str, Any]:
    from partbench.results.schema import label

    shown = {"explainer": label(row["explainer"], row["variant"]), "task": row["task"], "seed": row["seed"]}
    return {**shown, "made": f"{row['created_at']:%Y-%m-%d %H:%M}", "file": row["file"]}


def _remove(results: Path, unused: pd.DataFrame) -> None:
    from partbench.results.asked import forget

    for file in unused["file"]:
        path = results / file
        try:
            path.unlink(missing_ok=True)
            forget(path)
        except OSError as error:
            raise InputError(f"cannot remove '{path}': {error.strerror or error}") from error
