"""The verdicts of the ledger of claims: of lines that were measured, tested together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from partbench.functional.statistics import holm
from partbench.leaderboard.claims_on_boards import CLAIM, OPTION, READING
from partbench.leaderboard.ledger_line import FAILS, HOLDS, NOT_REPRODUCED, LedgerLine
from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, UNDECIDED


def with_verdicts(lines: Sequence[LedgerLine]) -> list[LedgerLine]:
    """Lines with their adjusted p, verdict and size.

    Claims are adjusted together, and so are lines of other roles; in both, lines of one seed apart.
    """
    told = [_tested(line, p) for line, p in zip(lines, _adjusted(lines), strict=True)]
    told = [_unless_one_training(line) for line in _unless_options_differ(told)]
    return [replace(line, size=_size(line)) for line in told]


def _adjusted(lines: Sequence[LedgerLine]) -> list[float]:
    """p by Holm's method; NaN for lines that cannot be tested."""
    adjusted = np.full(len(lines), np.nan)
    together: dict[tuple[bool, bool], dict[int, float]] = {}
    for at, line in enumerate(lines):
        if line.measured and line.measured.comparable and not line.lacks:
            together.setdefault((line.role == CLAIM, line.one_seed), {})[at] = line.measured.p
    for p in together.values():
        adjusted[list(p)] = holm(np.array(list(p.values())))
    return adjusted.tolist()


def _tested(line: LedgerLine, p: float) -> LedgerLine:
    """A line with its adjusted p and what follows from it alone."""
    number = line.measured
    if number is None or line.lacks:
        return line
    if not number.comparable:
        return replace(line, verdict=NOT_COMPARABLE)
    sure = number.direction if p < ALPHA else 0
    return replace(line, p_adjusted=p, verdict={1: HOLDS, -1: FAILS}.get(sure, UNDECIDED))


def _unless_options_differ(lines: Sequence[LedgerLine]) -> list[LedgerLine]:
    """A claim that other options of the method bring to its side depends on the setting: nothing is said against it."""
    differing: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.role == OPTION and line.measured and not line.lacks and line.measured.direction > 0:
            sure = "surely" if line.verdict == HOLDS else "not surely"
            differing.setdefault((line.claim.id, line.board), []).append(f"{line.explainer}, {sure}")

    def told(line: LedgerLine) -> LedgerLine:
        names = differing.get((line.claim.id, line.board), []) if _fails(line) else []
        lacks = f"it depends on options; on the claimed side: {'; '.join(names)}"
        return replace(line, verdict=NOT_REPRODUCED, lacks=lacks) if names else line

    return [told(line) for line in lines]


def _unless_one_training(line: LedgerLine) -> LedgerLine:
    """A single training may fail for reasons of its own: nothing is said against a claim."""
    if not (line.one_seed and _fails(line)):
        return line
    return replace(line, verdict=NOT_REPRODUCED, lacks="surely in the opposite direction, but in one training")


def _fails(line: LedgerLine) -> bool:
    return line.role in (CLAIM, READING) and line.verdict == FAILS


def _size(line: LedgerLine) -> str:
    """Whether the effect that holds is as large as in the paper."""
    number, published = line.measured, line.published
    if line.verdict != HOLDS or number is None or published is None or np.isnan(number.low):
        return ""
    if number.low <= published.high and number.high >= published.low:
        return "as published"
    above = number.low > published.high
    return "stronger than published" if above == (line.claim.sign > 0) else "weaker than published"
