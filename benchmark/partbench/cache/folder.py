"""The cache folder."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from partbench.errors import InputError

ADVICE = "set PARTBENCH_CACHE to the absolute path of a folder, or unset it"


def cache_folder() -> Path:
    """The folder of all that partbench can compute again: $PARTBENCH_CACHE, else the user's cache folder.

    Raises InputError if the variable is empty or a relative path, which would name another folder for each process with
    another working directory.
    """
    given = os.environ.get("PARTBENCH_CACHE")
    if given is None:
        import platformdirs

        return Path(platformdirs.user_cache_dir("partbench"))
    if not given.strip():
        raise InputError(f"PARTBENCH_CACHE is empty; {ADVICE}")
    if not Path(given).is_absolute():
        raise InputError(f"PARTBENCH_CACHE is '{given}', a relative path; {ADVICE}")
    return Path(given)


def check_cache_writable() -> Path:
    """The cache folder, which is made if there is none. Raises InputError if nothing can be written to it."""
    folder = cache_folder()
    probe = folder / f".{uuid.uuid4().hex}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"partbench")  # some bytes: a full disk still makes empty files
    except OSError as error:
        advice = ADVICE if "PARTBENCH_CACHE" in os.environ else ADVICE.removesuffix(", or unset it")
        raise InputError(f"cannot write to the cache folder {folder}: {error.strerror}; {advice}") from error
    finally:
        _discard(probe)
    return folder


def _discard(probe: Path) -> None:
    try:
        probe.unlink(missing_ok=True)
    except OSError:  # where the folder is a file
        return
