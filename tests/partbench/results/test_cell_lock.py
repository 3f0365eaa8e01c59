from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from planted_cells import cell

from partbench.errors import InputError
from partbench.results.cell_lock import cell_lock, locked
from partbench.results.store import finished, load_results

HERE = str(Path(__file__).parent)
HOLDS = f"""
import sys, time
sys.path.insert(0, {HERE!r})
from pathlib import Path
from planted_cells import cell
from partbench.results.cell_lock import cell_lock
with cell_lock(Path(sys.argv[1]), cell()) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of a cell."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def test_a_cell_is_locked_once_at_a_time(tmp_path: Path) -> None:
    with (
        cell_lock(tmp_path, cell()) as one,
        cell_lock(tmp_path, cell()) as two,
        cell_lock(tmp_path, cell(seed=1)) as three,
    ):
        assert (one, two, three) == (True, False, True)
    with cell_lock(tmp_path, cell()) as again:
        assert again


def test_a_lock_is_freed_by_an_error_inside_of_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), cell_lock(tmp_path, cell()):
        raise KeyError
    with cell_lock(tmp_path, cell()) as mine:
        assert mine


def test_a_killed_process_frees_its_lock(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with cell_lock(tmp_path, cell()) as mine:
        assert not mine
    other.kill()
    other.wait()
    with cell_lock(tmp_path, cell()) as mine:
        assert mine


def test_a_lock_waits_for_the_other_run_if_asked(tmp_path: Path) -> None:
    code = HOLDS.replace("time.sleep(60)", "time.sleep(0.5)")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    started = time.monotonic()
    with cell_lock(tmp_path, cell(), wait=True) as mine:
        assert mine
    assert time.monotonic() - started > 0.2
    assert process.wait() == 0


def test_temporary_files_of_killed_runs_of_the_cell_are_removed(tmp_path: Path) -> None:
    path, other = cell().path(tmp_path), cell(seed=1).path(tmp_path)
    path.parent.mkdir(parents=True)
    for name in (path.name, other.name):
        (path.parent / f".{name}.{'0' * 32}.tmp").write_text("half of a ce")
    with cell_lock(tmp_path, cell()):
        assert [left.name for left in path.parent.iterdir()] == [f".{other.name}.{'0' * 32}.tmp"]


def test_a_folder_that_cannot_hold_a_lock_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot lock"), locked(tmp_path / "file" / "lock"):
        pass


RUNS = f"""
import sys, time
sys.path.insert(0, {HERE!r})
from pathlib import Path
from planted_cells import cell, rows
from partbench.results.cell_lock import cell_lock
from partbench.results.store import finished, write_cell
folder, cells = Path(sys.argv[1]), [cell(seed=seed) for seed in range(int(sys.argv[2]))]
for wait in (False, True):
    for one in cells:
        with cell_lock(folder, one, wait) as mine:
            if mine and not finished(folder, one):
                print(one.seed, flush=True)
                time.sleep(0.01)
                write_cell(folder, rows([float(one.seed)] * 50), one)
"""


def runs_at_once(folder: Path, cells: int, kills: int, seed: int = 0) -> list[list[int]]:
    """The cells that each of several runs began; `kills` of them were killed, the last two ended by themselves."""
    words = [sys.executable, "-c", RUNS, str(folder), str(cells)]
    started = random.Random(seed)
    killed = []
    for _ in range(kills):
        killed.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        assert killed[-1].stdout
        killed[-1].stdout.readline()
        time.sleep(started.uniform(0, 0.1))
        killed[-1].kill()
    whole = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in (*killed, *whole)]
    assert [process.returncode for process in whole] == [0, 0]
    return [list(map(int, output.split())) for output in outputs]


def test_two_runs_at_once_do_no_cell_twice(tmp_path: Path) -> None:
    one, two = runs_at_once(tmp_path, cells=40, kills=0)
    assert sorted(one + two) == list(range(40))
    assert one
    assert two


@pytest.mark.parametrize("kills", [3, pytest.param(150, marks=pytest.mark.soak)])
def test_killed_runs_lose_and_double_no_cell(tmp_path: Path, kills: int) -> None:
    cells = 40 if kills < 10 else 1000
    *_, one, two = runs_at_once(tmp_path, cells, kills)
    assert not set(one) & set(two)
    frame = load_results(tmp_path)
    assert sorted(frame["seed"]) == list(range(cells))
    assert (frame["value"] == frame["seed"].astype(float)).all()
    assert all(finished(tmp_path, cell(seed=seed)) for seed in range(cells))
    assert list(tmp_path.rglob("*.tmp")) == []
