from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from planted_cells import cell

from partbench.errors import InputError
from partbench.results.claims import claim, locked

HERE = str(Path(__file__).parent)
HOLDS = f"""
import sys, time
sys.path.insert(0, {HERE!r})
from pathlib import Path
from planted_cells import cell
from partbench.results.claims import claim
with claim(Path(sys.argv[1]), cell()) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the claim on a cell."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def test_a_cell_is_claimed_once_at_a_time(tmp_path: Path) -> None:
    with claim(tmp_path, cell()) as one, claim(tmp_path, cell()) as two, claim(tmp_path, cell(seed=1)) as three:
        assert (one, two, three) == (True, False, True)
    with claim(tmp_path, cell()) as again:
        assert again


def test_a_claim_ends_with_an_error_inside_of_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), claim(tmp_path, cell()):
        raise KeyError
    with claim(tmp_path, cell()) as mine:
        assert mine


def test_a_killed_process_frees_its_claim(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with claim(tmp_path, cell()) as mine:
        assert not mine
    other.kill()
    other.wait()
    with claim(tmp_path, cell()) as mine:
        assert mine


def test_a_claim_waits_for_the_other_run_if_asked(tmp_path: Path) -> None:
    code = HOLDS.replace("time.sleep(60)", "time.sleep(0.5)")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    started = time.monotonic()
    with claim(tmp_path, cell(), wait=True) as mine:
        assert mine
    assert time.monotonic() - started > 0.2
    assert process.wait() == 0


def test_temporary_files_of_killed_runs_of_the_cell_are_removed(tmp_path: Path) -> None:
    path, other = cell().path(tmp_path), cell(seed=1).path(tmp_path)
    path.parent.mkdir(parents=True)
    for name in (path.name, other.name):
        (path.parent / f".{name}.{'0' * 32}.tmp").write_text("half of a ce")
    with claim(tmp_path, cell()):
        assert [left.name for left in path.parent.iterdir()] == [f".{other.name}.{'0' * 32}.tmp"]


def test_a_folder_that_cannot_hold_a_lock_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot lock"), locked(tmp_path / "file" / "lock"):
        pass
