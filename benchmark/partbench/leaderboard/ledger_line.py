"""A line of the ledger of claims, and the ledger as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from partbench.leaderboard.boards import dataset_of
from partbench.leaderboard.claims_measured import MeasuredClaim
from partbench.leaderboard.claims_on_boards import ClaimOnBoard
from partbench.leaderboard.claims_stated import Printed, PublishedClaim
from partbench.leaderboard.uses import NOT_HERE, Uses
from partbench.leaderboard.verdicts import NOT_COMPARABLE, UNDECIDED

HOLDS, FAILS, NOT_REPRODUCED = "holds", "does not", "setting not reproduced"
VERDICTS = (HOLDS, FAILS, UNDECIDED, NOT_COMPARABLE, NOT_REPRODUCED)
NOT_RUN = "not run"  # of lines without a number


@dataclass(frozen=True)
class LedgerLine:
    """A claim on a board: what the paper says, what the results say of it, and the verdict.

    asked: the claim, its role, the board and the explainers. printed: the paper's numbers, on the data of the board or
    else on all of its own; None for what a figure shows. measured: None where results are missing. setting: how near
    the board is to the paper. lacks: why nothing is concluded. command: how to measure what was not run. checks:
    whether networks and losses work here. floors: which explainers are not surely better than every floor. defaults:
    what default options give on the same tasks, None for lines of default options. seeds: separated by spaces. cells:
    the files of results. verdict: one of `VERDICTS`, or `NOT_RUN`. p_adjusted: by Holm's method over the claims that
    can be tested, or over the lines of other roles, lines of one seed apart; NaN where nothing is tested. size: how the
    interval of an effect that holds compares with the published range. turned_by: the other options of the method with
    which an effect that holds is surely on the other side. card: what the card of the metric says of it on the data of
    the board, "" without a card.
    """

    asked: ClaimOnBoard
    printed: Printed | None
    measured: MeasuredClaim | None
    setting: str = ""
    lacks: str = ""
    command: str = ""
    checks: str = ""
    floors: str = ""
    defaults: MeasuredClaim | None = None
    seeds: str = ""
    cells: tuple[str, ...] = ()
    verdict: str = NOT_REPRODUCED
    p_adjusted: float = np.nan
    size: str = ""
    turned_by: str = ""
    card: str = ""

    @property
    def told(self) -> str:
        """The verdict, and whether it depends on options."""
        return f"{self.verdict}, but depends on options" if self.turned_by else self.verdict

    @property
    def turned(self) -> str:
        """With which options the effect is surely on the other side, in words; "" with none."""
        return f"surely on the other side with {self.turned_by}" if self.turned_by else ""

    @property
    def in_unfit_metric(self) -> bool:
        """Whether the card of the metric says not to use it on these data: the line says nothing of explanations."""
        return self.card == NOT_HERE

    @property
    def claim(self) -> PublishedClaim:
        """What the paper says."""
        return self.asked.claim

    @property
    def role(self) -> str:
        """One of `claims_on_boards.ROLES`."""
        return self.asked.role

    @property
    def board(self) -> str:
        """The board; "" where nothing can be measured."""
        return self.asked.board

    @property
    def explainer(self) -> str:
        """The explainer that the claim is about, with its options."""
        return self.asked.label or self.claim.explainer

    @property
    def other(self) -> str:
        """The explainer that it is compared with; "" for a value."""
        return self.asked.other or self.claim.other

    @property
    def unit(self) -> str:
        """What the numbers are: "ratio", "difference" or "value"."""
        return self.measured.unit if self.measured else self.claim.unit

    @property
    def published(self) -> Printed | None:
        """The paper's numbers in `unit`; None also where a ratio could only be measured as a difference."""
        return self.printed if self.unit == self.claim.unit else None

    @property
    def on(self) -> str:
        """The data and networks of the paper's numbers, in words."""
        if self.printed is None:
            return ""
        networks = f" ({', '.join(self.printed.networks)})" if self.printed.networks else ""
        return ", ".join(self.printed.datasets) + networks

    @property
    def one_seed(self) -> bool:
        """Whether the line holds for the trainings of one seed alone."""
        return self.measured is not None and self.measured.one_seed

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks measured, without their dataset."""
        return tuple(task.partition("/")[2] for task in self.measured.tasks) if self.measured else ()

    @property
    def images(self) -> int:
        """How many different images were measured."""
        return self.measured.images if self.measured else 0


def by_claim(lines: Iterable[LedgerLine]) -> list[list[LedgerLine]]:
    """The lines of each claim, in order."""
    found: dict[str, list[LedgerLine]] = {}
    for line in lines:
        found.setdefault(line.claim.id, []).append(line)
    return list(found.values())


def with_cards(lines: Iterable[LedgerLine], uses: Uses) -> list[LedgerLine]:
    """The lines with what cards say of their metrics; variants have the card of their metric."""
    return [
        replace(line, card=uses.get((line.claim.metric.partition("@")[0], dataset_of(line.board)), ""))
        for line in lines
    ]


def ledger_table(lines: Iterable[LedgerLine]) -> pd.DataFrame:
    """The ledger as claims.csv has it, a row per line; numbers are NaN where there is none."""
    return pd.DataFrame([_row(line) for line in lines])


def _row(line: LedgerLine) -> dict[str, Any]:
    claim, published, measured = line.claim, line.published, line.measured
    return {
        "id": line.asked.id, "claim": claim.id, "role": line.role, "paper": claim.paper, "source": claim.source,
        "claimed": claim.says, "on": line.on,
        "published": published.value if published else np.nan,
        "published_low": published.low if published else np.nan,
        "published_high": published.high if published else np.nan,
        "board": line.board, "explainer": line.explainer, "other": line.other, "metric": claim.metric,
        "unit": line.unit, "measured": measured.value if measured else np.nan,
        "low": measured.low if measured else np.nan, "high": measured.high if measured else np.nan,
        "defaults": line.defaults.value if line.defaults else np.nan,
        "p": measured.p if measured else np.nan, "p_adjusted": line.p_adjusted,
        "verdict": line.verdict, "size": line.size, "turned_by": line.turned_by, "card": line.card,
        "setting": line.setting, "lacks": line.lacks,
        "command": line.command, "checks": line.checks, "floors": line.floors, "seeds": line.seeds,
        "one_seed": line.one_seed, "tasks": " ".join(line.tasks), "images": line.images,
        "cells": " ".join(line.cells),
    }  # fmt: skip
