"""Numbers of .mat files from the cache: to read thousands of objects takes MATLAB's libraries seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from partbench import CacheItem

KIND = "matlab"
VERSION = 1  # to be raised when `encodings` reads other numbers from the same file


def remembered(content: bytes, call: Sequence[Any], read: Callable[[], bytes]) -> bytes:
    """The answer to a call of a method of `MatContent` for these bytes: from the cache, else read now.

    What `read` raises, as of a damaged file, is not remembered.
    """
    key = hashlib.sha256(json.dumps([VERSION, *call]).encode() + b"\0" + content).hexdigest()[:32]
    item = CacheItem(KIND, key, ".npz")
    return item.once(Path.read_bytes, lambda: _written(item, read()))


def _written(item: CacheItem, data: bytes) -> Path:
    return item.write(lambda file: file.write(data))
