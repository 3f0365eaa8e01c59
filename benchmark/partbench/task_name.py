"""Names of tasks: `dataset/what[@performer]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from partbench.errors import InputError
from partbench.names import before_performer

MULTI = "multi"
ATTRIBUTE = "attribute-"
Form = Literal["single", "others", "multi", "logit", "attribute"]


@dataclass(frozen=True)
class TaskName:
    """A task name, `dataset/what[@performer]`: split at the first `/`, then at the last `@`.

    `what` is `multi` (form "multi"), `multi:category` ("logit"), `attribute-x` ("attribute"), `category` ("single") or
    `category:others` ("others"). `category` is the category or the attribute task, "multi" for all; `performer` is ""
    where the name gives none.
    """

    dataset: str
    form: Form
    category: str
    performer: str = ""

    @staticmethod
    def parse(text: str) -> TaskName:
        """Raises InputError for a text that is no task name."""
        if not text.isprintable():  # as in the path of a file; bytes that are no UTF-8 are not either
            raise InputError(f"task {text!a} has characters that cannot be printed; rename what it names")
        dataset, slash, rest = text.partition("/")
        what, at, performer = before_performer(rest)
        if not (dataset and slash and what) or (at and not performer):
            raise InputError(f"'{text}' is no task; expected dataset/what[@performer], as in fauna/multi:bird")
        if what == MULTI:
            return TaskName(dataset, "multi", MULTI, performer)
        if what.startswith(ATTRIBUTE):
            return TaskName(dataset, "attribute", what, performer)
        head, colon, tail = what.partition(":")
        if not colon:
            return TaskName(dataset, "single", what, performer)
        if head == MULTI and tail:
            return TaskName(dataset, "logit", tail, performer)
        if head and tail == "others":
            return TaskName(dataset, "others", head, performer)
        forms = "CATEGORY, CATEGORY:others, multi, multi:CATEGORY or attribute-X"
        raise InputError(f"'{text}' is no task; after {dataset}/ comes {forms}")

    @property
    def what(self) -> str:
        """What stands between `/` and `@`."""
        return {"logit": f"{MULTI}:{self.category}", "others": f"{self.category}:others"}.get(self.form, self.category)

    def __str__(self) -> str:
        return f"{self.dataset}/{self.what}{'@' if self.performer else ''}{self.performer}"
