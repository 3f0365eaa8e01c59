"""Networks that took long to train, kept as safetensors in the cache folder and used again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from partbench.cache import cache_folder
from partbench.task import Task

Weights = dict[str, Tensor]


def identity_of(explainer: Any, task: Task, recipe: str) -> dict[str, Any]:
    """What determines the weights that an explainer learns on a task: its options, the data, the task and its seed.

    `recipe` is to change when the same options no longer give the same weights.
    """
    options = {f.name: getattr(explainer, f.name) for f in dataclasses.fields(explainer) if f.init}
    data = (task.dataset.train.fingerprint, task.performer.fingerprint)
    where = (task.name, task.version, task.seed, task.device.type)
    return {"recipe": recipe, "options": options, "data": data, "task": where}


def kept_weights(kind: str, identity: Mapping[str, Any], make: Callable[[], Weights]) -> Weights:
    """The weights kept for `identity` (plain values that determine them), made and kept first if there are none.

    A file that cannot be read is made again. How long the making took is kept with them, see `kept_seconds`.
    """
    path = _place(kind, identity)
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):
        started = time.perf_counter()
        weights = make()
        write_weights(weights, path, time.perf_counter() - started)
        return load_file(path)


def kept_seconds(kind: str, identity: Mapping[str, Any]) -> float | None:
    """Seconds that the making of the weights kept for `identity` took; None where that is not known."""
    try:
        with safe_open(_place(kind, identity), "pt") as file:
            told = (file.metadata() or {}).get("seconds")
    except (FileNotFoundError, SafetensorError):
        return None
    return None if told is None else float(told)


def write_weights(weights: Weights, path: Path, seconds: float | None = None) -> None:
    """Write safetensors under a temporary name, then rename: no half-written file is ever read.

    `seconds` is how long their making took.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        told = None if seconds is None else {"seconds": f"{seconds:.3f}"}
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, temporary, told)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _place(kind: str, identity: Mapping[str, Any]) -> Path:
    text = json.dumps(identity, sort_keys=True)
    return cache_folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"
