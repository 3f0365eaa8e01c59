"""The ledger of claims: what the papers publish, what the results say of it, and in which setting.

Claims are data (claims.toml, published.csv). Verdicts are computed from the evidence of images, never typed;
docs/claims.md has their rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from partbench.functional.statistics import holm
from partbench.leaderboard.claims_evidence import ClaimEvidence
from partbench.leaderboard.claims_lines import CLAIM, OPTION, READING, LedgerLine, command, dataset_of, lines_of
from partbench.leaderboard.claims_measured import MeasuredClaim, measured, reported
from partbench.leaderboard.claims_stated import Printed, lacking_parts, printed, stated
from partbench.leaderboard.current import current
from partbench.leaderboard.judged import Judged, judged
from partbench.leaderboard.standings import standings_of
from partbench.leaderboard.verdicts import ALPHA, NOT_COMPARABLE, UNDECIDED

HOLDS, FAILS, NOT_REPRODUCED = "holds", "does not", "setting not reproduced"
VERDICTS = (HOLDS, FAILS, UNDECIDED, NOT_COMPARABLE, NOT_REPRODUCED)
COLUMNS = ["id", "claim", "role", "paper", "source", "claimed", "on", "published", "published_low", "published_high"]
COLUMNS += ["board", "explainer", "other", "metric", "unit", "measured", "low", "high", "defaults", "p", "p_adjusted"]
COLUMNS += ["verdict", "size", "setting", "lacks", "command", "checks", "floors", "seeds", "one_seed", "tasks"]
COLUMNS += ["images", "cells"]


def ledger(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row per claim and board, with the verdict; `rows` are those of `load_results`, `images` of `load_evidence`.

    Every claim of claims.toml has rows, whether or not there are results. `role` is "claim" for default options, else
    "reading" (another reading of the metric), "option" or "ablation" (other options of the paper's explainer). No two
    rows share an `id`: the claim, the board and, for these roles, what differs. `claimed`, `source` and `on` say what
    the paper says, where, and of which data and networks. `published` is its number in `unit` (a ratio to the other
    explainer, a difference from it, or a value), the mean over its networks with their range.

    `measured` has the 95 % interval `low`, `high`; `defaults` is what default options give on the same tasks. `p` is
    two-sided; `p_adjusted` is Holm's over the claims that can be tested, or over the rows of other roles, rows of one
    seed apart. `verdict` is one of `VERDICTS`; `size` compares the interval with the published range. `setting` says
    how near the board is to the paper, `lacks` why nothing is concluded, `command` how to measure what was not run.
    `checks` tell whether networks and losses work here, `floors` which explainers are not surely better than every
    floor. `tasks` and `seeds` are separated by spaces; `cells` names the files of results.
    """
    rows = current(rows)
    found = judged(rows, images)
    return ledger_of(found, rows, standings_of(found))


def ledger_of(found: Judged, rows: pd.DataFrame, standings: pd.DataFrame) -> pd.DataFrame:
    """`ledger`, from rows of `current`, what the evidence says of them, and the standings that these make."""
    evidence = ClaimEvidence.of(found, rows, standings)
    made = [_row(line, evidence) for claim in stated().claims for line in lines_of(claim, evidence)]
    table = pd.DataFrame(made, columns=[*COLUMNS, "direction", "testable"])
    return _judged(table)[COLUMNS].reset_index(drop=True)


def _row(line: LedgerLine, found: ClaimEvidence) -> dict[str, Any]:
    claim, labels = line.claim, (line.label, line.other)
    number = _measure(line, found)
    numbers = printed(claim, dataset_of(line.board)) or printed(claim)
    checks, failed = found.checks(line.board, labels)
    run = "" if number or line.lacks else command(filter(None, labels), line.board)
    failed = lacking_parts(claim, dataset_of(line.board)) or failed
    lacks = line.lacks or (failed if number else _lacks(line, found))
    floors = found.floors(line.board, labels, claim.metric) if number else ""
    row = {
        "id": line.id, "claim": claim.id, "role": line.role, "paper": claim.paper, "source": claim.source,
        "claimed": claim.says, "on": _on(numbers), **_published(numbers), "board": line.board,
        "explainer": line.label or claim.explainer, "other": line.other or claim.other, "metric": claim.metric,
        "unit": claim.unit, "verdict": NOT_REPRODUCED, "setting": _near(line, numbers, found), "lacks": lacks,
        "command": run, "checks": checks, "floors": floors, "seeds": "",
        "one_seed": False, "tasks": "", "images": 0, "cells": (), "testable": number is not None and not lacks,
    }  # fmt: skip
    return row | (_of(number, line, found, lacks) if number else {})


def _measure(line: LedgerLine, found: ClaimEvidence) -> MeasuredClaim | None:
    claim, names = line.claim, {line.label, line.other} - {""}
    board = found.stacks.get((line.board, claim.metric))
    if board is not None:
        return measured(claim, board, line.label, line.other) if names <= set(board.aligned.labels) else None
    row = found.reports.get((line.board, line.label, claim.metric))
    return None if row is None or line.other else reported(claim, row)


