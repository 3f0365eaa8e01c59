"""A page per explainer: what it is, scores, costs, pictures, options, source, how to run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from partbench.leaderboard.boards import about
from partbench.leaderboard.costs import Cost
from partbench.leaderboard.score import Score
from partbench.leaderboard.site.capabilities import MEANINGS, profiles
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.site.facts import Facts, papers_of
from partbench.leaderboard.site.links import page_of
from partbench.leaderboard.site.pictures import Chosen
from partbench.leaderboard.site.submissions import unranked_explainers
from partbench.leaderboard.site.templating import render
from partbench.leaderboard.verdicts import A_BETTER, B_BETTER
from partbench.names import FIRST_PARTY

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
            labels=_labels(data, scores), rivals=_rivals(data, name), pictures=pictures.get(name, ()),
            runs=_runs(data, name), submitted=data.submitted.of(explainer=name),
            distribution=distribution, first_party=distribution == FIRST_PARTY,
        )  # fmt: skip


def _labels(data: SiteData, scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The boards of each variant that has a value: scores that are ranked, and what is on the page of no metric."""
    found: dict[str, dict[str, list[Score]]] = {}
    told = {*data.ranked_metrics}
    for score in sorted(scores, key=lambda score: (score.variant != "", score.variant, score.board, score.metric)):
        if score.value is not None and (score.main or score.metric.partition("@")[0] not in told):
            found.setdefault(score.label, {}).setdefault(score.board, []).append(score)
    return [
        {"label": label, "boards": [_on_board(board, of_board) for board, of_board in boards.items()]}
        for label, boards in found.items()
    ]


def _on_board(board: str, scores: Sequence[Score]) -> dict[str, Any]:
    main = [score for score in scores if score.main]
    return {"name": board, "about": about(board), "main": main, "others": [s for s in scores if not s.main]}


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


def _runs(data: SiteData, name: str) -> list[tuple[str, str, Cost]]:
    """Costs by board and label."""
    labels = sorted({score.label for score in data.by_explainer[name]})
    return [(board, label, cost) for label in labels for board, cost in data.costs.get(label, {}).items()]
