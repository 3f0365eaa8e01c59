"""A cache of trained weights: safetensors files in the cache folder."""

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
from partbench.task import TrainingTask

Weights = dict[str, Tensor]


def training_identity(explainer: Any, task: TrainingTask, recipe: str) -> dict[str, Any]:
    """What determines the weights that an explainer learns on a task: its options, the data, the task and its seed.

    Change `recipe` when the same options no longer give the same weights.
    """
    options = {f.name: getattr(explainer, f.name) for f in dataclasses.fields(explainer) if f.init}
    data = task.fingerprint
    where = (task.name, task.version, task.seed, task.device.type)
    return {"recipe": recipe, "options": options, "data": data, "task": where}


def cached_weights(kind: str, identity: Mapping[str, Any], make: Callable[[], Weights]) -> Weights:
    """The cached weights of this kind and identity; if there are none, `make` trains them and they are cached first.

    `kind` names a folder of the cache. `identity` holds plain values that determine the weights, see
    `training_identity`. A file that cannot be read is made again. The file also says how long `make` took, see
    `training_seconds`.
    """
    path = _place(kind, identity)
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):
        started = time.perf_counter()
        weights = make()
        write_weights(weights, path, time.perf_counter() - started)
        return load_file(path)


def training_seconds(kind: str, identity: Mapping[str, Any]) -> float | None:
    """Seconds that training the cached weights took; None where there are none, or where their file does not say."""
    try:
        with safe_open(_place(kind, identity), "pt") as file:
            seconds = (file.metadata() or {}).get("seconds")
    except (FileNotFoundError, SafetensorError):
        return None
    return None if seconds is None else float(seconds)


def write_weights(weights: Weights, path: Path, seconds: float | None = None) -> None:
    """Write safetensors under a temporary name, then rename, so that no half-written file is ever read.

    `seconds`: how long the training took, written into the file's metadata.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        metadata = None if seconds is None else {"seconds": f"{seconds:.3f}"}
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, temporary, metadata)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _place(kind: str, identity: Mapping[str, Any]) -> Path:
    text = json.dumps(identity, sort_keys=True)
    return cache_folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"
