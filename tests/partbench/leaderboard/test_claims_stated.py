from __future__ import annotations

from collections import Counter

import pytest

from partbench.leaderboard.claims_stated import RATIO, PublishedClaim, Requirement, base, kinds, printed, stated
from partbench.leaderboard.published import proposed, published, published_pairs
from partbench.registry import load

CLAIMS = stated().claims


def named(claim: PublishedClaim) -> str:
    return claim.id


def test_the_ids_of_claims_differ() -> None:
    assert max(Counter(claim.id for claim in CLAIMS).values()) == 1


@pytest.mark.parametrize("claim", CLAIMS, ids=named)
def test_every_claim_is_of_a_paper_about_the_explainer_that_it_proposes(claim: PublishedClaim) -> None:
    assert claim.explainer == proposed()[claim.paper]
    assert claim.paper in stated().papers
    assert claim.says
    assert claim.source


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if not claim.untested], ids=named)
def test_the_printed_numbers_of_a_claim_are_on_its_side(claim: PublishedClaim) -> None:
    numbers = printed(claim)
    assert numbers is not None
    neutral = 1.0 if claim.unit == RATIO else claim.bound
    assert (numbers.value - neutral) * claim.sign > 0
    assert numbers.low <= numbers.value <= numbers.high
    tables = set(published().loc[published()["paper"] == claim.paper, "table"])
    assert set(claim.tables) <= tables


def test_every_comparison_that_a_paper_prints_for_its_own_explainer_is_claimed() -> None:
    claimed = {
        (claim.paper, claim.printed_metric or claim.metric, claim.printed_other or base(claim.other), setting)
        for claim in CLAIMS
        for setting in claim.settings
    }
    pairs = published_pairs()
    every = set(zip(pairs["paper"], pairs["metric"], pairs["other"], pairs["setting"], strict=True))
    assert every - claimed == set()


def test_numbers_printed_twice_count_once_and_ratios_are_of_one_network() -> None:
    [claim] = [claim for claim in CLAIMS if claim.id == "autoencoder-instability"]
    numbers = printed(claim, "cub")
    assert numbers is not None
    rows = published()
    rows = rows[(rows["paper"] == claim.paper) & (rows["table"] == "6") & (rows["metric"] == claim.metric)]
    values = {(row["performer"], row["explainer"]): row["value"] for _, row in rows.iterrows()}
    networks = sorted({name for name, _ in values})
    ratios = [values[name, "autoencoder"] / values[name, "top_conv"] for name in networks]
    assert numbers.networks == tuple(networks)
    assert numbers.value == pytest.approx(sum(ratios) / len(ratios))
    assert (numbers.low, numbers.high) == pytest.approx((min(ratios), max(ratios)))


def test_a_dataset_that_the_paper_does_not_use_has_no_printed_numbers() -> None:
    assert all(printed(claim, "fauna") is None for claim in CLAIMS)


def test_datasets_and_kinds_of_boards_of_all_claims_are_described() -> None:
    said = stated()
    for claim in CLAIMS:
        numbers = printed(claim)
        assert {*said.reference, *(numbers.datasets if numbers else ())} <= set(said.datasets)
        assert set(kinds(claim)) <= set(said.kinds)


def test_explainers_options_and_metrics_of_claims_exist() -> None:
    registry = load()
    labels = {name for claim in CLAIMS for name in (claim.explainer, claim.other) if name}
    for label in labels:
        options = dict(text.split("=") for text in label.partition(" (")[2].rstrip(")").split(",") if text)
        registry.explainers[base(label)].cls(**options)
    metrics = {name.partition("@")[0] for claim in CLAIMS for name in (claim.metric, *claim.readings)}
    assert metrics - set(registry.metrics) == {"interpretable_share"}  # the explainer reports it of itself
    assert set(stated().requirements) <= set(registry.explainers)


@pytest.mark.parametrize(("value", "met"), [(0.7, True), (0.6, False), (0.4, False), (float("nan"), False)])
def test_a_requirement_is_met_within_its_bounds(value: float, met: bool) -> None:
    assert Requirement("balanced_accuracy", "above chance", above=0.6).met(value) == met
    assert not Requirement("dead_filters_share", "alive", below=0.4).met(value)
