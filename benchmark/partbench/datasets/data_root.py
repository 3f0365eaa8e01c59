"""The folder of a dataset as the user names it."""

from __future__ import annotations

from pathlib import Path

from partbench import InputError


def given_root(dataset: str, root: Path | None, wanted: str) -> Path:
    """The folder, if one is named and is there; `wanted` says in words what to name. Raises InputError otherwise."""
    if root is None:
        raise InputError(f"{dataset} needs --data-root DIR or `bench data add {dataset} DIR`, {wanted}")
    if not root.is_dir():
        raise InputError(f"no folder {root}; name {wanted}")
    return root
