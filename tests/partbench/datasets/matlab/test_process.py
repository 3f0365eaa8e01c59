from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_folder import WRITERS, bndbox, column

from partbench import InputError
from partbench.datasets.matlab.encodings import MatContent
from partbench.datasets.matlab.process import MatFile, MatlabProcess

ROWS = [{"centre": column((1.5, 2.5)), "obj": bndbox((1, 2, 3, 4))}, {"centre": column(), "obj": bndbox((5, 6, 7, 8))}]


@pytest.fixture(scope="module", params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mat") / "truth.mat"
    WRITERS[request.param](path, "truth", ROWS)
    return path


def test_the_process_gives_the_arrays_that_the_reader_gives(written: Path) -> None:
    content = written.read_bytes()
    with MatlabProcess() as process:
        file = MatFile(written, content, process)
        centres, boxes = file.values("truth", "centre"), file.nested("truth", "obj/bndbox", ["xmin", "ymax"])
    for found, right in zip(centres, MatContent(content).values("truth", "centre"), strict=True):
        np.testing.assert_array_equal(found, right)
        assert found.shape == right.shape
    assert [[value.item() for value in row] for row in boxes] == [[1, 4], [5, 8]]


def test_files_may_be_asked_in_turn(tmp_path: Path) -> None:
    paths = [tmp_path / "a.mat", tmp_path / "b.mat"]
    for value, path in enumerate(paths):
        WRITERS["v5"](path, "truth", [{"a": float(value)}])
    with MatlabProcess() as process:
        files = [MatFile(path, path.read_bytes(), process) for path in paths]
        assert [files[i].values("truth", "a")[0].item() for i in (0, 1, 0)] == [0, 1, 0]


@pytest.mark.parametrize("ended", [signal.SIGSEGV, signal.SIGKILL])
def test_a_process_that_dies_is_an_error_that_names_the_file(written: Path, ended: signal.Signals) -> None:
    with MatlabProcess() as process:
        file = MatFile(written, written.read_bytes(), process)
        file.values("truth", "centre")
        assert process._process is not None
        os.kill(process._process.pid, ended)
        process._process.wait()
        with pytest.raises(InputError, match=rf"truth.mat ended the process that read it \(signal {ended.value}\)"):
            file.values("truth", "centre")
        assert len(file.values("truth", "centre")) == 2  # by a new process


def test_a_process_that_hangs_is_ended_at_the_limit(written: Path) -> None:
    with MatlabProcess(limit=0.5) as process:
        file = MatFile(written, written.read_bytes(), process)
        process.limit = 60
        file.values("truth", "centre")
        process.limit = 0.5
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(InputError, match=r"reading .*truth.mat took over 0 s; copy it again"):
            file.values("truth", "centre")
        assert time.monotonic() - started < 30


def test_the_process_ends_with_the_context(written: Path) -> None:
    with MatlabProcess() as process:
        MatFile(written, written.read_bytes(), process).values("truth", "centre")
        started = process._process
        assert started is not None
        assert started.poll() is None
    assert started.poll() is not None


SCRIPT = """
import sys
from pathlib import Path
from partbench.datasets.matlab.process import MatFile, MatlabProcess
path = Path(sys.argv[1])
with MatlabProcess() as process:
    print(len(MatFile(path, path.read_bytes(), process).values("truth", "centre")))
"""


def test_a_script_without_a_main_guard_may_read(written: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "numpy.py").write_text("1 / 0")  # of the working folder, which the process must not import
    command = [sys.executable, "-P", str(tmp_path / "script.py"), str(written)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("2\n", "")
