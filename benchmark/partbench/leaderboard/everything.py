"""All that is made from a folder of results: pages, cards of metrics and the site, from results that are read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from partbench.freed_memory import return_freed_memory
from partbench.leaderboard.build import stale_pages, write_pages
from partbench.leaderboard.ledger_line import with_cards
from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.metric_cards.pages import stale_cards, write_cards
from partbench.leaderboard.site.build import SiteMaterial, stale_site, write_site
from partbench.leaderboard.site.claim_pages import claims_of
from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.metric_pages import card_tables
from partbench.leaderboard.sources import Sources
from partbench.results.cell_lock import locked

FOLDER, SITE = "leaderboards", "site"
Asked = Callable[[], Facts]  # what plugins say of themselves, which only a site shows


class Stale(NamedTuple):
    """Names of files that do not match the results: of pages and cards, and of the site if there is one."""

    pages: list[str]
    site: list[str]


class SiteWanted(NamedTuple):
    """What a site shows beside results: facts of plugins and, not for publication, pictures of photographs."""

    facts: Asked
    photographs: bool = False


def write_everything(results: Path, site: SiteWanted | None = None) -> list[Path]:
    """Write pages, cards and, if it is wanted, the site into leaderboards/ beside the results; the paths to name."""
    folder = results.parent / FOLDER
    with locked(folder / ".lock"):
        sources = Sources.of(results)
        cards = Cards(sources)
        written = write_pages(folder, sources, cards.uses) + write_cards(folder, cards)
        if site:
            return_freed_memory()
            material, pictures = _material(cards, site.facts), results.parent / "pictures"
            write_site(folder / SITE, site_data(sources, cards.uses), material, pictures, site.photographs)
            written.append(folder / SITE / "index.html")
    return written


def stale_files(results: Path, facts: Asked) -> Stale:
    """What `write_everything` would change of the files that are there."""
    folder, sources = results.parent / FOLDER, Sources.of(results)
    cards = Cards(sources)
    pages = stale_pages(folder, sources, cards.uses) + stale_cards(folder, cards)
    if not (folder / SITE / "index.html").is_file():
        return Stale(pages, [])
    return Stale(pages, stale_site(folder / SITE, site_data(sources, cards.uses), _material(cards, facts)))


def _material(cards: Cards, facts: Asked) -> SiteMaterial:
    """What is known of plugins, the cards of metrics where there are planted runs, and the claims of the papers."""
    return SiteMaterial(facts(), card_tables(cards.all), claims_of(with_cards(cards.sources.ledger, cards.uses)))
