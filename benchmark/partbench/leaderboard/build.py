"""Pages and tables of the leaderboards, generated from the results alone.

For each dataset a page `<dataset>.md` for readers and `<dataset>.csv`, the same standings as tidy rows; for all of
them the ledger of claims, `claims.md` and `claims.csv`. The bytes depend on the results only, so a page that differs
from its results is stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from partbench.errors import InputError
from partbench.leaderboard.claims import ledger, ledger_of
from partbench.leaderboard.claims_page import claims_csv, claims_page
from partbench.leaderboard.decomposition import gain_decomposition
from partbench.leaderboard.page import HEADER, page
from partbench.leaderboard.paired import comparisons
from partbench.leaderboard.standings import current, standings, standings_of
from partbench.leaderboard.verdicts import judged, pairs
from partbench.results.claims import locked
from partbench.results.folders import folders_of
from partbench.results.plain_text import inert
from partbench.results.schema import slug
from partbench.results.sealed import write_whole
from partbench.results.store import load_with_evidence

__all__ = [
    "comparisons",
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


def pages(frame: pd.DataFrame, images: pd.DataFrame, datasets: Iterable[str] | None = None) -> dict[str, str]:
    """Name and text of every page that these results make; none without results.

    `frame` is what `load_results` gives, `images` what `load_evidence` gives. With `datasets`, of their pages only
    these; the ledger of claims is of all results, and made where they measure a claim.
    """
    rows, wanted = current(frame), None if datasets is None else set(datasets)
    found, made = judged(rows, images), {}
    every = standings_of(found)
    for dataset, of_dataset in rows.groupby("dataset", sort=True):
        if wanted is None or dataset in wanted:
            table, name = every[every["dataset"] == dataset], slug(str(dataset))
            made[f"{name}.md"] = page(str(dataset), table, of_dataset, found)
            made[f"{name}.csv"] = _tidy(table)
    claims = ledger_of(found, rows, every)
    if claims["measured"].notna().any():
        made |= {"claims.md": f"{HEADER}\n\n{claims_page(claims)}", "claims.csv": claims_csv(claims)}
    return made


def write_pages(
    folder: Path, frame: pd.DataFrame, images: pd.DataFrame, datasets: Iterable[str] | None = None
) -> list[Path]:
    """Write `pages` into a folder, made if absent. Raises InputError if it cannot be written."""
    paths = []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, text in pages(frame, images, datasets).items():
            paths.append(Path(folder) / name)
            write_whole(paths[-1], text.encode())
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}; choose another folder") from error
    return paths


def publish(results: Path, folder: Path, datasets: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of a folder of results, by default of all datasets, and the ledger of claims; their paths.

    One process at a time reads results and writes pages, so that no older page takes the place of a newer one. Pages
    are made again if results changed meanwhile. Raises InputError if `folder` cannot be written.
    """
    wanted = None if datasets is None else list(datasets)
    with locked(Path(folder) / ".lock"):
        for _ in range(_ATTEMPTS):
            before = folders_of(results)
            paths = write_pages(folder, *load_with_evidence(results), wanted)
            if folders_of(results) == before:
                break
    return paths


def stale_pages(folder: Path, frame: pd.DataFrame, images: pd.DataFrame) -> list[str]:
    """Names of pages that are absent or differ from what the results make, and of generated pages without results."""
    made = pages(frame, images)
    stale = {name for name, text in made.items() if _text(Path(folder) / name) != text}
    for path in Path(folder).glob("*.md"):
        if path.name not in made and (_text(path) or "").startswith(HEADER):
            stale.add(path.name)
    return sorted(stale)


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _tidy(standings: pd.DataFrame) -> str:
    table = standings[_TIDY]
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.assign(**{name: table[name].map(inert) for name in texts})
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
