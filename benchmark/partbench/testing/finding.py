"""What was found when a plugin was checked, as plain data. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A plugin that was checked: `problem` says what is wrong, "" if nothing is.

    `where` is the line of the plugin's code, `mend` says what to change, both "" where that is not known. `notes` say
    what it was tried on and what is skipped, `remarks` what to look at though no rule is broken.
    """

    kind: str
    name: str
    problem: str = ""
    where: str = ""
    mend: str = ""
    traceback: str = ""
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The finding in words."""
        called = f"{self.kind.removesuffix('s')} {self.name}"
        if not self.problem:
            yield f"{called} keeps the contract"
            yield from (f"  look at: {remark}" for remark in self.remarks)
            yield from (f"  {note}" for note in self.notes)
            return
        yield f"{called} does not keep the contract: {self.problem}"
        if self.where:
            yield f"  where: {self.where}"
        if self.mend:
            yield f"  mend: {self.mend}"
