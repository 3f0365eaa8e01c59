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
    from partbench.leaderboard.metric_cards.card import Cards
    from partbench.leaderboard.site.build import SiteMaterial
    from partbench.leaderboard.site.facts import Facts

SITE = "site"
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
    paths = _write_all(results, site, with_photographs)
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
    from partbench.leaderboard.build import stale_pages
    from partbench.leaderboard.metric_cards.card import Cards
    from partbench.leaderboard.metric_cards.pages import stale_cards
    from partbench.leaderboard.site.build import stale_site
    from partbench.leaderboard.site.data import site_data
    from partbench.leaderboard.sources import Sources

    folder, sources = results.parent / "leaderboards", Sources.of(results)
    cards = Cards(sources)
    stale = stale_pages(folder, sources, cards.uses) + stale_cards(folder, cards)
    there = (folder / SITE / "index.html").is_file()
    of_site = stale_site(folder / SITE, site_data(sources), _material(cards)) if there else []
    if stale:
        click.echo(f"bench: stale: {', '.join(stale)}; run `bench leaderboard`", err=True)
    if of_site:
        named = ", ".join(of_site[:NAMED]) + (f" and {len(of_site) - NAMED} more" if len(of_site) > NAMED else "")
        click.echo(f"bench: stale in site/: {named}; run `bench leaderboard --site`", err=True)
    if stale or of_site:
        sys.exit(1)
    click.echo("leaderboards match the results")


def _write_all(results: Path, site: bool, photographs: bool) -> list[Path]:
    """Write pages, cards and, if asked for, the site, from results that are read once; the paths to name."""
    from partbench.leaderboard.build import write_pages
    from partbench.leaderboard.metric_cards.card import Cards
    from partbench.leaderboard.metric_cards.pages import write_cards
    from partbench.leaderboard.site.build import write_site
    from partbench.leaderboard.site.data import site_data
    from partbench.leaderboard.sources import Sources
    from partbench.results.claims import locked

    folder = results.parent / "leaderboards"
    with locked(folder / ".lock"):
        sources = Sources.of(results)
        cards = Cards(sources)
        written = write_pages(folder, sources, cards.uses) + write_cards(folder, cards)
        if site:
            write_site(folder / SITE, site_data(sources), _material(cards), results.parent / "pictures", photographs)
            written.append(folder / SITE / "index.html")
    return written


def _material(cards: Cards) -> SiteMaterial:
    """What is known of plugins, the cards of metrics where there are planted runs, and the claims of the papers."""
    from partbench.leaderboard.site.build import SiteMaterial
    from partbench.leaderboard.site.claim_pages import claims_of
    from partbench.leaderboard.site.metric_pages import CardTables

    made = {one["metric"]: CardTables(one["verdicts"], one["tables"]) for one in (card.as_json() for card in cards.all)}
    return SiteMaterial(_facts(), made, claims_of(cards.sources.ledger))


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
