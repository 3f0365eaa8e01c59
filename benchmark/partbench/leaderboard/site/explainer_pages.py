"""A page per explainer: what it is, scores, costs, pictures, options, source, how to run it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from partbench.leaderboard.costs import Cost
from partbench.leaderboard.score import Score
from partbench.leaderboard.site.capabilities import MEANINGS, profiles
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.facts import Facts, papers_of
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.pictures import RENDERED, Chosen
from partbench.leaderboard.site.submissions import unranked_explainers
from partbench.leaderboard.site.templating import render
from partbench.leaderboard.verdicts import A_BETTER, B_BETTER
from partbench.names import FIRST_PARTY

USUAL = "fauna/multi:*"
CONTROLS = {
    "": "A method.",
    "floor": "A floor: it sees nothing of what the network makes of an image. A score counts only if it is better.",
    "ablation": "An ablation: a method without one of its components.",
    "baseline": "A baseline: what a method must be better than.",
}


def explainer_pages(
    data: SiteData, facts: Facts, pictures: Mapping[str, Sequence[Chosen]], claims: bool
) -> Iterator[tuple[str, str]]:
    """The list of explainers and a page for each one."""
    known = {profile.explainer: profile for profile in profiles(data)}
    yield (
        "explainers.html",
        render(
            "explainers.html",
            here="explainers",
            profiles=list(known.values()),
            facts=facts,
            claims=claims,
            unranked=unranked_explainers(data),
        ),
    )
    for name, scores in sorted(data.by_explainer.items()):
        distribution = data.distributions[name]
        yield page_of("explainers", name), render(
            "explainer.html", root="../", here="explainers", profile=known[name], meanings=MEANINGS, claims=claims,
            fact=facts.of("explainers", name), papers=papers_of(name), control=CONTROLS.get(known[name].control, ""),
            metrics=_metrics(scores).items(), ranking=data.ranks, rows=_rows(data, scores), rivals=_rivals(data, name),
            pictures=pictures.get(name, ()), submitted=data.submitted.of(explainer=name),
            task=_task(scores), distribution=distribution, first_party=distribution == FIRST_PARTY,
        )  # fmt: skip


def _task(scores: Sequence[Score]) -> str:
    """The tasks of a board on which the explainer has scores: one that needs no data, if there is one."""
    boards = {(score.dataset not in RENDERED, score.board != USUAL, score.board) for score in scores}
    return min(boards)[-1]


class BoardRow(NamedTuple):
    """An explainer with some options on a board: a score for each metric, None for none; numbers in detail; costs."""

    board: str
    variant: str
    scores: list[Score | None]
    others: list[Score]
    cost: Cost


def _metrics(scores: Sequence[Score]) -> dict[str, bool | None]:
    """The metrics by which the explainer is scored, sorted, with their directions."""
    main = {score.metric: score.higher_is_better for score in scores if score.main and score.value is not None}
    return dict(sorted(main.items()))


def _rows(data: SiteData, scores: Sequence[Score]) -> list[BoardRow]:
    """A row for each board and variant; default options first."""
    found: dict[tuple[str, str], list[Score]] = {}
    for score in sorted(scores, key=lambda score: (score.variant != "", score.variant, score.board, score.metric)):
        found.setdefault((score.variant, score.board), []).append(score)
    return [_row(data, _metrics(scores), of_board) for of_board in found.values()]


def _row(data: SiteData, metrics: Iterable[str], scores: Sequence[Score]) -> BoardRow:
    """The numbers in detail are those that stand on the page of no metric."""
    one = scores[0]
    known = {score.metric: score for score in scores if score.value is not None}
    others = [score for name, score in known.items() if name.partition("@")[0] not in data.ranked_metrics]
    cost = data.costs.get(one.label, {}).get(one.board, Cost(None, None, None))
    return BoardRow(one.board, one.variant, [known.get(name) for name in metrics], others, cost)


def _rivals(data: SiteData, name: str) -> list[tuple[str, str, dict[str, int]]]:
    """Of each pair that is compared: the own label, the other one, and how often which verdict was given."""
    own = {score.label for score in data.by_explainer[name]}
    found: dict[tuple[str, str], dict[str, int]] = {}
    for (a, b, verdict), times in data.verdicts.items():
        for mine, other, better in ((a, b, A_BETTER), (b, a, B_BETTER)):
            if mine in own:
                kind = verdict if verdict.startswith("not") else ("better" if verdict == better else "worse")
                counts = found.setdefault((mine, other), {})
                counts[kind] = counts.get(kind, 0) + times
    return [(mine, other, counts) for (mine, other), counts in sorted(found.items())]
