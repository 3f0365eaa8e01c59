"""The cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where partbench keeps what it can recompute: $PARTBENCH_CACHE, else the user's cache folder."""
    if given := os.environ.get("PARTBENCH_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("partbench"))
