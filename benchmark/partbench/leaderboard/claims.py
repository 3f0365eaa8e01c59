"""The ledger of claims: what the papers publish, what the results say of it, and in which setting.

Claims are data (claims.toml, published.csv). Verdicts are computed from the evidence of images, never typed;
docs/claims.md has their rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import pandas as pd

from partbench.leaderboard.boards import dataset_of
from partbench.leaderboard.claims_evidence import ClaimEvidence
from partbench.leaderboard.claims_judged import with_verdicts
from partbench.leaderboard.claims_measured import MeasuredClaim, measured, reported
from partbench.leaderboard.claims_on_boards import CLAIM, READING, ClaimOnBoard, command, on_boards
from partbench.leaderboard.claims_stated import Printed, lacking_parts, printed, stated
from partbench.leaderboard.current import current
from partbench.leaderboard.judged import Judged, judged
from partbench.leaderboard.ledger_line import NOT_RUN, LedgerLine
from partbench.leaderboard.standings import standings_of


def ledger(rows: pd.DataFrame, images: pd.DataFrame) -> list[LedgerLine]:
    """A line per claim and board, with the verdict; `rows` are those of `load_results`, `images` of `load_evidence`.

    Every claim of claims.toml has lines, whether or not there are results: one per board with default options, and
    others for other readings of the metric and other options of the paper's explainer. No two lines share an
    `asked.id`.
    """
    rows = current(rows)
    found = judged(rows, images)
    return ledger_of(found, rows, standings_of(found))


def ledger_of(found: Judged, rows: pd.DataFrame, standings: pd.DataFrame) -> list[LedgerLine]:
    """`ledger`, from rows of `current`, what the evidence says of them, and the standings that these make."""
    evidence = ClaimEvidence.of(found, rows, standings)
    asked = [one for claim in stated().claims for one in on_boards(claim, evidence)]
    numbers = _measured([(one, ()) for one in asked], evidence)
    usual = [_defaults(one, number) for one, number in zip(asked, numbers, strict=True)]
    lines = zip(asked, numbers, _measured(usual, evidence), strict=True)
    return with_verdicts([_line(*line, evidence) for line in lines])


Asked: TypeAlias = tuple[ClaimOnBoard, tuple[str, ...]]  # a claim, and the tasks on which it is asked; all if none


def _line(
    asked: ClaimOnBoard, number: MeasuredClaim | None, defaults: MeasuredClaim | None, found: ClaimEvidence
) -> LedgerLine:
    """A line without its verdict."""
    claim, board, labels = asked.claim, asked.board, (asked.label, asked.other)
    numbers = printed(claim, dataset_of(board)) or printed(claim)
    checks, failed = found.checks(board, labels)
    line = LedgerLine(asked, numbers, number, setting=_near(asked, numbers, found), checks=checks)
    if number is None:
        return _without_number(line, found)
    return replace(
        line,
        lacks=asked.lacks or lacking_parts(claim, dataset_of(board)) or failed,
        floors=found.floors(board, labels, claim.metric),
        defaults=defaults,
        seeds=found.seeds((board, asked.label, claim.metric), number.tasks),
        cells=found.files(board, labels, claim.metric, number.tasks),
    )


def _measured(asked: Sequence[Asked | None], found: ClaimEvidence) -> list[MeasuredClaim | None]:
    """What is measured of each claim; claims on one board, metric and tasks together."""
    numbers: list[MeasuredClaim | None] = [None] * len(asked)
    together: dict[tuple[tuple[str, str], tuple[str, ...]], dict[int, ClaimOnBoard]] = {}
    for at, (one, tasks) in ((at, one) for at, one in enumerate(asked) if one):
        board, key = (one.board, one.claim.metric), (one.board, one.label, one.claim.metric)
        if board in found.stacks:
            if {one.label, one.other} - {""} <= found.labels(*board):
                together.setdefault((board, tasks), {})[at] = one
        elif key in found.reports and not one.other:
            numbers[at] = reported(one.claim, found.reports[key], found.tasks(key))
    for (board, tasks), some in together.items():
        for at, number in zip(some, measured(found.stacks[board], list(some.values()), tasks), strict=True):
            numbers[at] = number
    return numbers


def _defaults(asked: ClaimOnBoard, number: MeasuredClaim | None) -> Asked | None:
    """The same claim of default options on the tasks of other options; None for lines of default options."""
    if asked.role in (CLAIM, READING) or number is None:
        return None
    return asked._replace(label=asked.claim.explainer, other=asked.claim.other), number.tasks


def _near(asked: ClaimOnBoard, numbers: Printed | None, found: ClaimEvidence) -> str:
    """How near the setting of a board is to the paper's."""
    if not asked.board or numbers is None:
        return ""
    if dataset_of(asked.board) not in numbers.datasets:
        return "same kind of task, other data"
    same = found.performer(asked.board) in numbers.networks
    return "same data and network" if same else "same data, other network"


def _without_number(line: LedgerLine, found: ClaimEvidence) -> LedgerLine:
    """A line that was not measured: why, and the command that would do it."""
    asked = line.asked
    if asked.lacks:
        return replace(line, lacks=asked.lacks)
    names = [name for name in (asked.label, asked.other) if name]
    run = command(names, asked.board)
    if absent := [name for name in names if (asked.board, name) not in found.ran]:
        return replace(line, lacks=f"not run: {', '.join(absent)}", command=run, verdict=NOT_RUN)
    why = found.why(asked.board, names, asked.claim.metric) or "no images on which both have a value"
    return replace(line, lacks=why, command=run)
