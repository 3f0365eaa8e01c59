"""Pages and tables of the leaderboards, generated from the results alone.

For each dataset a page `<dataset>.md` with a screen for each board, the details of each board in `<dataset>/`, and
`<dataset>.csv`, all standings as tidy rows; for all of them the ledger of claims, `claims.md` and `claims.csv`. The
bytes depend on results and planted runs only, so a page that differs from what they make is stale.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from partbench.leaderboard.board_page import board_page
from partbench.leaderboard.claims import ledger
from partbench.leaderboard.claims_page import claims_csv, claims_page
from partbench.leaderboard.dataset_page import dataset_page
from partbench.leaderboard.decomposition import gain_decomposition
from partbench.leaderboard.generated import as_csv, differing, is_generated, write_files
from partbench.leaderboard.ledger_line import with_cards
from partbench.leaderboard.markdown import HEADER
from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.metric_cards.pages import FOLDER as CARDS
from partbench.leaderboard.pairs import pairs
from partbench.leaderboard.shown_board import folder_of, shown_boards
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.standings import standings
from partbench.leaderboard.uses import Uses
from partbench.results.cell_lock import locked
from partbench.results.folders import folders_of
from partbench.whole_files import writing

__all__ = [
    "gain_decomposition",
    "ledger",
    "pages",
    "pairs",
    "publish",
    "stale_pages",
    "standings",
    "write_pages",
]

_ATTEMPTS = 3  # where results change all the time, whoever changes them publishes them
_TIDY = ["board", "explainer", "variant", "metric", "value", "low", "high", "tasks", "seeds", "images", "coverage"]
_TIDY += ["rank_low", "rank_high", "best", "control", "floors", "beaten_by_control", "unsupported", "one_seed"]
_TIDY += ["network"]


def pages(sources: Sources, verdicts: Uses, datasets: Iterable[str] | None = None) -> dict[str, str]:
    """Name and text of every page that these results make; none without results.

    `verdicts` are those of cards, by metric and dataset. With `datasets`, of their pages only these; the ledger of
    claims is of all results, and made where they measure a claim.
    """
    wanted, made = None if datasets is None else set(datasets), {}
    standings = sources.standings
    for dataset in map(str, sorted(set(sources.rows["dataset"]))):
        if wanted is None or dataset in wanted:
            boards, name = shown_boards(sources, verdicts, dataset), folder_of(dataset)
            made[f"{name}.md"] = dataset_page(dataset, boards)
            made[f"{name}.csv"] = as_csv(standings.loc[standings["dataset"] == dataset, _TIDY])
            made |= {board.path: board_page(board, sources.judged) for board in boards}
    claims = with_cards(sources.ledger, verdicts)
    if any(line.measured for line in claims):
        made |= {"claims.md": f"{HEADER}\n\n{claims_page(claims)}", "claims.csv": claims_csv(claims)}
    return made


def write_pages(folder: Path, sources: Sources, verdicts: Uses, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write `pages` into a folder, made if absent, and remove generated ones that are no more; the paths written.

    With `datasets`, pages of other datasets stay. Raises InputError if the folder cannot be written.
    """
    wanted = None if datasets is None else list(datasets)
    made, folder = pages(sources, verdicts, wanted), Path(folder)
    with writing(folder):
        paths = write_files(folder, made)
        for name in _orphans(folder, made):
            if wanted is None or Path(name).parts[0] in map(folder_of, wanted):
                (folder / name).unlink()
    return paths


def publish(results: Path, folder: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of a folder of results, by default of all datasets, and the ledger of claims; their paths.

    One process at a time reads results and writes pages, so that no older page takes the place of a newer one. Pages
    are made again if results changed meanwhile. Raises InputError if `folder` cannot be written.
    """
    wanted = None if datasets is None else list(datasets)
    with locked(Path(folder) / ".lock"):
        for _ in range(_ATTEMPTS):
            before, sources = folders_of(results), Sources.of(results)
            paths = write_pages(folder, sources, Cards(sources).uses, wanted)
            if folders_of(results) == before:
                break
    return paths


def stale_pages(folder: Path, sources: Sources, verdicts: Uses) -> list[str]:
    """Names of pages that are absent or differ from what the results make, and of generated pages without results."""
    made = pages(sources, verdicts)
    return sorted(differing(Path(folder), made) | _orphans(Path(folder), made))


def _orphans(folder: Path, made: Container[str]) -> set[str]:
    """Names of generated pages, those of boards included, that no results make; cards are not among them."""
    found = [path for pattern in ("*.md", "*/*.md") for path in folder.glob(pattern) if path.parent.name != CARDS]
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {name for name, path in names.items() if name not in made and is_generated(path)}
