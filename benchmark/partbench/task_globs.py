"""Patterns of task names: `d/*` means single tasks, `d/multi:*` logits, `d/attribute-*` attributes, `d/**` all."""

from __future__ import annotations

from fnmatch import fnmatchcase

from partbench.names import before_performer

_OTHERS, _SEVERAL = ":others", ("multi", "attribute-")


def matches(task: str, pattern: str) -> bool:
    """Whether a task is meant by a pattern, or has this name.

    `*` alone reaches no task of another kind: `d/*` means single tasks only, and `d/*:others` those with the other
    categories among the negatives; `d/**` means all but these. What stands after `@` is the same, or absent, in both.
    The dataset may be a pattern too.
    """
    if "*" not in pattern:
        return task == pattern
    (dataset, what, performer), (wanted, pattern, of) = _split(task), _split(pattern)
    if performer != of or not fnmatchcase(dataset, wanted):
        return False
    if pattern == "**":
        return not what.endswith(_OTHERS)
    return _kind(what) == _kind(pattern) and fnmatchcase(what, pattern)


def _split(task: str) -> tuple[str, str, str]:
    dataset, _, rest = task.partition("/")
    what, at, performer = before_performer(rest)
    return dataset, what, at + performer


def _kind(what: str) -> tuple[bool, bool]:
    return what.startswith(_SEVERAL), what.endswith(_OTHERS)
