"""`bench leaderboard`: pages computed from results."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from partbench.cli.parameters import expect_results, results_option
from partbench.errors import InputError

if TYPE_CHECKING:
    from partbench.leaderboard.site.facts import Facts

NAMED = 5  # stale files of a site that are named
_SECONDS = 120  # to load plugins whose list is not cached


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a page does not match the results.")
@click.option("--site", is_flag=True, help="Also write leaderboards/site/, pages for a browser.")
@click.option(
    "--with-photographs", is_flag=True, help="Show pictures of photographs in the site too; not for publication."
)
@results_option
def leaderboard(check: bool, site: bool, with_photographs: bool, results: Path) -> None:
    """Rebuild leaderboards/ from results/, and the cards of metrics from the planted runs beside it.

    \b
    Examples:
      bench leaderboard
      bench leaderboard --site       also leaderboards/site/index.html and its pages
      bench leaderboard --check      exit code 1 if a page is stale, those of a site included
    """
    expect_results(results)
    if with_photographs and not site:
        raise InputError("--with-photographs is about the pictures of a site; add --site")
    if check:
        _check(results)
        return
    from partbench.leaderboard.everything import SiteWanted, write_everything

    paths = write_everything(results, SiteWanted(_facts, with_photographs) if site else None)
    for path in paths:
        click.echo(path)
    if not paths:
        click.echo(f"bench: no page: {results} has no cell that boards rank (self-reported ones are not)", err=True)


def write_pages_of(results: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of these datasets (by default of all), from their results."""
    from partbench.leaderboard.build import publish

    return publish(results, results.parent / "leaderboards", datasets)


def _check(results: Path) -> None:
    """Exit with 1, and say what is stale, unless all pages match the results."""
    from partbench.leaderboard.everything import SITE, stale_files

    stale = stale_files(results, _facts)
    if stale.pages:
        click.echo(f"bench: stale: {', '.join(stale.pages)}; run `bench leaderboard`", err=True)
    if stale.site:
        more = f" and {len(stale.site) - NAMED} more" if len(stale.site) > NAMED else ""
        named = ", ".join(stale.site[:NAMED]) + more
        click.echo(f"bench: stale in {SITE}/: {named}; run `bench leaderboard --site`", err=True)
    if stale.pages or stale.site:
        sys.exit(1)
    click.echo("leaderboards match the results")


def _facts() -> Facts:
    """What plugins say of themselves, asked of another process: loading them may import torch, or fail."""
    from partbench.leaderboard.site.facts import Facts, facts_of

    command = [sys.executable, "-m", "partbench", "list", "--json"]
    try:
        printed = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS).stdout
        return facts_of(json.loads(printed))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        warnings.warn(
            f"plugins cannot be listed ({type(error).__name__}); the site says nothing of what they are", stacklevel=2
        )
        return Facts()
