"""Networks that took long to train, kept as safetensors in the cache folder and used again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from partbench.activations import cache_folder

Weights = dict[str, Tensor]


def kept_weights(kind: str, identity: Mapping[str, Any], make: Callable[[], Weights]) -> Weights:
    """The weights kept for `identity` (plain values that determine them), made and kept first if there are none.

    A file that cannot be read is made again.
    """
    text = json.dumps(identity, sort_keys=True)
    path = cache_folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):
        write_weights(make(), path)
        return load_file(path)


def write_weights(weights: Weights, path: Path) -> None:
    """Write safetensors under a temporary name, then rename: no half-written file is ever read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, temporary)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
