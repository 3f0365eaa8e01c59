"""What the options of a class are, in words: from its docstring, and from the comments beside its fields."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

_ENTRY = re.compile(r"^(?P<indent> *)(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*): +(?P<text>\S.*)$")


def option_docs(cls: type) -> dict[str, str]:
    """Text by option. In docstrings, an entry is "name: text" or "name, other: text", and goes on in lines that are
    indented further. A comment at the end of a field's line counts where no docstring has an entry. Base classes are
    read too; a class comes before its bases.
    """
    found: dict[str, str] = {}
    for base in (each for each in cls.__mro__ if each is not object):
        own = vars(base).get("__annotations__", {})
        commented = {name: text for name, text in _comments(base) if name in own}
        for name, text in {**commented, **dict(_entries(base.__doc__ or ""))}.items():
            found.setdefault(name, text)
    return found


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    lines = inspect.cleandoc(docstring).splitlines()
    for place, line in enumerate(lines):
        if match := _ENTRY.match(line):
            text = [match["text"]]
            for later in lines[place + 1 :]:
                if not later.strip() or len(later) - len(later.lstrip()) <= len(match["indent"]):
                    break
                text.append(later.strip())
            for name in match["names"].split(", "):
                yield name, " ".join(text)


def _comments(cls: type) -> Iterator[tuple[str, str]]:
    if cls.__module__ not in sys.modules:
        return
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError, SyntaxError):
        return
    for line in source.splitlines():
        if match := re.match(r" +(\w+): .*\S  # (.+)$", line):
            yield match[1], match[2]
