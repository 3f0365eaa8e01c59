"""What `bench run` ends with: its explainers beside the floors and the best published row, on the tasks of the run."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from partbench.cli.scores import arrow
from partbench.cli.tables import broken, print_table
from partbench.leaderboard.current import FLOOR, counted_control
from partbench.leaderboard.summary import Against, RunLine, sentences, summary
from partbench.leaderboard.uses import NOT_HERE, RANKS, SCREENS, Uses
from partbench.leaderboard.with_published import JoinedResults, with_published
from partbench.results.cell_file import read_table
from partbench.results.plain_text import printable
from partbench.results.reference.cells import Reference
from partbench.results.schema import label

WIDE = 150  # characters from which an interval and a verdict have columns of their own
NARROW = 22  # characters of a metric in a narrow table
FEW = 3  # explainers that have a table each; of more there are sentences alone


class Closing(NamedTuple):
    """What is to be printed. notes: what is left out, and why. own: labels of those that are no floors."""

    lines: list[RunLine]
    notes: list[str]
    own: list[str]


def closing(rows: pd.DataFrame, paths: Sequence[Path]) -> Closing:
    """Compare the explainers of a run, whose cells have these aggregate rows and files."""
    own = [label(*who) for who in zip(rows["explainer"], rows["variant"], strict=True)]
    own = list(dict.fromkeys(who for who, control in zip(own, counted_control(rows), strict=True) if control != FLOOR))
    if not own:
        return Closing([], [], own)
    reference = Reference.load()
    found = with_published(rows, _evidence(paths), reference)
    uses = reference.uses
    weights = [found.weights] if found.weights else []
    notes = [*weights, *_notes(found, rows, set(reference.rows["task"])), *_of_no_use(rows, uses)]
    return Closing(summary(found, own, uses), notes, own)


def _evidence(paths: Sequence[Path]) -> pd.DataFrame:
    """The values of images in metrics without '@'."""
    found = pa.concat_tables([_of_images(path) for path in paths]).unify_dictionaries().to_pandas()
    return found[~found["metric"].isin([name for name in found["metric"].cat.categories if "@" in name])]


def _of_images(path: Path) -> pa.Table:
    table = read_table(path, aggregates_only=False)
    return table.filter(pc.equal(table["unit_kind"], "image")).select(["cell", "metric", "unit", "value"])


def _notes(found: JoinedResults, rows: pd.DataFrame, known: Collection[str]) -> list[str]:
    """Why nothing published, or not all of it, is shown; one line. `known` are the tasks of published results."""
    if found.left_out:
        more = f" (and {len(found.left_out) - 1} more such)" if len(found.left_out) > 1 else ""
        return [f"left out: {found.left_out[0]}{more}"]
    if not found.published:
        tasks = sorted(set(rows["task"].astype(str)))
        others = len(tasks) - 1
        more = f" and {others} more {'task' if others == 1 else 'tasks'}" if others else ""
        floors = "; floors are those of this run" if (counted_control(rows) == FLOOR).any() else ""
        metrics = sorted(set(rows["metric"].astype(str).str.partition("@")[0]))
        if set(tasks) & set(known) and len(metrics) <= FEW:
            return [f"published results of {tasks[0]}{more} lack {', '.join(metrics)}{floors}"]
        return [f"nothing is published of {tasks[0]}{more} to compare with{floors}"]
    return []


def _of_no_use(rows: pd.DataFrame, uses: Uses) -> Iterator[str]:
    """Which metrics of a run stand in no table; one line, or none."""
    scored = dict.fromkeys(zip(rows["metric"].astype(str), rows["dataset"].astype(str), strict=True))
    names = sorted({metric for metric, dataset in scored if uses.get((metric, dataset)) == NOT_HERE})
    if names:
        yield f"not shown: {', '.join(names)}; do not use {'it' if len(names) == 1 else 'them'} here, say the cards"


def print_closing(found: Closing, width: int) -> bool:
    """Tables and sentences of at most this width on stdout; whether there was a table."""
    few = len(found.own) <= FEW
    for (_, who), lines in groupby(found.lines, key=lambda line: (line.board, line.explainer)):
        if few:
            some = list(lines)
            title = f"{who} on {_where(some[0])}; published: results that come with partbench"
            print_table(title, [row for line in some for row in ([_wide(line)] if width >= WIDE else _narrow(line))])
    for text in (*sentences(found.lines), *_remarks(found.lines if few else [], width), *found.notes):
        for line in textwrap.wrap(printable(text), width, break_on_hyphens=False):
            click.echo(line)
    return few and bool(found.lines)


def _remarks(lines: Sequence[RunLine], width: int) -> Iterator[str]:
    """What marks of the tables mean."""
    if any(line.use == SCREENS for line in lines):
        sign = "screens" if width >= WIDE else "metrics in ()"
        yield f"{sign}: can tell bad explanations, but gives no order that holds; see `bench metric-card NAME`"
    if alone := list(dict.fromkeys(line.explainer for line in lines if line.one_seed)):
        yield f"{_mark()} one seed: verdicts on {', '.join(alone)} hold for these fits only, not for new trainings"


def _mark() -> str:
    """The sign of a single seed, in what stdout can print."""
    try:
        "°".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "*"
    return "°"


def _where(line: RunLine) -> str:
    return line.tasks[0] if len(line.tasks) == 1 else f"{line.board} ({len(line.tasks)} tasks)"


def _wide(line: RunLine) -> dict[str, str]:
    """A row of one line."""
    use = "" if line.use == RANKS else line.use.removesuffix(" only")
    floor, best = line.floor, line.published
    return {
        "metric": _metric(line), "use": use, "you": _value(line), "95 % interval": _interval(line),
        "best floor": _named(floor), "you against floors": _verdict(floor),
        "best published": _named(best), "you against it": _verdict(best),
    }  # fmt: skip


def _narrow(line: RunLine) -> list[dict[str, str]]:
    """Two rows, or three for a long name: the interval and the verdicts stand below the values."""
    metric = _metric(line) if line.use in ("", RANKS) else f"({_metric(line)})"
    sides = {"best floor": line.floor, "best published": line.published}
    below = {"you": _interval(line)} | {name: _verdict(side) for name, side in sides.items()}
    first = {"you": _value(line)} | {name: _named(side) for name, side in sides.items()}
    names, texts = broken(metric, NARROW).split("\n"), [first, below]
    height = max(len(names), len(texts))
    names, texts = names + [""] * (height - len(names)), texts + [{}] * (height - len(texts))
    return [{"metric": name, **text} for name, text in zip(names, texts, strict=True)]


def _metric(line: RunLine) -> str:
    return f"{line.metric}{arrow(line.higher_is_better)}"


def _value(line: RunLine) -> str:
    return number(line.value) + (_mark() if line.one_seed else "")


def _interval(line: RunLine) -> str:
    return "" if pd.isna(line.low) else f"{number(line.low)} to {number(line.high)}"


def _named(side: Against | None) -> str:
    return "" if side is None else f"{side.label} {number(side.value)}"


def _verdict(side: Against | None) -> str:
    return "" if side is None else side.verdict


def number(value: float) -> str:
    """Three decimals, never "-0.000"."""
    text = f"{value:.3f}"
    return text if float(text) else text.removeprefix("-")
