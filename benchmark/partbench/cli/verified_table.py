"""What `bench verify` and `bench accept` print of cells that were run again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.results.plain_text import printable

if TYPE_CHECKING:
    from partbench.results.agreement import ComparedValue
    from partbench.running.verification import Verification


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
        if not line.within or (line.main and (every or (few and "@" not in line.what)))
    ]
    if rows:
        print_table("", rows)
    for one in verifications:
        click.echo(printable(f"{one.label}: {_summary(one)}"))
    good = sum(one.within for one in verifications)
    click.echo(f"{good} of {len(verifications)} cells agree with what was reported")


def in_json(one: Verification) -> dict[str, Any]:
    """A verification as JSON."""
    from partbench.results import json_values

    lines = [{name: json_values.in_json(value) for name, value in vars(line).items()} for line in one.lines]
    return {"cell": one.place, "label": one.label, "within": one.within, "fault": one.fault, "values": lines}


def _summary(one: Verification) -> str:
    if one.fault:
        return f"not verified, {one.fault}"
    outside, equal = sum(not line.within for line in one.lines), sum(line.equal for line in one.lines)
    if outside:
        return f"{outside} of {len(one.lines)} values do not agree"
    if equal == len(one.lines):
        return f"all {equal} values are equal to the bit"
    where = "though host, device and torch are the same" if one.machine else "on another machine type"
    return f"all {len(one.lines)} values agree, {equal} to the bit, {where}"


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
