"""What `bench verify` and `bench accept` print of cells that were run again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.results.plain_text import printable

if TYPE_CHECKING:
    from partbench.results.agreement import ComparedValue
    from partbench.running.verification import State, Verification


STATES: Mapping[State, str] = {
    "trained anew": "trained anew, as far off as another seed",
    "does not agree": "does not agree",
    "other weights": "not compared, since the performer has other weights here",
    "not verified": "not verified",
}
FEW = 2  # cells of which the values of metrics are shown, whether they differ or not


def print_verifications(verifications: Sequence[Verification], every: bool = False) -> None:
    """A table of the values that differ, and a line for each cell.

    Of few cells the table has all metrics without their variants, with `every` all metrics of all cells.
    """
    from partbench.cli.tables import print_table

    few = len(verifications) <= FEW
    rows = [
        _shown(one, line)
        for one in verifications
        for line in one.lines
        if (not line.within and one.state != "other weights")
        or (line.main and (every or (few and "@" not in line.what)))
    ]
    if rows:
        print_table("", rows)
    for one in verifications:
        click.echo(printable(f"{one.label}: {_summary(one)}"))
    click.echo(_counted(verifications))


def in_json(one: Verification) -> dict[str, Any]:
    """A verification as JSON."""
    from partbench.results import json_values
    from partbench.results.agreement import share_within  # imports pandas, which each command would wait for

    lines = [{name: json_values.in_json(value) for name, value in vars(line).items()} for line in one.lines]
    about = {"cell": one.place, "label": one.label, "state": one.state, "within": one.within, "fault": one.fault}
    about |= {"machine": one.machine, "weights": one.weights}
    return {**about, "share": json_values.in_json(share_within(one.lines)), "values": lines}


def _counted(verifications: Sequence[Verification]) -> str:
    """How many cells are in which state: of the other states than agreement, those that occur."""
    count = Counter(one.state for one in verifications)
    said = [f"{count['agrees']} of {len(verifications)} cells agree with what was reported"]
    said += [f"{words}: {count[state]}" for state, words in STATES.items() if count[state]]
    return "; ".join(said)


def _summary(one: Verification) -> str:
    from partbench.results.agreement import SEED_SHARE, share_within

    if one.fault:
        return f"not verified, {one.fault}"
    if one.state == "other weights":
        return f"not compared, {one.performer} was trained on another machine: its weights differ"
    every, equal = len(one.lines), sum(line.equal for line in one.lines)
    outside = sum(not line.within for line in one.lines)
    share = f"{share_within(one.lines):.1%} of the values of metrics and ends of intervals agree"
    if one.state == "trained anew":
        return f"trained anew, as far off as another seed: {share}{_where(one)}"
    if equal == every:
        return f"all {equal} values are equal to the bit"
    if not outside:
        return f"all {every} values agree, {equal} to the bit{_where(one)}"
    expected = f"; {share}, expected at least {SEED_SHARE:.0%}" if one.trained and one.machine != "same" else ""
    return f"{outside} of {every} values do not agree{_where(one)}{expected}"


def _where(one: Verification) -> str:
    """On which machine, as the rows of both cells say."""
    if one.machine == "same":
        return ", though processor, device, threads and torch are the same"
    if one.machine == "another":
        return ", on another type of machine"
    unknown = "processor" if one.weights != "unknown" else f"processor and weights of {one.performer}"
    return f", on an unknown machine (the cell does not say {unknown})"


def _shown(one: Verification, line: ComparedValue) -> dict[str, Any]:
    return {
        "cell": Path(one.place).stem, "metric": line.what, "reported": _number(line.reported),
        "found": _number(line.found), "difference": _number(line.difference), "allowed": _number(line.tolerance),
        "within": "equal" if line.equal else "yes" if line.within else "NO",
    }  # fmt: skip


def _number(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"
