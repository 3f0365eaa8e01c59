"""Reading MATLAB files in another process, which a damaged file may crash, hang or fill without harm to this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

from partbench import InputError
from partbench.datasets.matlab.remembered import remembered

MODULE = "partbench.datasets.matlab.worker"
ROOT = Path(__file__).resolve().parents[3]  # the folder that holds partbench
LIMIT = 120.0  # seconds that one answer may take; published files take less than one


@dataclass(frozen=True)
class MatFile:
    """A .mat file and the process that reads it; what is wrong with the file is an InputError naming it.

    `cached`: numbers are read once, and then from the cache; for files of thousands of objects, which take a second.
    """

    path: Path
    content: bytes
    process: MatlabProcess
    cached: bool = False

    def values(self, variable: str, field: str) -> list[Float[ndarray, "r c"]]:
        """`variable(i).field` for every i, in MATLAB's shape; (0, 0) where empty; text is read as a number."""
        return self.process.arrays(self, "values", variable, field)

    def texts(self, *path: str | int) -> list[str]:
        """The texts at a path of fields by name and elements by number, as "anno", "objects", 0, "class".

        Of elements of a struct array that the path does not number, all are read: those of an outer one in turn.
        """
        texts: list[str] = self.process.ask(self, "texts", path)[0]["texts"]
        return texts

    def planes(self, *path: str | int) -> list[UInt8[ndarray, "r c"]]:
        """The arrays at a path (see `texts`), as 0 and 1, which tells zeros from other values."""
        return self.process.arrays(self, "planes", path)

    def nested(self, variable: str, path: str, names: Sequence[str]) -> list[list[Float[ndarray, "r c"]]]:
        """`variable(i).a.b.name` for every i and every name, `path` being "a/b"; of struct arrays the first."""
        found, width = self.process.arrays(self, "nested", variable, path, list(names)), len(names)
        return [found[start : start + width] for start in range(0, len(found), width)]

    def layer(self, name: str) -> list[Float[ndarray, "r c"]]:
        """Of a layer of a MatConvNet network: filters (h * w * in, out), their shape, biases, pad, stride, param."""
        return self.process.arrays(self, "layer", name)

    def average_image(self) -> list[Float[ndarray, "r c"]]:
        """What a MatConvNet network subtracts of RGB in [0, 255], (h * w, 3), and its height and width."""
        return self.process.arrays(self, "average_image")


class MatlabProcess:
    """Reads MATLAB files one after another; a context, at whose end the process ends. It starts with the first file.

    It imports nothing of the caller, so that no `__main__` guard is needed, and is no fork of it.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self.limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self._file: MatFile | None = None

    def __enter__(self) -> MatlabProcess:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self, patience: float = 0.0) -> int:
        """Kill the process, unless it ends by itself within some seconds; its exit code, negative for a signal."""
        process, self._process, self._file = self._process, None, None
        if process is None:
            return 0
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        return process.wait()

    def arrays(self, file: MatFile, method: str, *arguments: Any) -> list[Shaped[ndarray, "r c"]]:
        """The arrays that a method of `encodings.MatContent` gives of a file. Raises InputError naming the file."""
        call = [method, *arguments]
        if file.cached:
            return _unpacked(remembered(file.content, call, lambda: self.ask(file, *call)[1]))
        return _unpacked(self.ask(file, *call)[1])

    def ask(self, file: MatFile, method: str, *arguments: Any) -> tuple[dict[str, Any], bytes]:
        """What `worker.answer` gives for a method of `encodings.MatContent`. Raises InputError naming the file."""
        if self._process is None:
            self._process = _started()
        timer = threading.Timer(self.limit, self._process.kill)
        timer.start()
        try:
            head, data = self._answer(self._process, file, [method, *arguments])
        except (OSError, ValueError):  # the process has ended before or within its answer
            late = not timer.is_alive()
            raise self._ended(file, late) from None
        except BaseException:  # an interrupt between question and answer
            self.end()
            raise
        finally:
            timer.cancel()
        if "refused" in head:
            raise InputError(f"{file.path} {head['refused']}; copy it again")
        if "broken" in head:
            raise InputError(f"cannot read {file.path}, it may be truncated; copy it again ({head['broken']})")
        return head, data

    def _answer(self, process: subprocess.Popen[bytes], file: MatFile, call: list[Any]) -> tuple[dict[str, Any], bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        if self._file is not file:
            process.stdin.write(json.dumps({"bytes": len(file.content)}).encode() + b"\n" + file.content)
            self._file = file
        process.stdin.write(json.dumps(call).encode() + b"\n")
        process.stdin.flush()
        head = json.loads(process.stdout.readline())
        length = head.get("bytes", 0)
        data = process.stdout.read(length)
        if len(data) < length:
            raise ValueError("the answer is not whole")
        return head, data

    def _ended(self, file: MatFile, late: bool) -> InputError:
        code = self.end(patience=5)
        if late:
            return InputError(f"reading {file.path} took over {self.limit:.0f} s; copy it again")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return InputError(f"{file.path} ended the process that read it ({how}), it is damaged; copy it again")


def _started() -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # -P: a file of the current folder must not take the place of a library
    command = [sys.executable, "-P", "-m", MODULE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, **pipes)  # type: ignore[call-overload]


def _unpacked(data: bytes) -> list[Shaped[ndarray, "r c"]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        shapes, numbers = arrays["shapes"], arrays["numbers"]
    ends = shapes.prod(axis=1).cumsum()
    pieces = np.split(numbers, ends[:-1]) if len(shapes) else []
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes.tolist(), strict=True)]
