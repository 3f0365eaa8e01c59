"""`bench compare`: two explainers, image by image."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import completion_of, json_option, results_option, results_there
from partbench.errors import InputError, unknown

if TYPE_CHECKING:
    import pandas as pd

WIDE, NARROW = 120, 22  # characters from which every number has a column of its own; of a metric in other tables
LEAST_P = 1e-4  # smaller p values are printed as "< .0001"
ROUNDING = 1e-12  # a smaller difference comes from the rounding of sums, and is printed as 0


@click.command()
@click.argument("a", metavar="A", shell_complete=completion_of("explainers"))
@click.argument("b", metavar="B", shell_complete=completion_of("explainers"))
@click.option("--task", metavar="GLOB", help="Only these tasks, such as 'fauna/multi:*' or fauna/multi:bird.",
              shell_complete=completion_of("tasks"))  # fmt: skip
@click.option("--metric", metavar="M", help="Only this metric.", shell_complete=completion_of("metrics"))
@click.option("--scope", type=click.Choice(["these", "new"]), default="these", show_default=True,
              help="These categories, or new ones like them (four tasks or more).")  # fmt: skip
@json_option
@results_option
def compare(a: str, b: str, task: str | None, metric: str | None, scope: str, as_json: bool, results: Path) -> None:
    """Compare explainers A and B on every board on which both have results.

    A and B are explainers with their options, as on the leaderboards: srae, 'srae (profile=released)'. One that is not
    among your results is looked for among the published ones that come with partbench: default options, on the same
    tasks, data and kind of device. Self-reported results are compared if no others of that name are there, with a mark.

    The difference is A - B; an arrow says whether higher or lower is better. "Better" is what the board itself says,
    where it compares the two on all of its tasks; p is adjusted over all pairs of the board. Elsewhere (variants,
    floors, some tasks, published results) "ahead" is said within the lines of the table alone: p is adjusted over
    these. The interval is that of one row. On an image: the probability that A is better on an image. * marks
    explainers with one seed: the verdict holds for these trainings alone. Terminals of less than 120 characters show
    the difference, the interval, p and the verdict alone. Metrics in (): their cards say that they do
    not rank explainers. Patterns of tasks are those of `bench run --task`.

    \b
    Examples:
      bench compare srae nn
      bench compare interp_cnn 'top_conv (network=ordinary)' --task 'fauna/*' --metric location_instability
      bench compare srae nn --scope new --json
    """
    from partbench.leaderboard.boards import dataset_of
    from partbench.leaderboard.compared import Asked, compared
    from partbench.leaderboard.submitted import MARK
    from partbench.leaderboard.with_published import differing_weights
    from partbench.leaderboard.with_self_reported import with_self_reported
    from partbench.results.reference.cells import Reference

    dataset = (task or "*").partition("/")[0]
    datasets = None if set(dataset) & set("*?[") else [dataset]
    frame, images = _own_results(results, datasets)
    rows, reported = with_self_reported(frame, (a, b))
    rows, images, published = _beside_published(rows, images, (a, b))
    weights = differing_weights(_of_pair(rows, (a, b), task))
    found = compared(rows, images, (a, b), Asked(task, metric, scope), whole=not published and not reported)
    uses = Reference.load().uses
    found["use"] = [uses.get((row.metric, dataset_of(row.board)), "") for row in found.itertuples()]
    if as_json:
        of_others = {
            "published": [name for name in (a, b) if name in published],
            "self_reported": [name for name in (a, b) if name in reported],
        }
        click.echo(json.dumps([_in_json(row) | of_others for row in found.to_dict("records")], indent=1))
        return
    from partbench.cli.tables import print_table, table_width

    lines_of = _wide if table_width() >= WIDE else _narrow
    for board, of_board in found.groupby("board", sort=True):
        marks = dict.fromkeys(published, " (published)") | dict.fromkeys(reported, f" {MARK}")
        shown = " - ".join(f"{name}{marks.get(name, '')}" for name in (a, b))
        print_table(f"{board}: {shown}", [line for row in of_board.to_dict("records") for line in lines_of(row)])
    for text in (*_remarks(found), *filter(None, [weights])):
        click.echo(text)
    if reported:
        click.echo(f"{MARK}: self-reported, not verified here; no board says any of this")


def _own_results(results: Path, datasets: list[str] | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the user and their evidence; without a folder of results none."""
    import pandas as pd

    from partbench.results.store import load_with_evidence

    if results_there(results):
        return load_with_evidence(results, datasets)
    none = pd.DataFrame(columns=["label", "scored"])
    return none, none


def _of_pair(rows: pd.DataFrame, names: tuple[str, str], task: str | None) -> pd.DataFrame:
    """The rows of two explainers on the tasks asked for."""
    from partbench.leaderboard.current import current
    from partbench.task_globs import matches

    rows = current(rows)
    rows = rows[rows["label"].isin(names)]
    return rows if task is None else rows[[matches(name, task) for name in rows["task"]]]


