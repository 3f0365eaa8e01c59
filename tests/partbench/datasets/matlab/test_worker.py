from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_folder import WRITERS, column

from partbench.datasets.matlab.encodings import MatContent
from partbench.datasets.matlab.worker import MOST_SECONDS, answer, serve

SCRIPT = """
import sys
from pathlib import Path
from partbench.datasets.matlab import worker
from partbench.datasets.matlab.encodings import MatContent
content = Path(sys.argv[1]).read_bytes()
import scipy.io
worker.MOST_MEMORY = int(sys.argv[2])
worker.limit_memory()
print(worker.answer(MatContent(content), "values", "truth", "centre")[0])
"""


def bomb(size: int) -> bytes:
    """A v5 file with one compressed element that unpacks to `size` zeros."""
    packer = zlib.compressobj(9)
    packed = packer.compress(struct.pack("<II", 14, size)) + packer.compress(bytes(size)) + packer.flush()
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no limit of memory")
def test_a_small_file_that_unpacks_beyond_the_limit_of_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mat"
    path.write_bytes(bomb(1 << 28))
    command = [sys.executable, "-c", SCRIPT, str(path)]
    found = subprocess.run([*command, str(1 << 26)], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("{'broken': 'MemoryError")


def test_what_the_libraries_raise_is_told_in_one_line() -> None:
    head, data = answer(MatContent(bytes(124) + b"\0\1IM" + b"\xff" * 100), "values", "truth", "centre")
    assert list(head) == ["broken"]
    assert "\n" not in str(head["broken"])
    assert data == b""


def test_each_call_is_answered_for_the_file_before_it(tmp_path: Path) -> None:
    WRITERS["v5"](tmp_path / "a.mat", "truth", [{"a": column((1.0, 2.0))}])
    content, answers = (tmp_path / "a.mat").read_bytes(), io.BytesIO()
    calls = [json.dumps(["values", "truth", name]).encode() + b"\n" for name in ("a", "b", "a")]
    serve(io.BytesIO(json.dumps({"bytes": len(content)}).encode() + b"\n" + content + b"".join(calls)), answers)
    answers.seek(0)
    found = []
    while line := answers.readline():
        found.append(json.loads(line))
        answers.read(found[-1].get("bytes", 0))
    assert found[1] == {"refused": "has no truth(i).b"}
    assert found[0] == found[2]


def test_a_file_may_take_as_long_after_ten_thousand_others(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_CPU)
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_utime=5000.0, ru_stime=20.0))
    try:
        serve(io.BytesIO(b'{"bytes": 0}\n'), io.BytesIO())
        assert resource.getrlimit(resource.RLIMIT_CPU) == (5020 + MOST_SECONDS, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, before)
