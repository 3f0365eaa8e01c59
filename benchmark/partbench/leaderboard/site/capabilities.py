"""What explainers can do, as far as results show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from partbench.leaderboard.costs import Cost
from partbench.leaderboard.current import UNRANKED
from partbench.leaderboard.score import Score
from partbench.leaderboard.site.data import SiteData
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS
from partbench.leaderboard.uses import RANKS, SCREENS

_OF_LOGITS = {"accuracy", "average_precision", "balanced_accuracy"}
_OF_CONTRIBUTIONS = {"contribution_entropy", "contribution_error"}
MEANINGS = {
    "maps": "Maps: it marks regions of the image",
    "logits": "Logits: it predicts the network's answer",
    "contributions": "Contributions: it says how much each concept adds to the answer",
    "unchanged": "No retraining: it explains the network as it is",
}


@dataclass(frozen=True)
class Profile:
    """What one explainer does and costs; `has` are keys of MEANINGS.

    `first_in` are the metrics in which nothing is surely better and every floor surely worse, with on how many boards;
    `passes` the same of metrics that do not rank, only screen.
    """

    explainer: str
    control: str
    has: tuple[str, ...]
    cost: Cost
    first_in: tuple[tuple[str, int], ...]
    passes: tuple[tuple[str, int], ...]
    boards: int

    @property
    def method(self) -> bool:
        """Whether it is neither a floor nor an ablation."""
        return self.control not in UNRANKED


def profiles(data: SiteData) -> list[Profile]:
    """A profile of each explainer with its default options (any, where it has no others), by name.

    A metric without a card is taken to rank.
    """
    return [_profile(name, scores, data) for name, scores in sorted(data.by_explainer.items())]


def _profile(name: str, scores: list[Score], data: SiteData) -> Profile:
    default = [score for score in scores if not score.variant] or scores
    scored = [score for score in default if score.value is not None]
    labels = {score.label for score in default}
    costs = [cost for label in sorted(labels) for cost in data.costs.get(label, {}).values()]
    first: dict[str, dict[str, int]] = {RANKS: {}, SCREENS: {}}
    for score in scored:
        of_verdict = first.get(data.use(score.metric, score.dataset) or RANKS)
        if of_verdict is not None and score.main and score.method and score.first and score.proven:
            of_verdict[score.metric] = of_verdict.get(score.metric, 0) + 1
    return Profile(
        explainer=name, control=default[0].control, has=tuple(_has(scored, name in data.unchanged)),
        cost=_mean(costs),
        first_in=_most_first(first[RANKS]),
        passes=_most_first(first[SCREENS]),
        boards=len({score.board for score in default}),
    )  # fmt: skip


def _most_first(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _has(scored: list[Score], unchanged: bool) -> Iterable[str]:
    metrics = {score.metric for score in scored if score.main}
    if metrics - set(METRICS_WITHOUT_MAPS):
        yield "maps"
    if metrics & _OF_LOGITS:
        yield "logits"
    if metrics & _OF_CONTRIBUTIONS:
        yield "contributions"
    if unchanged:
        yield "unchanged"


def _mean(costs: list[Cost]) -> Cost:
    """Means of means over boards; the most memory."""
    fit = [cost.fit_seconds for cost in costs if cost.fit_seconds is not None]
    image = [cost.image_seconds for cost in costs if cost.image_seconds is not None]
    peak = [cost.peak_mb for cost in costs if cost.peak_mb is not None]
    return Cost(
        sum(fit) / len(fit) if fit else None, sum(image) / len(image) if image else None, max(peak, default=None)
    )