def _remarks(found: pd.DataFrame) -> Iterator[str]:
    """What "ahead", "()" and "~" in the table mean, if they occur."""
    from partbench.leaderboard.compared import LINES
    from partbench.leaderboard.uses import RANKS

    count = int((found["family"] == LINES).sum())
    if count:
        where = "this line" if count == 1 else f"these {count} lines"
        which = f"{where} alone" if count == len(found) else f"{where} alone, which no board compares"
        yield f"ahead: within {which} (Holm's method); the leaderboard does not say so"
    if not found["use"].isin(["", RANKS]).all():
        yield "metrics in (): their cards say that they do not rank explainers here; see `bench metric-card NAME`"
    if found["far_out"].any():
        yield "~: a few images lie far out; p is of the differences without them (docs/statistics.md)"


def _beside_published(
    rows: pd.DataFrame, images: pd.DataFrame, names: tuple[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, Collection[str]]:
    """Rows and evidence with those of published explainers for `names` that lack results, and the labels of these."""
    from partbench.leaderboard.current import current
    from partbench.leaderboard.with_published import published_alone, with_published
    from partbench.results.reference.cells import Reference

    rows = current(rows)
    absent = [name for name in names if name not in set(rows["label"])]
    if not absent:
        return rows, images, ()
    reference = Reference.load()
    known = set(reference.rows["explainer"])  # all have default options
    if strangers := [name for name in absent if name not in known]:
        raise unknown("explainer among your results or the published ones", strangers[0], known | set(rows["label"]))
    if set(absent) <= known and len(absent) == len(names):
        found = published_alone(reference, absent)
        return found.rows, found.images, found.published
    # The tasks of the explainer that is there are those to compare on.
    there = rows[rows["label"].isin(names)]
    found = with_published(there, images[images["cell"].isin(set(there["cell"]))], reference, absent)
    if not found.published:
        if set(absent) <= known and found.left_out:
            raise InputError(f"published results of {absent[0]} do not fit yours: {found.left_out[0]}")
        return rows, images, ()
    return found.rows, found.images, found.published


def _wide(row: dict[Any, Any]) -> list[dict[str, str]]:
    """A line of the table."""
    from partbench.cli.scores import arrow
    from partbench.leaderboard.uses import RANKS

    interval = "" if math.isnan(row["low"]) else f"{_signed(row['low'])} to {_signed(row['high'])}"
    known = not math.isnan(row["difference"])
    metric = f"{row['metric']}{arrow(row['higher_is_better'])}"
    return [{
        "metric": metric if row["use"] in ("", RANKS) else f"({metric})",
        "difference": _signed(row["difference"]) if known else "",
        "95 % interval": interval,
        "adjusted p": _p(row["p_adjusted"]) + (" ~" if row["far_out"] else ""),
        "on an image": f"{row['better']:.2f}" if known else "",
        "images": f"{row['images']}/{row['of_images']}",
        "verdict": _verdict(row) + (" *" if row["one_seed"] else ""),
    }]  # fmt: skip


def _narrow(row: dict[Any, Any]) -> list[dict[str, str]]:
    """Two lines, or three for a long name: the interval and p stand below the difference and the verdict."""
    from partbench.cli.tables import broken

    [line] = _wide(row)
    names = broken(line["metric"], NARROW).split("\n")
    p = f"p {line['adjusted p']}" if line["adjusted p"].startswith("<") else f"p = {line['adjusted p']}"
    below = {"difference": line["95 % interval"], "verdict": p if line["adjusted p"] else ""}
    texts = [{"difference": line["difference"], "verdict": line["verdict"]}, below, {}]
    height = max(2, len(names))
    return [{"metric": name, **text} for name, text in zip(names + [""] * (height - len(names)), texts, strict=False)]


def _signed(value: float) -> str:
    return "0" if abs(value) < ROUNDING else f"{value:+.3g}"


def _verdict(row: dict[Any, Any]) -> str:
    """The verdict with the explainer's name in place of "a" or "b": without options, where these are not needed."""
    names = [row[side].partition(" (")[0] for side in "ab"]
    side, _, word = row["verdict"].partition(" ")
    if side not in ("a", "b"):
        return str(row["verdict"])
    return f"{row[side] if names[0] == names[1] else names['ab'.index(side)]} {word}"


def _p(value: float) -> str:
    """An adjusted p as printed; "" for NaN."""
    if math.isnan(value):
        return ""
    return "< .0001" if value < LEAST_P else f"{value:.2g}"


def _in_json(row: dict[Any, Any]) -> dict[str, Any]:
    """A row as JSON; a p too small for a float is the smallest one above 0."""
    from partbench.results.json_values import in_json

    row = row | {name: max(row[name], sys.float_info.min) for name in ("p", "p_adjusted") if row[name] == 0}
    return {name: in_json(value) for name, value in row.items()}
