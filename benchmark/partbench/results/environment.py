"""What is installed here, as a bundle tells it: a lock of versions, and the distribution that a plugin is from."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

from partbench.errors import InputError


def lock() -> str:
    """All installed distributions as `name==version`, a line each, sorted; requirements that pip can read."""
    found = {
        (re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version)
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    return "".join(f"{name}=={version}\n" for name, version in sorted(found))


def machine() -> dict[str, str]:
    """Python's version, the system and the kind of processor."""
    return {"python": platform.python_version(), "system": platform.system(), "processor": platform.machine()}


def distribution(name: str) -> tuple[dict[str, Any], bytes]:
    """What is known of an installed distribution, and the bytes of its RECORD (of digests of its files).

    `archive` is the file name of the wheel or sdist that it was installed from, `archive_sha256` its digest; both are
    "" where pip does not know: for one of a package index, or installed in place. Raises InputError if it is not
    installed.
    """
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"'{name}' is not installed; install the version that made the cells") from None
    archive, digest = _archive(found.read_text("direct_url.json"))
    known = {"name": name, "version": found.version, "archive": archive, "archive_sha256": digest}
    return known, (found.read_text("RECORD") or "").encode()


def _archive(direct_url: str | None) -> tuple[str, str]:
    """Name and digest from what pip notes of a distribution that was not from a package index (PEP 610)."""
    try:
        noted = json.loads(direct_url or "{}")
        info = noted.get("archive_info")
        if not isinstance(info, dict):
            return "", ""
        hashes = info.get("hashes") or dict([str(info.get("hash", "=")).split("=", 1)])
        return PurePosixPath(unquote(urlparse(noted["url"]).path)).name, str(hashes.get("sha256", ""))
    except (ValueError, KeyError, AttributeError):
        return "", ""
