"""The user's mistakes: one line that says what was expected, what was found and what to do; exit code 2.

And `NotApplicable`, which is no mistake of anybody's: a cell or a metric is skipped.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 1000  # characters of a message: it may quote a name or a value of any length
BEGINNING = 700


class InputError(Exception):
    """A mistake in what the user gave: a name, an option, a file. Its text is one line, printed without a traceback.

    Of a text of over 1,000 characters the middle is left out.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(_short(" ".join(text.splitlines())))


class NotApplicable(Exception):
    """Raised by an explainer or a metric that cannot serve a task: the cell is skipped, for this reason."""


def in_one_line(error: BaseException) -> str:
    """The kind and text of an exception, without what cannot be encoded; its kind alone if its text cannot be had."""
    try:
        text = " ".join(str(error).split()).encode(errors="backslashreplace").decode()
    except BaseException as raised:  # of a __str__ of the plugin's own
        if isinstance(raised, KeyboardInterrupt):
            raise
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason_of(error: BaseException) -> str:
    """The text of the user's mistake as it is; of any other exception its kind and text, see `in_one_line`."""
    return str(error) if isinstance(error, InputError) else in_one_line(error)


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An InputError for a name that is not there, with the nearest that is."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
    return InputError(f"no {kind} named '{name}'; {hint}")


def _short(line: str) -> str:
    """A line of at most `LONGEST` characters: the beginning says what is wrong, the end what to do."""
    if len(line) <= LONGEST:
        return line
    gap = " [...] "
    return f"{line[:BEGINNING]}{gap}{line[len(line) - LONGEST + BEGINNING + len(gap) :]}"
