"""Runs that are killed before the n-th change they make to a file, for every n: no cell lost, doubled, unreadable.

Runs are forks of one process, in which everything is imported, so that a kill costs a fraction of a second.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import partbench
from partbench.cache.upkeep import cached_files
from partbench.leaderboard.build import publish, stale_pages
from partbench.leaderboard.sources import Sources
from partbench.results.folders import cell_paths
from partbench.results.store import load_results

PLUGIN = Path(__file__).parents[1] / "partbench" / "running" / "hostile_plugin.py"
TASKS = ("hostile_squares/multi:red", "hostile_squares/multi:blue")
SEEDS = (0,)
CELLS = len(TASKS) * len(SEEDS) * 3
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate", "os.rmdir", "shutil.rmtree")
KILLS = int(os.environ.get("PARTBENCH_SOAK_KILLS", "1000"))  # more than there are: every one
SAME = ["explainer", "task", "seed", "metric", "unit", "status", "value", "low", "high"]


class Changes:
    """Counts the changes that this process makes to files below a folder, and kills it before the n-th.

    Opening for writing, renaming, removing and making folders are audited by Python; fsync is wrapped, which falls
    between the writing of a file and its renaming.
    """

    def __init__(self, folder: Path, kill_at: int = 0, number: signal.Signals = signal.SIGKILL) -> None:
        self.folder, self.kill_at, self.number, self.count = str(folder), kill_at, number, 0

    def watch(self) -> None:
        sys.addaudithook(self._audited)
        fsync = os.fsync

        def counted(descriptor: int) -> None:
            self._changed()
            fsync(descriptor)

        os.fsync = counted  # type: ignore[assignment]

    def _audited(self, event: str, given: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = given
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and str(path).startswith(self.folder):
                self._changed()
        elif event in CHANGES and any(str(path).startswith(self.folder) for path in given):
            self._changed()

    def _changed(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), self.number)


def forked(act: Callable[[], None]) -> int:
    """The exit status of a fork of this process that acts, as `os.waitpid` gives it."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 1)
            os.dup2(null.fileno(), 2)
        act()
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def whole_run(folder: Path, changes: Changes, counted: Path | None = None) -> None:
    """Make all cells and their pages, as `bench run` does."""
    time.sleep = lambda seconds: None  # type: ignore[assignment]  # a second for every training
    os.environ["PARTBENCH_CACHE"] = str(folder / "cache")
    changes.watch()
    log = {"log": str(folder.parent / "trained")}
    partbench.run(PLUGIN, TASKS, seeds=SEEDS, results=folder / "results", options=log)
    publish(folder / "results", folder / "pages")
    if counted:
        counted.write_text(str(changes.count))


def values(folder: Path) -> pd.DataFrame:
    frame = load_results(folder / "results")[SAME].astype(object)
    return frame.sort_values(SAME[:5]).reset_index(drop=True)


def left_unfinished(folder: Path) -> list[str]:
    """Cells and pages under temporary names, which nothing will ever finish."""
    return [str(path) for part in ("results", "pages") for path in (folder / part).rglob("*.tmp")]


@pytest.mark.soak
def test_a_kill_before_any_change_to_a_file_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    partbench.run(PLUGIN, TASKS[0], options={"log": str(tmp_path / "trained")})  # forks find everything imported
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    counted = tmp_path / "counted"
    assert forked(lambda: whole_run(undisturbed, Changes(undisturbed), counted)) == 0
    points, expected = int(counted.read_text()), values(undisturbed)
    assert points > 10 * CELLS
    assert len(cell_paths(undisturbed / "results")) == CELLS
    every = [(point, number) for number in SIGNALS for point in range(1, points + 1)]
    chosen = every[:: max(1, len(every) // KILLS)]
    ended, unfinished = Counter[str](), Counter[str]()
    for point, number in chosen:
        folder = tmp_path / "killed"
        folder.mkdir()
        status = forked(lambda folder=folder, at=point, by=number: whole_run(folder, Changes(folder, at, by)))
        ended[f"{number.name}: {os.waitstatus_to_exitcode(status)}"] += 1
        before = {path.name: path.read_bytes() for path in cell_paths(folder / "results")}
        if before:
            assert "failed" not in set(load_results(folder / "results")["status"]), (point, number)
        monkeypatch.setenv("PARTBENCH_CACHE", str(folder / "cache"))
        assert not [item for item in cached_files(folder / "cache") if item.fault()], (point, number)
        assert forked(lambda folder=folder: whole_run(folder, Changes(folder))) == 0, (point, number)
        after = {path.name: path.read_bytes() for path in cell_paths(folder / "results")}
        assert len(after) == CELLS, (point, number)
        assert before.items() <= after.items(), f"a finished cell was made again after {number.name} at {point}"
        pd.testing.assert_frame_equal(values(folder), expected)
        assert stale_pages(folder / "pages", Sources.of(folder / "results"), {}) == []
        unfinished.update(Path(path).suffix for path in left_unfinished(folder))
        shutil.rmtree(folder)
    print(f"\n{len(chosen)} kills at {points} points: {dict(ended)}; files left unfinished: {dict(unfinished)}")
