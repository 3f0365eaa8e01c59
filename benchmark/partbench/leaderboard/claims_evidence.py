"""What the results hold for the claims: the explainers, values, checks and cells of each board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from partbench.leaderboard.boards import kind_of
from partbench.leaderboard.claims_stated import PublishedClaim, Requirement, base, stated
from partbench.leaderboard.current import FLOOR
from partbench.leaderboard.judged import Judged
from partbench.leaderboard.markdown import number
from partbench.leaderboard.verdicts import Board
from partbench.results.schema import label as label_of

Key = tuple[str, str, str]  # board, label, metric
_KEY = ["board", "label", "metric"]


class CellRow(NamedTuple):
    """One metric of a cell of results; reason: why it is not scored."""

    task: str
    seed: int
    scored: bool
    reason: str
    status: str
    file: str


@dataclass(frozen=True)
class ClaimEvidence:
    """What the results hold for the claims.

    stacks: the evidence of images, by board and metric. By board, label and metric: `reports`, the rows of `means` of
    what explainers report of themselves; `cells`, the rows of cells; `values`, the mean over seeds, then over the tasks
    that are scored; `beaten`, what is not surely better than every floor. ran: the last row of each explainer on a
    board, by board and label.
    """

    stacks: dict[tuple[str, str], Board]
    reports: dict[Key, pd.Series]
    cells: dict[Key, list[CellRow]]
    values: dict[Key, float]
    ran: dict[tuple[str, str], pd.Series]
    beaten: frozenset[Key]

    @staticmethod
    def of(judged: Judged, rows: pd.DataFrame, standings: pd.DataFrame) -> ClaimEvidence:
        """From rows of `current`, what the evidence says of them, and the standings that these make."""
        last = rows.drop_duplicates(["board", "label"], keep="last")
        rows = rows[rows["metric"].isin(claimed_metrics())]
        table = judged.table[judged.table["metric"].isin(claimed_metrics()) & judged.table["reported_variance"].notna()]
        marked = standings[standings["beaten_by_control"].astype(bool)]
        labels = map(label_of, marked["explainer"], marked["variant"])
        of_task = rows[rows["scored"]].groupby([*_KEY, "task"], sort=True)["value"].mean()
        return ClaimEvidence(
            {(board.aligned.board, board.aligned.metric): board for board in judged.boards},
            {(row["board"], row["label"], row["metric"]): row for _, row in table.iterrows()},
            _cells(rows),
            of_task.groupby(_KEY, sort=True).mean().to_dict() if len(of_task) else {},
            {(row["board"], row["label"]): row for _, row in last.iterrows()},
            frozenset(zip(marked["board"], labels, marked["metric"], strict=True)),
        )

    def boards(self, claim: PublishedClaim, kinds: Sequence[str]) -> list[str]:
        """The boards of these kinds, whatever their network, on which the claim's explainer ran with its defaults."""
        ran = {board for board, label in self.ran if label == claim.explainer}
        return sorted(board for board in ran if kind_of(board) in kinds)

    def labels(self, board: str, metric: str) -> set[str]:
        """The explainers with evidence of images of a metric."""
        stack = self.stacks.get((board, metric))
        return set(stack.aligned.labels) if stack else set()

    def variants(self, claim: PublishedClaim, board: str) -> list[str]:
        """Labels of the claim's explainer with other options, that are no floors and have the metric."""
        found = (label for label in self.labels(board, claim.metric) if base(label) == claim.explainer)
        return sorted(label for label in found if label != claim.explainer and self.control(board, label) != FLOOR)

    def partner(self, claim: PublishedClaim, board: str, label: str) -> str:
        """What other options are compared with: the claim's other with the same options, or with those that the
        explainer names, or with its own."""
        variant = label.removeprefix(claim.explainer)
        named = self.ran[board, label]["compared_with"]
        candidates = [base(claim.other) + variant, named if base(named) == base(claim.other) else "", claim.other]
        present = self.labels(board, claim.metric)
        return next((name for name in candidates if name in present), "")

    def control(self, board: str, label: str) -> str:
        """The kind of control that an explainer is, "" for none."""
        return str(self.ran[board, label]["control"])

    def performer(self, board: str) -> str:
        """The network that a board explains; "" where nothing ran."""
        return next((str(row["performer"]) for (name, _), row in self.ran.items() if name == board), "")

    def why(self, board: str, labels: Iterable[str], metric: str) -> str:
        """Why explainers that ran have no value of a metric, as far as the results say."""
        for label in labels:
            cells = self.cells.get((board, label, metric))
            if cells is None:
                return f"{label} has no {metric}"
            if missing := [cell for cell in cells if not cell.scored]:
                return f"{label} has no {metric}: {missing[0].reason or missing[0].status}"
        return ""

    def tasks(self, key: Key) -> tuple[str, ...]:
        """The tasks on which an explainer has a value."""
        return tuple(sorted({cell.task for cell in self.cells[key] if cell.scored}))

    def seeds(self, key: Key, tasks: Sequence[str]) -> str:
        """The seeds of an explainer on some tasks."""
        return " ".join(map(str, sorted({cell.seed for cell in self.cells[key] if cell.task in tasks})))

    def files(self, board: str, labels: Iterable[str], metric: str, tasks: Sequence[str]) -> tuple[str, ...]:
        """The files that a comparison on some tasks is made from, in the folder of results."""
        every = [cell for label in labels if label for cell in self.cells[board, label, metric]]
        return tuple(sorted({cell.file for cell in every if cell.task in tasks}))

    def checks(self, board: str, labels: Iterable[str]) -> tuple[str, str]:
        """What is required of the explainers as measured, and what of it is not so ("" if all is)."""
        shown, failed = [], []
        for label in filter(None, labels):
            numbers = []
            for asked in _asked(board, label):
                value = self.values.get((board, label, asked.metric))
                if value is not None:
                    numbers.append(f"{asked.metric} {number(value)}")
                    failed += [] if asked.met(value) else [f"{label} is not {asked.says}: {numbers[-1]}"]
            shown += [f"{label}: {', '.join(numbers)}"] if numbers else []
        return "; ".join(shown), "; ".join(failed)

    def floors(self, board: str, labels: Iterable[str], metric: str) -> str:
        """Which of the explainers are not surely better than every floor."""
        return ", ".join(label for label in labels if (board, label, metric) in self.beaten)


def _cells(rows: pd.DataFrame) -> dict[Key, list[CellRow]]:
    found: dict[Key, list[CellRow]] = {}
    columns = [*_KEY, "task", "seed", "scored", "reason", "status", "file" if "file" in rows else "cell"]
    for board, label, metric, *cell in zip(*(rows[name].tolist() for name in columns), strict=True):
        found.setdefault((board, label, metric), []).append(CellRow(*cell))
    return found


def claimed_metrics() -> set[str]:
    """The metrics that claims, and what they require, are about."""
    said = stated()
    asked = {asked.metric for some in said.requirements.values() for asked in some}
    return asked.union(*({claim.metric, *claim.readings} for claim in said.claims))


def _asked(board: str, label: str) -> list[Requirement]:
    every = stated().requirements.get(base(label), ())
    return [asked for asked in every if not asked.kinds or kind_of(board) in asked.kinds]
