"""What plugins and papers say of explainers, metrics and datasets; pages of results exist without it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from partbench.leaderboard.published import Paper, papers, published
from partbench.results.plain_text import printable


@dataclass(frozen=True)
class Fact:
    """What is registered under a name: one line of what it is, its source, its options with type and default."""

    what: str = ""
    source: str = ""
    owner: str = ""
    options: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Facts:
    """By kind ("explainers", "metrics", "datasets") and name; what is not installed has empty facts."""

    known: Mapping[str, Mapping[str, Fact]] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> Fact:
        """The facts of one name, empty if it is not registered."""
        return self.known.get(kind, {}).get(name, Fact())


def facts_of(listing: Mapping[str, Any]) -> Facts:
    """From what `bench list --json` prints: lists of plugins by kind."""
    kinds = ("explainers", "metrics", "datasets")
    return Facts({kind: {row["name"]: _fact(row) for row in listing.get(kind, ())} for kind in kinds})


def _fact(row: Mapping[str, Any]) -> Fact:
    options = [
        {
            **{key: printable(str(text)) for key, text in option.items()},
            "type": values_of(printable(str(option["type"]))),
            "default": _PLAIN.get(str(option["default"]), printable(str(option["default"]))),
        }
        for option in row.get("options", ())
    ]
    what, source = (printable(str(row.get(name, ""))) for name in ("what", "source"))
    return Fact(what, source, printable(str(row.get("owner", ""))).partition(" ")[0], options)


def values_of(annotation: str) -> str:
    """The type of an option in words: `number > 0` for `Annotated[float, Gt(0)]`; others as they are."""
    text = re.sub(r"Literal\[(.*?)\]", lambda found: found[1].replace("'", "").replace(", ", " or "), annotation)
    text = re.sub(r"Annotated\[(\w+), ((?:\w+\([^()]*\)(?:, )?)+)\]", r"\1 \2", text)
    text = re.sub(r"\b(Ge|Gt|Le|Lt)\(([^()]*)\)", lambda found: f"{_SIGNS[found[1]]} {found[2]}", text)
    for name, word in _WORDS.items():
        text = re.sub(rf"\b{name}\b", word, text)
    return text.replace(" | ", " or ")


_SIGNS = {"Ge": "≥", "Gt": ">", "Le": "≤", "Lt": "<"}
_PLAIN = {"None": "none", "True": "true", "False": "false"}
_WORDS = {"float": "number", "int": "whole number", "bool": "true or false", "str": "text", "None": "none"}


def papers_of(explainer: str) -> list[tuple[Paper, bool]]:
    """The papers that print numbers of an explainer, and whether the paper proposes it; the proposing one first."""
    printed = published()
    names = set(printed.loc[printed["explainer"] == explainer, "paper"])
    found = [(paper, paper.proposed == explainer) for paper in papers() if paper.name in names]
    return sorted(found, key=lambda one: (not one[1], one[0].year, one[0].name))
