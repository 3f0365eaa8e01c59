"""`bench leaderboard`: pages computed from results."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from partbench.cli.parameters import results_option
from partbench.errors import InputError


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a page does not match the results.")
@results_option
def leaderboard(check: bool, results: Path) -> None:
    """Rebuild leaderboards/ from results/.

    \b
    Examples:
      bench leaderboard
      bench leaderboard --check      exit code 1 if a page is stale
    """
    from partbench.leaderboard.build import stale_pages
    from partbench.results.store import load_with_evidence

    if not results.is_dir():
        raise InputError(f"no folder {results}; run `bench run` first, or name one with --results")
    if check:
        stale = stale_pages(results.parent / "leaderboards", *load_with_evidence(results))
        if stale:
            click.echo(f"bench: stale: {', '.join(stale)}; run `bench leaderboard`", err=True)
            sys.exit(1)
        click.echo("leaderboards match the results")
        return
    for page in write_pages_of(results):
        click.echo(page)


def write_pages_of(results: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of these datasets (by default of all), from their results."""
    from partbench.leaderboard.build import publish

    return publish(results, results.parent / "leaderboards", datasets)
