"""Names that readers can tell apart, and whose plugins are partbench's own."""

from __future__ import annotations

FIRST_PARTY = "partbench"  # the distribution of the plugins that come with partbench, floors among them


def performer_bases(name: str) -> list[str]:
    """Names under which a performer may be registered whose options, or whose network of a library, a name tells.

    "timm:resnet18,weights=random": "timm:resnet18" with an option, which "timm:NAME" may stand for.
    """
    base = name.partition(",")[0]
    library, colon, _ = base.partition(":")
    return [base, *([f"{library}:NAME"] if colon else [])]


def before_performer(text: str) -> tuple[str, str, str]:
    """What stands before the last "@" of a task or a part of one, then the "@" and the performer, or "" for both."""
    start, at, performer = text.rpartition("@")
    return (start, at, performer) if at else (text, "", "")


def in_ascii(name: str) -> str:
    """A name with what is not plain ASCII escaped: a Cyrillic a is `\\u0430`, a zero-width space `\\u200b`."""
    return name.encode("ascii", "backslashreplace").decode()


def look(name: str) -> str:
    """The same text for names that a reader takes for one another: they differ in case, or in `-` for `_`, alone."""
    return in_ascii(name).casefold().replace("-", "_")
