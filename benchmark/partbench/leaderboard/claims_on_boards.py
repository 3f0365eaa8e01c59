"""On which boards, and by which explainers, each claim is to be measured: a line of the ledger each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from partbench.leaderboard.boards import dataset_of
from partbench.leaderboard.claims_evidence import ClaimEvidence
from partbench.leaderboard.claims_stated import PublishedClaim, kinds, printed, stated
from partbench.leaderboard.current import ABLATION

CLAIM, READING, OPTION = "claim", "reading", "option"
ROLES = (CLAIM, READING, OPTION, ABLATION)


class ClaimOnBoard(NamedTuple):
    """A claim on a board, by explainers with these labels; `role` is one of `ROLES`.

    Without a board nothing can be measured; `lacks` says why.
    """

    claim: PublishedClaim
    role: str
    board: str = ""
    label: str = ""
    other: str = ""
    lacks: str = ""

    @property
    def id(self) -> str:
        """The claim, the board and, for other roles than "claim", what differs: label and metric."""
        varied = [self.label, self.claim.metric] if self.role != CLAIM else []
        return ": ".join(filter(None, [self.claim.id, self.board, *varied]))


def on_boards(claim: PublishedClaim, found: ClaimEvidence) -> Iterator[ClaimOnBoard]:
    """Where a claim is to be measured, the paper's own data first; readings and options come last."""
    if claim.untested:
        yield ClaimOnBoard(claim, CLAIM, lacks=claim.untested)
        return
    numbers = printed(claim)
    of_paper = numbers.datasets if numbers else ()
    boards, kind = found.boards(claim, kinds(claim)), kinds(claim)[0]
    known = stated().datasets
    wanted = [f"{name}/{kind}" for name in (*of_paper, *stated().reference) if kind in known[name].kinds]
    for board in sorted({*boards, *wanted}, key=lambda board: (dataset_of(board) not in of_paper, board)):
        yield ClaimOnBoard(claim, CLAIM, board, claim.explainer, claim.other)
    for board in boards:
        yield from _variations(claim, board, found)


def _variations(claim: PublishedClaim, board: str, found: ClaimEvidence) -> Iterator[ClaimOnBoard]:
    """Other readings of the metric, and other options of the explainer beside the partner that is trained alike."""
    for metric in claim.readings:
        if {claim.explainer, claim.other} - {""} <= found.labels(board, metric):
            yield ClaimOnBoard(replace(claim, metric=metric), READING, board, claim.explainer, claim.other)
    for label in found.variants(claim, board):
        other = found.partner(claim, board, label)
        if other or not claim.other:
            role = ABLATION if found.control(board, label) == ABLATION else OPTION
            yield ClaimOnBoard(claim, role, board, label, other)


def command(labels: Iterable[str], board: str) -> str:
    """The command that makes the results of explainers with these labels on a board."""
    plugins, options = {}, []
    for label in labels:
        name, _, variant = label.rstrip(")").partition(" (")
        plugins[name] = f"--plugin {name}"
        options += [f"-o {name}.{option}" for option in variant.split(",") if option]
    seeds = range(5 if board.endswith("/multi") else 3)
    words = ["bench run", *plugins.values(), *options, f"--task '{board}'", *(f"--seed {seed}" for seed in seeds)]
    return " ".join([*words, *(["--data-root FOLDER"] if _given(board) else [])])


def _given(board: str) -> bool:
    known = stated().datasets.get(dataset_of(board))
    return known is not None and known.given
