"""A page per metric: what it is, its card with a verdict where there is one, rankings with interval bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


def metric_pages(
    data: SiteData, facts: Facts, cards: Mapping[str, CardTables], claims: bool
) -> Iterator[tuple[str, str]]:
    """The list of metrics and a page for each ranked one, with its variants."""
    about_each = [
        (name, data.by_metric[name][-1].higher_is_better, facts.of("metrics", name)) for name in data.ranked_metrics
    ]
    yield "metrics.html", render("metrics.html", here="metrics", metrics=about_each, cards=cards, claims=claims)
    for name, higher, fact in about_each:
        boards = _rankings(data, name)
        yield page_of("metrics", name), render(
            "metric.html", root="../", here="metrics", name=name, higher=higher, fact=fact, card=cards.get(name),
            boards=boards, variants=any(board.variants for board in boards), bounds=data.bounds[name], claims=claims,
        )  # fmt: skip


class Ranking(NamedTuple):
    """A metric on a board: names of its variants there, and the scores with those of the variants, None for none.

    Of floors the best one is there: each has a page of its own.
    """

    name: str
    variants: list[str]
    lines: list[tuple[Score, list[Score | None]]]


def _rankings(data: SiteData, name: str) -> list[Ranking]:
    """Of each board on which an explainer has a value."""
    of_boards: dict[str, dict[str, list[Score]]] = {}
    for metric in sorted(data.by_metric):
        for score in data.by_metric[metric] if metric.partition("@")[0] == name else ():
            of_boards.setdefault(score.board, {}).setdefault(metric, []).append(score)
    found = [_ranking(board, name, of_boards[board]) for board in data.boards if name in of_boards.get(board, {})]
    return [ranking for ranking in found if any(score.value is not None for score, _ in ranking.lines)]


def _ranking(board: str, name: str, scores: Mapping[str, Sequence[Score]]) -> Ranking:
    values = {
        metric: {score.label: score for score in some if score.value is not None and score.control != FLOOR}
        for metric, some in scores.items()
        if metric != name
    }
    variants = [metric for metric, found in values.items() if found]
    ranked = rankings(scores[name])
    best = next((score for score in ranked if score.control == FLOOR), None)
    shown = [score for score in ranked if score.control != FLOOR or score is best]
    told = {label for found in values.values() for label in found}
    shown += [score for score in scores[name] if score.value is None and score.label in told]
    lines = [(score, [values[metric].get(score.label) for metric in variants]) for score in shown]
    return Ranking(board, [metric.removeprefix(name) for metric in variants], lines)
