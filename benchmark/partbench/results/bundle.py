"""Bundles of finished cells with the code and the environment that made them, for whoever is to verify them.

A bundle is an archive: `manifest.json`, cells at their places below `results/`, sources of plugins given by file in
`plugins/<number>/`, with the weights of trained performers beside them, files of roles in `roles/`, the RECORD of
distributions that explainers are from in `distributions/`, and `requirements.txt`, the versions of all that was
installed. The manifest has the SHA-256 of each other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partbench.errors import InputError
from partbench.performer_folder import WEIGHTS
from partbench.results.archive import packed, read_archive, unpacked
from partbench.results.performer_files import expect_roles

MANIFEST, CELLS, PLUGINS, ROLES, LOCK = "manifest.json", "results", "plugins", "roles", "requirements.txt"
FOLDERS = (f"{CELLS}/", f"{PLUGINS}/", f"{ROLES}/", "distributions/")
FORMAT = 1
MOST_SOURCE = 2 << 20  # bytes of a source file


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and is whole; `files` by name, `sha256` of the archive."""

    sha256: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def cells(self) -> list[str]:
        """Names of the files of cells."""
        return sorted(name for name in self.files if name.startswith(f"{CELLS}/"))

    @property
    def places(self) -> list[str]:
        """Where the cells lie below a folder of results, in the order of `cells`."""
        return [name.removeprefix(f"{CELLS}/") for name in self.cells]

    @property
    def plugins(self) -> list[str]:
        """Names of the plugin files; the modules that they import from beside them are not among these."""
        return list(self.manifest["plugins"])

    def cells_written(self, folder: Path) -> Path:
        """Write the cells into a folder; the folder of results in it."""
        self._write(folder, f"{CELLS}/")
        return folder / CELLS

    def sources_written(self, folder: Path) -> list[Path]:
        """Write the sources into a folder; the plugin files, in the order of `plugins`."""
        self._write(folder, f"{PLUGINS}/")
        return [folder / name for name in self.plugins]

    def roles_written(self, folder: Path) -> None:
        """Write files of roles below a folder, under the paths that the names of performers have."""
        self._write(folder, f"{ROLES}/", f"{ROLES}/")

    def _write(self, folder: Path, beginning: str, without: str = "") -> None:
        for name in (name for name in self.files if name.startswith(beginning)):
            path = folder / name.removeprefix(without)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.files[name])


def bundled(files: Mapping[str, bytes], plugins: Sequence[str], about: Mapping[str, Any]) -> bytes:
    """The bytes of a bundle; `plugins` are the names of plugin files among the files, `about` is told in the manifest.

    Equal arguments give equal bytes. Raises InputError if it is too large.
    """
    for name, data in files.items():
        if not name.startswith(f"{CELLS}/") and not name.endswith(f"/{WEIGHTS}") and len(data) > MOST_SOURCE:
            raise InputError(f"{name} has {len(data)} bytes, more than the {MOST_SOURCE} that a source file may have")
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    manifest = {"partbench_bundle": FORMAT, **about, "plugins": list(plugins), "files": digests}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    return packed({**files, MANIFEST: text.encode()})


def read_bundle(path: Path) -> Bundle:
    """Read a bundle. Raises InputError, in one line, for what is none, is damaged, or has a cell that is refused."""
    data = read_archive(path)
    files = unpacked(path, data)
    manifest = _manifest(path, files)
    digests = manifest["files"]
    others = {name for name in files if name != MANIFEST}
    if differing := sorted(others ^ set(digests)):
        raise InputError(f"'{path}' is refused: its manifest and its files differ in {differing[0]!r:.200}")
    for name in sorted(others):
        if hashlib.sha256(files[name]).hexdigest() != digests[name]:
            raise InputError(f"'{path}' is refused: {name} is not what the manifest says (SHA-256 differs)")
    for name in manifest["plugins"]:
        if not (name in others and name.startswith(f"{PLUGINS}/") and name.endswith(".py")):
            raise InputError(f"'{path}' is refused: the plugin {name!r:.200} is no source file in {PLUGINS}/")
    found = Bundle(hashlib.sha256(data).hexdigest(), manifest, files)
    if foreign := sorted(name for name in others - {LOCK} if not name.startswith(FOLDERS)):
        raise InputError(f"'{path}' is refused: {foreign[0]} is no part of a bundle")
    for name in (name for name in others if name.startswith(f"{ROLES}/")):
        expect_roles(name.removeprefix(f"{ROLES}/"))
    if not found.cells:
        raise InputError(f"'{path}' holds no cell; expected some in {CELLS}/")
    return found


def _manifest(path: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    if MANIFEST not in files:
        raise InputError(f"'{path}' has no {MANIFEST}; expected a bundle made by `bench submit`")
    try:
        found = json.loads(files[MANIFEST].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is refused: its {MANIFEST} is no JSON in UTF-8: {error}") from error
    if not isinstance(found, dict) or found.get("partbench_bundle") != FORMAT:
        version = found.get("partbench_bundle") if isinstance(found, dict) else None
        raise InputError(
            f"'{path}' is a bundle of format {version!r:.40}, expected {FORMAT}; another partbench made it"
        )
    digests, plugins = found.get("files"), found.get("plugins")
    texts = [*digests.values(), *plugins] if isinstance(digests, dict) and isinstance(plugins, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"'{path}' is refused: its {MANIFEST} lacks the digests of files or the list of plugins")
    return found
