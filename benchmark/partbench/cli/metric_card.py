"""`bench metric-card`: what a metric is worth, from results and planted runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.parameters import completion_of, json_option, results_option, results_there
from partbench.errors import unknown

if TYPE_CHECKING:
    from partbench.leaderboard.metric_cards.card import Card

Section = tuple[str, str, list[dict[Any, Any]]]  # title, text, rows of a table


@click.command("metric-card")
@click.argument("name", required=False, shell_complete=completion_of("metrics"))
@click.option("--run", "make", is_flag=True, help="First make the planted runs that are not made yet (minutes).")
@json_option
@results_option
def metric_card(name: str | None, make: bool, as_json: bool, results: Path) -> None:
    """What a metric is worth: does it tell the truth from noise, and does it order explainers the same way twice?

    NAME: a metric; without it, the verdicts on all metrics. docs/metrics.md says how they are found. Without planted
    runs beside the results, the published verdicts are shown, which come with partbench.

    \b
    Examples:
      bench metric-card                            verdicts on all metrics
      bench metric-card part_following
      bench metric-card part_following --json
      bench metric-card --run                      make planted runs, in planted/ beside the results
    """
    if make:
        _make_planted(results)
    from partbench.leaderboard.metric_cards.card import Cards
    from partbench.leaderboard.sources import Sources

    sources = Sources.of(results) if results_there(results) else None
    if sources is None or sources.planted_runs.empty:
        _print_published(name, as_json)
        return
    if name is None:
        verdicts = Cards(sources).verdicts.to_dict("records")
        _print_json(verdicts) if as_json else _print_sections([("verdicts", "", verdicts)])
        return
    if name not in sources.metrics:
        raise unknown("metric with results", name, sources.metrics)
    card = Cards(sources).card(name)
    _print_json(card.as_json()) if as_json else _print_sections(_sections(card))


def _print_published(name: str | None, as_json: bool) -> None:
    """The published verdicts on one metric or on all, as the command prints others; with a line on stderr."""
    from partbench.results.reference.cells import Reference

    found = Reference.load().verdicts
    if name is not None and name not in set(found["metric"]):
        raise unknown("metric with a published verdict", name, sorted(set(found["metric"])))
    shown = (found if name is None else found[found["metric"] == name]).to_dict("records")
    click.echo("published verdicts; `bench metric-card --run` makes planted runs, to judge by your results", err=True)
    if as_json:
        _print_json(shown if name is None else {"metric": name, "verdicts": shown, "tables": {}})
    else:
        _print_sections([(name or "verdicts", "", shown)])


def _sections(card: Card) -> list[Section]:
    """Title, text and rows of the tables of a card."""
    from partbench.leaderboard.metric_cards.pages import TEXTS, shown

    found: list[Section] = [(card.metric, "", card.verdicts.drop(columns="metric").to_dict("records"))]
    for title, table in card.tables.items():
        rows = [{column: shown(value) for column, value in row.items()} for row in table.to_dict("records")]
        found.append((title, TEXTS[title], rows))
    return found


def _make_planted(results: Path) -> None:
    from partbench.cli.workbench import open_workbench
    from partbench.results.planted import planted_folder
    from partbench.running.planted.runs import make_planted
    from partbench.running.run import one_thread

    _, workbench = open_workbench("cpu", None)
    with one_thread():
        made = make_planted(planted_folder(results), workbench, say=lambda line: click.echo(line, err=True))
    click.echo(f"{made} planted runs made", err=True)


def _print_json(found: Any) -> None:
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _print_sections(sections: Iterable[Section]) -> None:
    from partbench.cli.tables import print_table

    for title, text, rows in sections:
        print_table(title, rows)
        if text:
            click.echo(f"{text}\n")
