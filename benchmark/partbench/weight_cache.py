"""A cache of trained weights: safetensors files in the cache folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from partbench.cache.item import CacheItem, DamagedItem, check
from partbench.cache.lock import Progress
from partbench.training_task import TrainingTask

Weights = dict[str, Tensor]
SUFFIX = ".safetensors"
_folder: ContextVar[Path | None] = ContextVar("folder", default=None)
_allowed: ContextVar[bool] = ContextVar("allowed", default=True)


class WeightsAbsent(Exception):
    """Trained weights are not in the cache, and none are to be trained."""


@contextmanager
def weights_in(folder: Path | None) -> Iterator[None]:
    """Meanwhile, weights are read from and written to this folder instead of the cache; None: the cache as usual."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


@contextmanager
def training_allowed(allowed: bool) -> Iterator[None]:
    """Meanwhile, `cached_weights` trains what is not in the cache, or raises WeightsAbsent."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def training_identity(explainer: Any, task: TrainingTask, recipe: str) -> dict[str, Any]:
    """What determines the weights that an explainer learns on a task: its options, the data, the task and its seed.

    Change `recipe` when the same options no longer give the same weights.
    """
    options = {f.name: getattr(explainer, f.name) for f in dataclasses.fields(explainer) if f.init}
    data = task.fingerprint
    where = (task.name, task.version, task.seed, task.device.type)
    return {"recipe": recipe, "options": options, "data": data, "task": where}


def cached_weights(
    kind: str, identity: Mapping[str, Any] | str, make: Callable[[], Weights], progress: Progress | None = None
) -> Weights:
    """The cached weights of this kind and identity; if there are none, `make` trains them and they are cached first.

    `kind` names a folder of the cache. `identity` holds plain values that determine the weights, see
    `training_identity`; a text is the name of the file. A damaged file is made again, with a warning. Of several
    processes one trains and the others wait; `progress` is told of a long wait. The file also says how long `make`
    took, see `training_seconds`. Raises what `make` raises, OSError where the cache cannot be written, and
    WeightsAbsent where there are none and `training_allowed` forbids training.
    """
    item = _item(kind, identity)

    def made() -> Path:
        if not _allowed.get():
            raise WeightsAbsent("its trained weights are not in the cache")
        started = time.perf_counter()
        weights = {name: value.detach().cpu().contiguous() for name, value in make().items()}
        data = save(weights, {"seconds": f"{time.perf_counter() - started:.3f}"})
        return item.write(lambda file: file.write(data))

    return item.once(_load, made, progress)


def training_seconds(kind: str, identity: Mapping[str, Any] | str) -> float | None:
    """Seconds that training the cached weights took; None where there are none, or where their file does not say."""
    item = _item(kind, identity)
    for path in item.files():
        try:
            check(path, item.identity)
            seconds = _metadata(path).get("seconds")
        except (DamagedItem, FileNotFoundError):
            continue
        return None if seconds is None else float(seconds)
    return None


def _item(kind: str, identity: Mapping[str, Any] | str) -> CacheItem:
    if isinstance(identity, str):
        return CacheItem(kind, identity, SUFFIX, _folder.get())
    text = json.dumps(identity, sort_keys=True)
    return CacheItem(kind, hashlib.sha256(text.encode()).hexdigest()[:24], SUFFIX, _folder.get())


def _load(path: Path) -> Weights:
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file: its first 8 bytes are the length of a JSON header."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return dict(header.get("__metadata__", {}))
