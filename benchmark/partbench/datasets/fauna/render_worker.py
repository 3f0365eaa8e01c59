"""A rendering process: `python -m partbench.datasets.fauna.render_worker PARENT`, started by `render_pool`.

It reads jobs from stdin, one line of JSON each, and answers each on stdout with 8 bytes, the length (little-endian),
and that many bytes of an npz file: the fields of the samples, stacked. It ends when stdin does, and within a second of
the end of the process PARENT.
"""

from __future__ import annotations

import io
import json
import os
import pkgutil
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

import cv2
import numpy as np

from .render import render, stack


def answer(job: dict[str, Any]) -> bytes:
    """The samples of a job, {"seed", "indices", "size", "without", "scene_of"}, as an npz file."""
    scene_of = pkgutil.resolve_name(job["scene_of"])
    without = tuple(job["without"])
    samples = [render(job["seed"], index, job["size"], without, scene_of) for index in job["indices"]]
    file = io.BytesIO()
    np.savez(file, **stack(samples))  # type: ignore[arg-type]
    return file.getvalue()


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line of `jobs` until there are no more."""
    for line in jobs:
        data = answer(json.loads(line))
        answers.write(len(data).to_bytes(8, "little") + data)
        answers.flush()


def end_with(parent: int) -> None:
    """End this process when `parent` is no longer its parent: whoever still holds the pipe must not keep it alive."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve the process whose id is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends its workers
    cv2.setNumThreads(1)  # the workers are as many as the cores
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(1)  # the parent is gone; at exit Python would try to flush again, and complain


if __name__ == "__main__":
    main()
