"""A page per metric: what it is, its card with a verdict where there is one, rankings with interval bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from partbench.leaderboard.boards import about
from partbench.leaderboard.current import FLOOR
from partbench.leaderboard.metric_cards.card import Card
from partbench.leaderboard.score import Score
from partbench.leaderboard.site.boards import rankings
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.facts import Facts
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.templating import render


@dataclass(frozen=True)
class CardTables:
    """The card of a metric: rows with `dataset`, `verdict` and `reason`, and tables of its tests as rows, by title."""

    verdicts: Sequence[Mapping[str, str]]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def columns(self, title: str) -> list[str]:
        """The columns of a table, in the order in which its rows have them."""
        return list(dict.fromkeys(name for row in self.tables[title] for name in row))

    def tally(self) -> list[tuple[str, str]]:
        """Each verdict with the datasets that it holds on; without them if there is one verdict only."""
        found: dict[str, list[str]] = {}
        for row in self.verdicts:
            found.setdefault(row["verdict"], []).append(row["dataset"])
        return [(verdict, ", ".join(names) if len(found) > 1 else "") for verdict, names in found.items()]


def card_tables(cards: Iterable[Card]) -> dict[str, CardTables]:
    """The cards as the site shows them, by metric."""
    made = (card.as_json() for card in cards)
    return {one["metric"]: CardTables(one["verdicts"], one["tables"]) for one in made}


def verdicts_of(cards: Mapping[str, CardTables]) -> dict[tuple[str, str], str]:
    """The verdict of each metric and dataset."""
    return {(name, row["dataset"]): row["verdict"] for name, card in cards.items() for row in card.verdicts}


def metric_pages(
    data: SiteData, facts: Facts, cards: Mapping[str, CardTables], claims: bool
) -> Iterator[tuple[str, str]]:
    """The list of metrics and a page for each ranked one, with its variants."""
    about_each = [
        (name, data.by_metric[name][-1].higher_is_better, facts.of("metrics", name)) for name in data.ranked_metrics
    ]
    yield "metrics.html", render("metrics.html", here="metrics", metrics=about_each, cards=cards, claims=claims)
    for name, higher, fact in about_each:
        yield page_of("metrics", name), render(
            "metric.html", root="../", here="metrics", name=name, higher=higher, fact=fact, card=cards.get(name),
            boards=_boards(data, name), variants=_variants(data, name), bounds=data.bounds[name],
            claims=claims,
        )  # fmt: skip


def _boards(data: SiteData, name: str) -> list[dict[str, Any]]:
    """The ranking on each board, with the best of the floors: each floor has a page of its own."""
    found = []
    for board, scores in _by_board(data, name):
        ranked = rankings(scores)
        best = next((score for score in ranked if score.control == FLOOR), None)
        shown = [score for score in ranked if score.control != FLOOR or score is best]
        found.append({"name": board, "about": about(board), "scores": shown, "floor": best})
    return found


def _by_board(data: SiteData, name: str) -> Iterator[tuple[str, list[Score]]]:
    for board in data.boards:
        scores = [score for score in data.by_metric[name] if score.board == board]
        if any(score.value is not None for score in scores):
            yield board, scores


class OnBoard(NamedTuple):
    """Variants on a board: what differs between them, and of each explainer the score for each, None for none."""

    board: str
    values: list[str]
    rows: list[tuple[str, list[Score | None]]]


def _variants(data: SiteData, name: str) -> list[tuple[str, list[OnBoard]]]:
    """The values of `name@...` of methods by board; those of `name@part=...` together, with a column for each part."""
    families: dict[str, list[str]] = {}
    for metric in sorted(metric for metric in data.by_metric if metric.startswith(f"{name}@")):
        families.setdefault(metric[: metric.rfind("=") + 1] or metric, []).append(metric)
    found = [(family.removesuffix("="), _by_family(data, family, metrics)) for family, metrics in families.items()]
    return [(family, boards) for family, boards in found if boards]


def _by_family(data: SiteData, family: str, metrics: Sequence[str]) -> list[OnBoard]:
    found: dict[str, dict[str, dict[str, Score]]] = {}
    for metric in metrics:
        for board, scores in _by_board(data, metric):
            for score in rankings(scores):
                if score.control != FLOOR:
                    found.setdefault(board, {}).setdefault(score.label, {})[metric] = score
    boards = []
    for board, lines in found.items():
        there = [metric for metric in metrics if any(metric in line for line in lines.values())]
        rows = [(label, [line.get(metric) for metric in there]) for label, line in lines.items()]
        boards.append(OnBoard(board, [metric.removeprefix(family) or "value" for metric in there], rows))
    return boards