def _of(number: MeasuredClaim, line: LedgerLine, found: ClaimEvidence, lacks: str) -> dict[str, Any]:
    """The columns of what was measured."""
    key = line.board, line.label, line.claim.metric
    tasks = number.tasks or found.tasks(key)
    row = {
        "unit": number.unit, "measured": number.value, "low": number.low, "high": number.high, "p": number.p,
        "defaults": _defaults(line, found, tasks), "seeds": found.seeds(key, tasks), "one_seed": number.one_seed,
        "tasks": " ".join(task.partition("/")[2] for task in tasks), "images": number.images,
        "direction": number.direction,
        "cells": found.files(line.board, (line.label, line.other), line.claim.metric, tasks),
    }  # fmt: skip
    if number.unit != line.claim.unit:
        row |= _published(None)
    return row if number.comparable or lacks else row | {"verdict": NOT_COMPARABLE, "testable": False}


def _defaults(line: LedgerLine, found: ClaimEvidence, tasks: tuple[str, ...]) -> float:
    """What the default options give on the tasks of other options, in the same unit."""
    claim, board = line.claim, found.stacks.get((line.board, line.claim.metric))
    names = {claim.explainer, claim.other} - {""}
    if line.role in (CLAIM, READING) or board is None or not names <= set(board.aligned.labels):
        return np.nan
    number = measured(claim, board, claim.explainer, claim.other, tasks)
    return number.value if number else np.nan


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Adjusts p over what is tested together, and gives the verdicts."""
    adjusted, p = np.full(len(table), np.nan), table["p"].to_numpy(float)
    testable, one_seed = table["testable"].to_numpy(bool), table["one_seed"].to_numpy(bool)
    claims = (table["role"] == CLAIM).to_numpy(bool)
    for together in (some & ones for some in (claims, ~claims) for ones in (one_seed, ~one_seed)):
        adjusted[together & testable] = holm(p[together & testable])
    sure = np.where(adjusted < ALPHA, table["direction"].to_numpy(float), 0.0)
    words = np.select([sure > 0, sure < 0], [HOLDS, FAILS], UNDECIDED)
    table = table.assign(p_adjusted=adjusted, verdict=np.where(testable, words, table["verdict"]))
    table = _unless_one_training(_unless_options_hold(table))
    size = [_size(row, one) for row, one in zip(table.to_dict("records"), table["verdict"], strict=True)]
    return table.assign(size=size)


def _unless_options_hold(table: pd.DataFrame) -> pd.DataFrame:
    """A claim that holds with other options of the method depends on the setting: nothing is said against it."""
    key = ["claim", "board"]
    held = table[(table["role"] == OPTION) & (table["verdict"] == HOLDS)].groupby(key)["explainer"].agg(", ".join)
    against = table[table["role"].isin([CLAIM, READING]) & (table["verdict"] == FAILS)]
    for at, *where in against[key].itertuples():
        if names := held.get(tuple(where)):
            table.loc[at, ["verdict", "lacks"]] = NOT_REPRODUCED, f"it depends on options, and holds with {names}"
    return table


def _unless_one_training(table: pd.DataFrame) -> pd.DataFrame:
    """A single training may fail for reasons of its own: nothing is said against a claim."""
    alone = table["one_seed"].astype(bool) & table["role"].isin([CLAIM, READING]) & (table["verdict"] == FAILS)
    table.loc[alone, ["verdict", "lacks"]] = NOT_REPRODUCED, "surely in the opposite direction, but in one training"
    return table


def _size(row: dict[str, Any], verdict: str) -> str:
    """Whether the effect that holds is as large as in the paper."""
    if verdict != HOLDS or pd.isna(row["published"]) or pd.isna(row["low"]):
        return ""
    if row["low"] <= row["published_high"] and row["high"] >= row["published_low"]:
        return "as published"
    above = row["low"] > row["published_high"]
    higher = next(claim.expected for claim in stated().claims if claim.id == row["claim"]) == "higher"
    return "stronger than published" if above == higher else "weaker than published"


def _near(line: LedgerLine, numbers: Printed | None, found: ClaimEvidence) -> str:
    """How near the setting of a board is to the paper's."""
    if not line.board or numbers is None:
        return ""
    if dataset_of(line.board) not in numbers.datasets:
        return "same kind of task, other data"
    same = found.performer(line.board) in numbers.networks
    return "same data and network" if same else "same data, other network"


def _lacks(line: LedgerLine, found: ClaimEvidence) -> str:
    """Why nothing was measured."""
    names = [name for name in (line.label, line.other) if name]
    if absent := [name for name in names if (line.board, name) not in found.ran]:
        return f"not run: {', '.join(absent)}"
    return found.why(line.board, names, line.claim.metric) or "no images on which both have a value"


def _published(numbers: Printed | None) -> dict[str, float]:
    value, low, high = (numbers.value, numbers.low, numbers.high) if numbers else (np.nan, np.nan, np.nan)
    return {"published": value, "published_low": low, "published_high": high}


def _on(numbers: Printed | None) -> str:
    """The data and networks of the published numbers, in words."""
    if numbers is None:
        return ""
    networks = f" ({', '.join(numbers.networks)})" if numbers.networks else ""
    return ", ".join(numbers.datasets) + networks
