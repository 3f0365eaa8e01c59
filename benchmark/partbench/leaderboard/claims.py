"""The ledger of claims: what the papers publish, what the results say of it, and in which setting.

Claims are data (claims.toml, published.csv). Verdicts are computed from the evidence of images, never typed;
docs/claims.md has their rules.
"""

from __future__ import annotations

from dataclasses import replace

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
    return with_verdicts([_line(asked, evidence) for claim in stated().claims for asked in on_boards(claim, evidence)])


def _line(asked: ClaimOnBoard, found: ClaimEvidence) -> LedgerLine:
    """A line without its verdict."""
    claim, board, labels = asked.claim, asked.board, (asked.label, asked.other)
    number = _measure(asked, found)
    numbers = printed(claim, dataset_of(board)) or printed(claim)
    checks, failed = found.checks(board, labels)
    line = LedgerLine(asked, numbers, number, setting=_near(asked, numbers, found), checks=checks)
    if number is None:
        return _without_number(line, found)
    return replace(
        line,
        lacks=asked.lacks or lacking_parts(claim, dataset_of(board)) or failed,
        floors=found.floors(board, labels, claim.metric),
        defaults=_defaults(asked, found, number.tasks),
        seeds=found.seeds((board, asked.label, claim.metric), number.tasks),
        cells=found.files(board, labels, claim.metric, number.tasks),
    )


def _measure(asked: ClaimOnBoard, found: ClaimEvidence) -> MeasuredClaim | None:
    claim, names = asked.claim, {asked.label, asked.other} - {""}
    board = found.stacks.get((asked.board, claim.metric))
    if board is not None:
        return measured(claim, board, asked.label, asked.other) if names <= set(board.aligned.labels) else None
    key = asked.board, asked.label, claim.metric
    row = found.reports.get(key)
    return None if row is None or asked.other else reported(claim, row, found.tasks(key))


def _defaults(asked: ClaimOnBoard, found: ClaimEvidence, tasks: tuple[str, ...]) -> MeasuredClaim | None:
    """What the default options give on the tasks of other options."""
    claim, board = asked.claim, found.stacks.get((asked.board, asked.claim.metric))
    names = {claim.explainer, claim.other} - {""}
    if asked.role in (CLAIM, READING) or board is None or not names <= set(board.aligned.labels):
        return None
    return measured(claim, board, claim.explainer, claim.other, tasks)


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
