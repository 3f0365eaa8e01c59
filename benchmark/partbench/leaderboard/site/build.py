"""The files of the site, written and checked. The bytes of its pages depend on results, facts and pictures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from partbench.leaderboard.generated import differing, write_files
from partbench.leaderboard.site.boards import boards
from partbench.leaderboard.site.claim_pages import Claim, claim_pages
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.dataset_pages import dataset_pages
from partbench.leaderboard.site.explainer_pages import explainer_pages
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.home import home
from partbench.leaderboard.site.interactive import interactive_pages
from partbench.leaderboard.site.metric_pages import CardTables, metric_pages
from partbench.leaderboard.site.pictures import FOLDER, RENDERED, SUFFIX, Chosen, chosen_pictures, pictures_from
from partbench.leaderboard.site.submissions import submission_pages
from partbench.leaderboard.site.templating import STATIC, static
from partbench.whole_files import writing

_GENERATED = (".html", ".css", ".js", SUFFIX)


@dataclass(frozen=True)
class SiteMaterial:
    """What the site is made of beside results: facts of plugins, cards of metrics, published claims."""

    facts: Facts = field(default_factory=Facts)
    cards: Mapping[str, CardTables] = field(default_factory=dict)
    claims: Sequence[Claim] = ()


def site_pages(
    data: SiteData, material: SiteMaterial, pictures: Mapping[str, Sequence[Chosen]] | None = None
) -> dict[str, str]:
    """Name below the site's folder and text of every page, stylesheet and script."""
    facts, claims, shown = material.facts, bool(material.claims), boards(data)
    return {
        **home(data, shown, claims),
        **dict(explainer_pages(data, facts, pictures or {}, claims)),
        **dict(submission_pages(data, claims)),
        **dict(metric_pages(data, facts, material.cards, claims)),
        **dict(dataset_pages(data, shown, facts, claims)),
        **dict(claim_pages(material.claims)),
        **dict(interactive_pages(data, shown, claims)),
        **{name: static(name) for name in STATIC},
    }


def write_site(
    folder: Path, data: SiteData, material: SiteMaterial, pictures: Path | None = None, photographs: bool = False
) -> list[Path]:
    """Write the site into a folder, made if absent, and remove its pages that are no more; the paths written.

    `pictures` is a folder as `bench run` writes it; where it has none of an explainer, those already in the site stay.
    Pictures of photographs are left out unless `photographs`. Raises InputError if the folder cannot be written.
    """
    datasets = None if photographs else RENDERED
    shown = pictures_from(data, pictures, folder, datasets)
    with writing(folder):
        paths = write_files(folder, shown)
        _remove(folder, set(shown), below=FOLDER)
        pages = site_pages(data, material, chosen_pictures(data, folder / FOLDER, None))
        paths = write_files(folder, pages) + paths
        _remove(folder, {*pages, *shown})
    return paths


def stale_site(folder: Path, data: SiteData, material: SiteMaterial) -> list[str]:
    """Names of files of a site that are absent, differ from what the results make, or are no more; none without site.

    The pictures that lie in the site are taken as they are.
    """
    if not (folder / "index.html").is_file():
        return []
    chosen = chosen_pictures(data, folder / FOLDER, None)
    made = site_pages(data, material, chosen)
    kept = {picture.path for pictures in chosen.values() for picture in pictures}
    return sorted(differing(folder, made) | (_present(folder) - set(made) - kept))


def _remove(folder: Path, kept: set[str], below: str = "") -> None:
    for name in _present(folder) - kept:
        if name.startswith(below):
            (folder / name).unlink()


def _present(folder: Path) -> set[str]:
    """Files of the kinds that a site has."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in _GENERATED}
