"""Where the user's datasets lie: the folder of $PARTBENCH_DATA, and those of [data] in the config file.

[data]
cub = "/data/CUB_200_2011"
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.whole_files import write_whole

SECTION = "data"
LARGEST = 1_000_000  # bytes of the config file


def config_file() -> Path:
    """The config file: $PARTBENCH_CONFIG, else config.toml in the user's config folder of the platform."""
    if given := os.environ.get("PARTBENCH_CONFIG", "").strip():
        return expanded(Path(given), "PARTBENCH_CONFIG")
    import platformdirs

    return Path(platformdirs.user_config_dir("partbench")) / "config.toml"


def folder_of_environment() -> Path | None:
    """The folder that $PARTBENCH_DATA names, which takes the place of --data-root; None if it is unset or empty."""
    given = os.environ.get("PARTBENCH_DATA", "").strip()
    return expanded(Path(given), "PARTBENCH_DATA").absolute() if given else None


def folder_of_config(dataset: str) -> Path | None:
    """The folder that the config file names for a dataset. Raises InputError for a file that is broken."""
    file = config_file()
    folders = _folders(file, _parsed(file, _text(file)))
    return expanded(Path(folders[dataset]), f"{file}: {SECTION}.{dataset}") if dataset in folders else None


def expanded(path: Path, source: str) -> Path:
    """A path with the home folder in place of `~`. Raises InputError, naming its source, for a user who is not here."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(f"{source} is {path}, whose home folder is not known; write the whole path") from error


def note_folder(dataset: str, folder: Path) -> Path:
    """Write the folder of a dataset to the config file, and return that file; the rest of it stays as it is.

    Processes that write at the same time wait for each other. Raises InputError for a file that is broken or cannot be
    written.
    """
    file = config_file()
    with _locked(file):
        _note(file, dataset, folder)
    return file


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of the config file. In a folder that allows no locks, such as a read-only one, go on without."""
    from filelock import FileLock

    lock = FileLock(file.parent / f".{file.name}.lock")
    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            held.callback(lock.release)
            held.callback(Path(lock.lock_file).unlink, missing_ok=True)  # before its release: no other lock is removed
        yield


def _note(file: Path, dataset: str, folder: Path) -> None:
    before = _text(file)
    entry = f"{_key(dataset)} = {json.dumps(str(folder), ensure_ascii=False)}"
    after = _with_entry(before, dataset, entry)
    expected: dict[str, Any] = {**_parsed(file, before)}
    expected[SECTION] = {**_folders(file, expected), dataset: str(folder)}
    try:
        changed_alone = tomllib.loads(after) == expected
    except (ValueError, RecursionError):
        changed_alone = False
    if not changed_alone:
        raise InputError(f"cannot change {file} without changing more of it; write this under [{SECTION}]: {entry}")
    _write(file, after)


def _with_entry(text: str, dataset: str, entry: str) -> str:
    """A config file with this line in place of that of the dataset, or under [data], which may be new."""
    lines = text.split("\n") if text else []
    header = next((i for i, line in enumerate(lines) if re.match(rf"\s*\[\s*{SECTION}\s*\]", line)), None)
    if header is None:
        return "\n".join([*lines, f"[{SECTION}]", entry, ""]).removeprefix("\n")
    end = next((i for i in range(header + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
    keys = rf"\s*({re.escape(_key(dataset))}|{re.escape(json.dumps(dataset))})\s*="
    for i in range(header + 1, end):
        if re.match(keys, lines[i]):
            return "\n".join([*lines[:i], entry, *lines[i + 1 :]])
    return "\n".join([*lines[: header + 1], entry, *lines[header + 1 :]])


def _key(dataset: str) -> str:
    return dataset if re.fullmatch(r"[A-Za-z0-9_-]+", dataset) else json.dumps(dataset, ensure_ascii=False)


def _text(file: Path) -> str:
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:  # a pipe would be waited for
            raise InputError(f"the config file {file} is no file of at most {LARGEST:,} bytes; mend or remove it")
        return file.read_bytes().decode("utf-8-sig")  # with its line ends
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the config file {file}: {error}; mend or remove it") from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of thousands of digits, of deep nesting
        raise InputError(f"the config file {file} is no TOML: {error}; mend or remove it") from error


def _folders(file: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """[data] of a config. Raises InputError for what is no absolute path."""
    folders = config.get(SECTION, {})
    if not isinstance(folders, dict):
        raise InputError(f"the config file {file}: {SECTION} is {folders!r:.60}, expected a section [{SECTION}]")
    for name, folder in folders.items():
        source = f"the config file {file}: {SECTION}.{name}"
        if not isinstance(folder, str) or not expanded(Path(folder), source).is_absolute():
            raise InputError(f"{source} is {folder!r:.60}, expected an absolute path")
    return folders


def _write(file: Path, text: str) -> None:
    """Write whole or not at all; a link stays one, and the file's permissions stay as they are."""
    target = Path(os.path.realpath(file))
    keep_mode = partial(shutil.copymode, target) if target.exists() else lambda part: None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text.encode(), keep_mode)
    except (OSError, UnicodeEncodeError) as error:
        raise InputError(f"cannot write the config file {file}: {error}; or name it with PARTBENCH_CONFIG") from error
