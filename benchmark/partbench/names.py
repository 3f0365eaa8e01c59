"""Names that readers can tell apart."""

from __future__ import annotations


def in_ascii(name: str) -> str:
    """A name with what is not plain ASCII escaped: a Cyrillic a is `\\u0430`, a zero-width space `\\u200b`."""
    return name.encode("ascii", "backslashreplace").decode()


def look(name: str) -> str:
    """The same text for names that a reader takes for one another: they differ in case, or in `-` for `_`, alone."""
    return in_ascii(name).casefold().replace("-", "_")
