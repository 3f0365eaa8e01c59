"""Versions of what determines values (partbench, torch, all installed plugins), and how those of two places differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partbench.registry import Registry

CORE = "partbench.running.worker_cell"  # the module that leads to all of the core that a cell runs
MOST = 3  # differences that are named


def versions_of(registry: Registry, given: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions by name, such as "torch" or "explainer srae"; of partbench and of plugins with a digest of their code.

    Plugins in the files `given` by hand are left out, and so is what these take the place of.
    """
    import torch

    from partbench import __version__
    from partbench.results.provenance import digest

    found = {"partbench": _version(__version__, digest(CORE)), "torch": torch.__version__}
    digests: dict[str, str] = {}
    for kind in ("explainers", "metrics", "datasets", "performers"):
        for name, entry in sorted(getattr(registry, kind).items()):
            if entry.owner in given:
                continue
            module = entry.cls.__module__
            if module not in digests:
                digests[module] = digest(module)
            found[f"{kind.removesuffix('s')} {name}"] = _version(
                f"{entry.distribution} {entry.version}", digests[module]
            )
    return found | {f"plugin {broken.plugin}": f"broken ({broken.error})" for broken in registry.broken}


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What differs, in one line: the first few names with both versions, and how many more; "" if nothing does."""
    differing = list(_differing(here, there))
    shown = [f"{name} is {there.get(name, 'absent')} there, {here.get(name, 'absent')} here" for name in differing]
    more = f" and {len(differing) - MOST} more" if len(differing) > MOST else ""
    return "; ".join(shown[:MOST]) + more


def _differing(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for name in {**here, **there}:
        if here.get(name) != there.get(name):
            yield name


def _version(version: str, digest: str) -> str:
    return f"{version} (code {digest})" if digest else version
