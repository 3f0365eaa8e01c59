"""The files of the site, written and checked. The bytes of its pages depend on results, facts and pictures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from partbench.errors import InputError
from partbench.leaderboard.site.boards import boards
from partbench.leaderboard.site.claim_pages import Claim, claim_pages
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.dataset_pages import dataset_pages
from partbench.leaderboard.site.explainer_pages import explainer_pages
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.home import home
from partbench.leaderboard.site.interactive import interactive_pages
from partbench.leaderboard.site.metric_pages import CardTables, metric_pages, verdicts_of
from partbench.leaderboard.site.pictures import FOLDER, RENDERED, SUFFIX, Chosen, chosen_pictures, pictures_from
from partbench.leaderboard.site.templating import STATIC, static
from partbench.results.sealed import write_whole

_GENERATED = (".html", ".css", ".js", SUFFIX)


@dataclass(frozen=True)
class SiteMaterial:
    """What the site is made of beside results: facts of plugins, cards of metrics, published claims."""

    facts: Facts = field(default_factory=Facts)
    cards: Mapping[str, CardTables] = field(default_factory=dict)
    claims: Sequence[Claim] = ()


def site_pages(
    evidence: SiteData, material: SiteMaterial, pictures: Mapping[str, Sequence[Chosen]] | None = None
) -> dict[str, str]:
    """Name below the site's folder and text of every page, stylesheet and script."""
    facts, claims, shown = material.facts, bool(material.claims), boards(evidence)
    return {
        **home(evidence, shown, verdicts_of(material.cards), claims),
        **dict(explainer_pages(evidence, facts, pictures or {}, claims)),
        **dict(metric_pages(evidence, facts, material.cards, claims)),
        **dict(dataset_pages(evidence, shown, facts, claims)),
        **dict(claim_pages(material.claims)),
        **dict(interactive_pages(evidence, shown, claims)),
        **{name: static(name) for name in STATIC},
    }


def write_site(
    folder: Path, evidence: SiteData, material: SiteMaterial, pictures: Path | None = None, photographs: bool = False
) -> list[Path]:
    """Write the site into a folder, made if absent, and remove its pages that are no more; the paths written.

    `pictures` is a folder as `bench run` writes it; where it has none of an
    explainer, those already in the site stay. Pictures of photographs are left out unless `photographs`. Raises
    InputError if the folder cannot be written.
    """
    datasets = None if photographs else RENDERED
    shown = pictures_from(evidence, pictures, folder, datasets)
    try:
        _write(folder, shown)
        _remove(folder, set(shown), below=FOLDER)
        pages = site_pages(evidence, material, chosen_pictures(evidence, folder / FOLDER, None))
        _write(folder, {name: text.encode() for name, text in pages.items()})
        _remove(folder, {*pages, *shown})
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}; choose another folder") from error
    return [folder / name for name in (*pages, *shown)]


def stale_site(folder: Path, evidence: SiteData, material: SiteMaterial) -> list[str]:
    """Names of files of a site that are absent, differ from what the results make, or are no more; none without site.

    The pictures that lie in the site are taken as they are.
    """
    if not (folder / "index.html").is_file():
        return []
    chosen = chosen_pictures(evidence, folder / FOLDER, None)
    made = site_pages(evidence, material, chosen)
    stale = {name for name, text in made.items() if _bytes(folder / name) != text.encode()}
    kept = {picture.path for pictures in chosen.values() for picture in pictures}
    return sorted(stale | (_present(folder) - set(made) - kept))


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if _bytes(path) != content:
            write_whole(path, content)


def _remove(folder: Path, kept: set[str], below: str = "") -> None:
    for name in _present(folder) - kept:
        if name.startswith(below):
            (folder / name).unlink()


def _present(folder: Path) -> set[str]:
    """Files of the kinds that a site has."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in _GENERATED}


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
