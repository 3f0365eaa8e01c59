"""Directions and ratios that papers publish: what each says, and the numbers that it prints for it."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import pandas as pd

from partbench.leaderboard.published import published

RATIO, DIFFERENCE, VALUE = "ratio", "difference", "value"


@dataclass(frozen=True)
class Claim:
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
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    untested: str = ""

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


class Dataset(NamedTuple):
    """reader: whether partbench reads the data; given: whether its folder has to be named."""

    reader: bool
    given: bool
    about: str


class Paper(NamedTuple):
    """Title of a paper, and how what is measured here differs from it."""

    title: str
    differs: str


class Stated(NamedTuple):
    """All that claims.toml says; `reference` are the datasets on which every claim is to be tested."""

    claims: tuple[Claim, ...]
    reference: tuple[str, ...]
    datasets: Mapping[str, Dataset]
    kinds: Mapping[str, str]
    papers: Mapping[str, Paper]
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
        tuple(Claim(**_tuples(one)) for one in said["claim"]),
        tuple(said["reference"]),
        {name: Dataset(**one) for name, one in said["datasets"].items()},
        said["kinds"],
        {name: Paper(**one) for name, one in said["papers"].items()},
        {name: tuple(Requirement(**_tuples(one)) for one in some) for name, some in said["requirements"].items()},
    )


def _tuples(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def printed(claim: Claim, dataset: str | None = None) -> Printed | None:
    """What the paper prints for a claim in the claim's unit, over its networks; on one dataset, or on all of them.

    None without numbers, as for what a figure shows.
    """
    table = _printed(claim)
    table = table if dataset is None else table[table["dataset"] == dataset]
    if table.empty:
        return None
    values = table["value"]
    names = [tuple(sorted(set(table[name]))) for name in ("dataset", "performer")]
    return Printed(values.mean(), values.min(), values.max(), *names)


def kinds(claim: Claim) -> tuple[str, ...]:
    """The kinds of boards that a claim is about, such as `*` and `multi`; the paper's own first."""
    table = published()
    own = table.loc[(table["paper"] == claim.paper) & table["setting"].isin(claim.settings), "board"]
    return (*sorted(set(own)), *claim.also)


def _printed(claim: Claim) -> pd.DataFrame:
    """A row per number of the claim: dataset, setting, performer and value."""
    table = published()
    table = table[(table["paper"] == claim.paper) & table["table"].isin(claim.tables)]
    table = table[table["setting"].isin(claim.settings) & (table["category"] == "mean") & (table["variant"] == "")]
    table = table[table["metric"] == (claim.printed_metric or claim.metric)]
    names = ["dataset", "setting", "performer"]
    table = table.drop_duplicates([*names, "explainer"])[[*names, "explainer", "value"]]
    own = table[table["explainer"] == base(claim.explainer)].drop(columns="explainer")
    other = claim.printed_other or base(claim.other)
    if not other:
        return own.reset_index(drop=True)
    both = own.merge(table[table["explainer"] == other], on=names, suffixes=("", "_other"))
    value = both["value"] / both["value_other"] if claim.unit == RATIO else both["value"] - both["value_other"]
    return both.assign(value=value)[[*names, "value"]]


def base(label: str) -> str:
    """The explainer of a label: `top_conv` of `top_conv (network=ordinary)`."""
    return label.partition(" (")[0]
