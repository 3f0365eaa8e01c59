"""What is installed here, as a bundle tells it: a lock of versions, and the distribution that a plugin is from."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
from pathlib import Path, PurePosixPath
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
    """Python's version, the system and the type of processor."""
    return {"python": platform.python_version(), "system": platform.system(), "processor": processor()}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The type of this machine's processor: `GenuineIntel family 6 model 143`, or its name; "" where neither is known.

    The name of a model is taken only where its numbers are not told: a virtual machine often says `Xeon` alone.
    `cpuinfo` is where Linux tells them.
    """
    told = _told_by_linux(cpuinfo)
    numbers = [told.get(name, "") for name in ("vendor_id", "cpu family", "model")]
    if all(numbers):
        return "{} family {} model {}".format(*numbers)
    arm = [told.get(f"CPU {name}", "") for name in ("implementer", "part", "variant")]
    if all(arm):
        return "implementer {} part {} variant {}".format(*arm)
    return told.get("model name") or _told_by_macos() or platform.processor() or platform.machine()


def _told_by_linux(file: Path) -> dict[str, str]:
    """What Linux says of the first core, by name; nothing on other systems."""
    try:
        lines = file.read_text(errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _told_by_macos() -> str:
    """The name of a processor such as `Apple M2`; "" on other systems."""
    if platform.system() != "Darwin":
        return ""
    asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


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
