"""A process that reads MATLAB files: `python -m partbench.datasets.matlab.worker`, started by `process`.

It reads requests from stdin, one line of JSON each. {"bytes": n} is followed by the n bytes of a file, which takes the
place of the one before; [method, *arguments] calls a method of `MatContent`. Each call is answered on stdout by a line
of JSON: {"bytes": n} and n bytes of an npz file, the arrays' `shapes` (a, 2) and their `numbers` one after another;
{"texts": [...]}; {"refused": why} for content that is not as expected; {"broken": why} for what the libraries raise of
damaged bytes. The process ends when stdin does, or by the system when one file has taken `MOST_SECONDS` of CPU time.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from partbench.datasets.matlab.encodings import MatContent, Refused

METHODS = ("values", "nested", "texts", "planes", "layer", "average_image")
MOST_MEMORY = 2 << 30  # bytes beyond those at the start: a small file may declare, or unpack to, any size
MOST_SECONDS = 900


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer the calls until there are no more requests."""
    file = MatContent(b"")
    for line in requests:
        request = json.loads(line)
        if isinstance(request, dict):
            limit_time()
            file = MatContent(requests.read(request["bytes"]))
            continue
        head, data = answer(file, *request)
        answers.write(json.dumps(head).encode() + b"\n" + data)
        answers.flush()


def answer(file: MatContent, method: str, *arguments: Any) -> tuple[dict[str, object], bytes]:
    """The head of an answer and the bytes that follow it."""
    assert method in METHODS, method
    try:
        found = getattr(file, method)(*arguments)
        if method == "texts":
            return {"texts": found}, b""
        data = packed(found)
    except Refused as error:
        return {"refused": _line(str(error))}, b""
    except Exception as error:  # a broken file surfaces as almost any exception of the two libraries
        return {"broken": _line(f"{type(error).__name__}: {error}")}, b""
    return {"bytes": len(data)}, data


def packed(arrays: Sequence[Shaped[ndarray, "r c"]]) -> bytes:
    """Arrays of two axes and one type as an npz file."""
    file = io.BytesIO()
    shapes = np.array([array.shape for array in arrays], np.int64).reshape(-1, 2)
    kind = np.result_type(*arrays) if arrays else np.dtype(float)  # weights in single precision stay so
    np.savez(file, shapes=shapes, numbers=np.concatenate([np.empty(0, kind), *(array.ravel() for array in arrays)]))
    return file.getvalue()


def limit_time() -> None:
    """Limit the CPU time from now on, where the system can: thousands of files together may take any."""
    with suppress(ImportError, OSError, ValueError):  # Windows; a lower limit of whoever started the process
        import resource

        used, (_, most) = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + MOST_SECONDS, most))


def limit_memory() -> None:
    """Limit the memory, where the system can, and write no core files."""
    with suppress(ImportError, OSError, ValueError):  # Windows; macOS, which has no limit of memory
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Serve the process that holds the other ends of stdin and stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    limit_memory()
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # no destructors over what a damaged file may have left in memory


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


if __name__ == "__main__":
    main()
