"""Names of metrics that users type, checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence

from partbench.errors import unknown


def expect_metrics(names: Sequence[str], files: bool) -> None:
    """Raise InputError for a metric that is not installed, with the nearest that is.

    `files`: whether there are plugin files, which may bring others. Only a worker loads these, or the installed plugins
    where they changed since their catalogue was written: then nothing is said here, and the worker says it.
    """
    if not names or files:
        return
    from partbench.catalogue import cached

    found = cached()
    if found is None or found.broken:  # it may be of a plugin that is broken, which a worker says
        return
    known = {plugin.name for plugin in found.of("metrics")}
    for name in names:
        if (metric := name.partition("@")[0]) not in known:
            raise unknown("metric", metric, known)
