"""Write the reference cells that come with the package, from results/ and planted/.

    python scripts/reference_cells.py [--data-root FOLDER]

To be run when results/ are made anew. `bench run` and `bench compare` compare a user's results with these cells. They
are the cells that pages show of explainers with default options and of floors, in all metrics with a direction and
without '@', but for those of SAMPLED and LEFT_OUT and further seeds of ONE_SEED. A cell's key holds a hash of its data
and performer; their fingerprint is stored, so that it can be told whether another cell is of the same data. Tasks whose
fingerprint is not known yet are opened, those of photographs under FOLDER. A list of all published tasks stands beside
them, for what `bench submit` says of boards.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import pandas as pd

from partbench.leaderboard.current import current
from partbench.leaderboard.metric_cards.card import Cards
from partbench.leaderboard.sources import Sources
from partbench.results.reference.cells import (
    FINGERPRINT,
    FOLDER,
    KEPT,
    TASKS_FILE,
    Reference,
    of_data,
    write_reference,
)
from partbench.results.schema import TEXTS
from partbench.results.store import OF_BOARDS, load_evidence, load_results

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLED = ("cub",)  # a few photographs of a published dataset: cells that fit nobody's folder
LEFT_OUT = ("resnet18_fauna", "lite0", "lite1")  # one that nobody else has, two so that the files stay small
ONE_SEED = ("fauna_species", "fauna_scenes")  # of which one seed is kept, so that the files stay small
MOST = 5 * 2**20  # bytes that the reference cells may add to the wheel


def main() -> None:
    """Write the files, and print what is in them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-root", type=Path, help="the folder of photographs, for tasks that are not known yet")
    root = parser.parse_args().data_root
    sources, results = Sources.of(REPOSITORY / "results"), load_results(REPOSITORY / "results")
    (FOLDER / TASKS_FILE).write_text(published_tasks(results))
    rows = chosen(results)
    known = known_fingerprints()
    known |= {task: opened(task, root) for task in sorted(set(rows["task"])) if not fits(rows, task, known.get(task))}
    if wrong := [task for task in sorted(set(rows["task"])) if not fits(rows, task, known[task])]:
        sys.exit(f"results of {', '.join(wrong)} are of other data or performers than those of this machine")
    size = make(FOLDER, sources, rows, known)
    if size > MOST:
        sys.exit(f"{size / 2**20:.1f} MB, expected at most {MOST / 2**20:.0f} MB; leave some cells out in `chosen`")
    print(f"{rows['cell'].nunique()} cells, {rows['task'].nunique()} tasks, {size / 2**20:.2f} MB in {FOLDER}")


def make(folder: Path, sources: Sources, rows: pd.DataFrame, known: dict[str, str]) -> int:
    """Write the files into a folder, given the fingerprint of each task; their size in bytes."""
    verdicts = Cards(sources).verdicts
    images = load_evidence(REPOSITORY / "results", columns=OF_BOARDS)
    return write_reference(folder, rows.assign(**{FINGERPRINT: rows["task"].map(known)}), images, verdicts)


def chosen(results: pd.DataFrame) -> pd.DataFrame:
    """The aggregate rows of the reference cells, as the pages show them, of the rows of `load_results`."""
    rows = current(results)
    rows = rows[(rows["variant"] == "") & rows["scored"] & rows["higher_is_better"].notna()]
    rows = rows[~rows["metric"].str.contains("@") & ~rows["dataset"].isin(SAMPLED)]
    rows = rows[~rows["performer"].isin(LEFT_OUT)]
    rows = rows[(rows["seed"] == 0) | ~rows["dataset"].isin(ONE_SEED)]
    return rows[list(KEPT)].astype({name: object for name in TEXTS if name in KEPT}).reindex(columns=list(KEPT))


def published_tasks(results: pd.DataFrame) -> str:
    """All tasks of which pages show results, a line each, those too whose cells do not come with the package."""
    return "".join(f"{task}\n" for task in sorted(set(current(results)["task"])))


def fits(rows: pd.DataFrame, task: str, fingerprint: str | None) -> bool:
    """Whether all cells of a task are of data and a performer with this fingerprint."""
    cells = rows[rows["task"] == task].drop_duplicates("cell")
    return fingerprint is not None and all(of_data(row, fingerprint) for row in cells.itertuples())


def known_fingerprints() -> dict[str, str]:
    """Those of the tasks in the present files, if there are any."""
    try:
        rows = Reference.load().rows
    except OSError:
        return {}
    return dict(zip(rows["task"], rows[FINGERPRINT], strict=True))


def opened(task: str, root: Path | None) -> str:
    """The fingerprint of the data and the performer of a task, as in the key of a cell (`running.jobs`)."""
    from partbench import open_task

    found = open_task(task, data_root=root)
    splits = [found.dataset.train.fingerprint, found.dataset.test.fingerprint, found.performer.fingerprint]
    return hashlib.sha256("|".join(splits).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
