"""Symbolic links in the folder of a dataset, which must not lead out of it."""

from __future__ import annotations

import os
from pathlib import Path

from partbench import InputError


def check_link(path: Path, base: Path) -> None:
    """Raise InputError for a link that leads out of the folder `base` or to nothing."""
    target, base = Path(os.path.realpath(path)), base.resolve()  # Path.resolve raises RuntimeError for a loop
    if not target.is_relative_to(base) or not target.exists():
        raise InputError(f"{path} is a link to {target}, expected a file in {base}; copy the file itself")
