"""Directions and ratios that papers publish: what each says, and the numbers that it prints for it."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from statistics import mean
from typing import Any, Literal, NamedTuple

from partbench.leaderboard.published import published

RATIO, DIFFERENCE, VALUE = "ratio", "difference", "value"


@dataclass(frozen=True)
class PublishedClaim:
    """A statement of a paper that results can contradict; claims.toml says what the fields are."""

    id: str
    paper: str
    source: str
    says: str
    explainer: str
    metric: str
    expected: Literal["lower", "higher"]
    unit: Literal["ratio", "difference", "value"]
    tables: tuple[str, ...]
    settings: tuple[str, ...]
    other: str = ""
    bound: float = 0.0
    printed_metric: str = ""
    printed_other: str = ""
    also: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    untested: str = ""
    least_parts: int = 0

    @property
    def sign(self) -> int:
        """1 where higher is expected, else -1."""
        return 1 if self.expected == "higher" else -1


class Requirement(NamedTuple):
    """What the mean of a metric must be, for results of an explainer to speak of its method.

    kinds: the kinds of boards that are asked; all if empty.
    """

    metric: str
    says: str
    above: float = float("-inf")
    below: float = float("inf")
    kinds: tuple[str, ...] = ()

    def met(self, value: float) -> bool:
        """Whether the mean is within the bounds; NaN is not."""
        return self.above < value < self.below


class ClaimedData(NamedTuple):
    """kinds: of the boards that partbench makes of the data.

    given: whether its folder has to be named. parts: the least number of parts of a category; None for hundreds.
    """

    kinds: tuple[str, ...]
    given: bool
    about: str
    parts: int | None = None


class ClaimedPaper(NamedTuple):
    """Title of a paper, and how what is measured here differs from it."""

    title: str
    differs: str


class Stated(NamedTuple):
    """All that claims.toml says; `reference` are the datasets on which every claim is to be tested."""

    claims: tuple[PublishedClaim, ...]
    reference: tuple[str, ...]
    datasets: Mapping[str, ClaimedData]
    kinds: Mapping[str, str]
    papers: Mapping[str, ClaimedPaper]
    requirements: Mapping[str, tuple[Requirement, ...]]


class Printed(NamedTuple):
    """The numbers that a paper prints for a claim: their mean and range, on which data, of which networks."""

    value: float
    low: float
    high: float
    datasets: tuple[str, ...]
    networks: tuple[str, ...]


@functools.cache
def stated() -> Stated:
    """The claims of the papers and what is known of their settings."""
    said = tomllib.loads((files("partbench.leaderboard") / "claims.toml").read_text(encoding="utf-8"))
    return Stated(
        tuple(PublishedClaim(**_tuples(one)) for one in said["claim"]),
        tuple(said["reference"]),
        {name: ClaimedData(**_tuples(one)) for name, one in said["datasets"].items()},
        said["kinds"],
        {name: ClaimedPaper(**one) for name, one in said["papers"].items()},
        {name: tuple(Requirement(**_tuples(one)) for one in some) for name, some in said["requirements"].items()},
    )


def _tuples(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


@functools.cache
def printed(claim: PublishedClaim, dataset: str | None = None) -> Printed | None:
    """What the paper prints for a claim in the claim's unit, over its networks; on one dataset, or on all of them.

    None without numbers, as for what a figure shows.
    """
    found = [number for number in _printed(claim) if dataset in (None, number.dataset)]
    if not found:
        return None
    values = [number.value for number in found]
    datasets = sorted({number.dataset for number in found})
    networks = sorted({number.performer for number in found} - {""})
    return Printed(mean(values), min(values), max(values), tuple(datasets), tuple(networks))


@functools.cache
def kinds(claim: PublishedClaim) -> tuple[str, ...]:
    """The kinds of boards that a claim is about, such as `*` and `multi`; the paper's own first."""
    own = {number.board for number in _means() if number.paper == claim.paper and number.setting in claim.settings}
    return (*sorted(own), *claim.also)


def lacking_parts(claim: PublishedClaim, dataset: str) -> str:
    """Why data with few parts say nothing of a claim, "" if they do."""
    data = stated().datasets.get(dataset)
    if data is None or data.parts is None or data.parts >= claim.least_parts:
        return ""
    return f"{dataset} tells {data.parts} parts apart, of which {claim.metric} says little"


def base(label: str) -> str:
    """The explainer of a label: `top_conv` of `top_conv (network=ordinary)`."""
    return label.partition(" (")[0]


class _Number(NamedTuple):
    """A printed number, or several of them made into one."""

    dataset: str
    setting: str
    performer: str
    value: float
    paper: str
    table: str
    board: str
    metric: str
    explainer: str


@functools.cache
def _means() -> tuple[_Number, ...]:
    """The means that the papers print, of explainers without options."""
    table = published()
    table = table[(table["category"] == "mean") & (table["variant"] == "")]
    return tuple(_Number(*row) for row in table[list(_Number._fields)].itertuples(index=False))


@functools.cache
def _printed(claim: PublishedClaim) -> tuple[_Number, ...]:
    """The numbers of a claim, in its unit; what several tables print counts once."""
    metric, other = claim.printed_metric or claim.metric, claim.printed_other or base(claim.other)
    found: dict[str, dict[tuple[str, ...], _Number]] = {}
    for one in _means():
        asked = (one.paper, one.metric) == (claim.paper, metric) and one.table in claim.tables
        if asked and one.setting in claim.settings:
            found.setdefault(one.explainer, {}).setdefault(one[:3], one)
    own = found.get(claim.explainer, {})
    if not other:
        return tuple(own.values())
    pairs = [(own[at], found[other][at].value) for at in own if at in found.get(other, {})]
    ratio = claim.unit == RATIO
    return tuple(one._replace(value=one.value / by if ratio else one.value - by) for one, by in pairs)
