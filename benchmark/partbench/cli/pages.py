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
    """Rebuild leaderboards/ from results/, and the cards of metrics from the planted runs beside it.

    \b
    Examples:
      bench leaderboard
      bench leaderboard --check      exit code 1 if a page is stale
    """
    from partbench.leaderboard.build import stale_pages
    from partbench.leaderboard.metric_cards.pages import stale_cards, write_cards
    from partbench.leaderboard.metric_cards.sources import Sources

    if not results.is_dir():
        raise InputError(f"no folder {results}; run `bench run` first, or name one with --results")
    if check:
        folder, sources = results.parent / "leaderboards", Sources.of(results)
        stale = stale_pages(folder, sources.results) + stale_cards(folder, sources)
        if stale:
            click.echo(f"bench: stale: {', '.join(stale)}; run `bench leaderboard`", err=True)
            sys.exit(1)
        click.echo("leaderboards match the results")
        return
    for page in write_pages_of(results):
        click.echo(page)
    for page in write_cards(results.parent / "leaderboards", Sources.of(results, told=True)):
        click.echo(page)


def write_pages_of(results: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of these datasets (by default of all), from their results."""
    from partbench.leaderboard.build import publish

    return publish(results, results.parent / "leaderboards", datasets)
