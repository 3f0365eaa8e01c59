from __future__ import annotations

from dataclasses import replace

from planted_results import cell, planted

from partbench.leaderboard.site.capabilities import profiles
from partbench.leaderboard.site.data import SiteData, site_data
from partbench.leaderboard.sources import Sources


def test_what_an_explainer_gives_is_what_metrics_could_score() -> None:
    rows = [*cell("maps", 0, 0, {"locality": 0.5}), *cell("all", 0, 0, {"locality": 0.5, "accuracy": 0.9})]
    rows += cell("all", 0, 0, {"contribution_entropy": 0.5, "locality@landmarks": 0.1})
    rows += cell("none", 0, 0, {"locality@landmarks": 0.1})
    found = {profile.explainer: profile.has for profile in profiles(site_data(Sources(*planted(rows))))}
    assert found == {"maps": ("maps",), "all": ("maps", "logits", "contributions"), "none": ()}


def test_only_scores_that_beat_every_floor_count_as_first(evidence: SiteData) -> None:
    found = {profile.explainer: profile for profile in profiles(evidence)}
    assert found["srae"].first_in == (("locality", 1), ("location_instability", 1))
    assert found["nn"].first_in == found["floor_map"].first_in == ()
    assert not found["floor_map"].method
    assert found["srae"].cost.fit_seconds == 2.5


def test_metrics_that_only_screen_stand_apart_and_others_are_left_out(evidence: SiteData) -> None:
    verdicts = {("locality", "fauna"): "screens only", ("location_instability", "fauna"): "do not use here"}
    (found,) = [profile for profile in profiles(replace(evidence, uses=verdicts)) if profile.explainer == "srae"]
    assert (found.first_in, found.passes) == ((), (("locality", 1),))
    of_another = replace(evidence, uses={("locality", "x"): "screens only"})
    (found,) = [profile for profile in profiles(of_another) if profile.first_in]
    assert found.passes == ()
