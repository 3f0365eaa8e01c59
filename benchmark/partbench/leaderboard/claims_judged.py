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
    told = [_unless_one_training(line) for line in _beside_other_options(told)]
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


def _beside_other_options(lines: Sequence[LedgerLine]) -> list[LedgerLine]:
    """Lines of default options beside those of other options that turn them, on the same board."""
    turning: dict[tuple[str, str], list[LedgerLine]] = {}
    for line in lines:
        if line.role == OPTION and not line.lacks and _turns(line):
            turning.setdefault((line.claim.id, line.board), []).append(line)
    return [_beside(line, turning.get((line.claim.id, line.board), ())) for line in lines]


def _turns(line: LedgerLine) -> bool:
    """Whether options bring the number to the other side of the bound than the default options on the same tasks."""
    number, defaults = line.measured, line.defaults
    return number is not None and defaults is not None and (number.direction > 0) != (defaults.direction > 0)


def _beside(line: LedgerLine, turning: Sequence[LedgerLine]) -> LedgerLine:
    """A claim that options bring to its side is not said to fail; one that holds names options that surely do not."""
    if _fails(line):
        claimed = [one for one in turning if one.measured and one.measured.direction > 0]
        names = [f"{one.explainer}, {'surely' if one.verdict == HOLDS else 'not surely'}" for one in claimed]
        lacks = f"it depends on options; on the claimed side: {'; '.join(names)}"
        return replace(line, verdict=NOT_REPRODUCED, lacks=lacks) if names else line
    if line.role == CLAIM and line.verdict == HOLDS:
        failing = [one.explainer for one in turning if one.verdict == FAILS and not one.one_seed]
        return replace(line, turned_by="; ".join(failing))
    return line


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
