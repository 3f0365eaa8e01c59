from __future__ import annotations

from dataclasses import replace

import pandas as pd
from planted_results import cell, planted

from partbench.leaderboard.site.data import SiteData, site_data
from partbench.leaderboard.sources import Sources


def test_scores_have_the_rank_intervals_of_the_standings(evidence: SiteData) -> None:
    found = {score.label: score for score in evidence.by_metric["locality"]}
    assert found["srae"].ranks == (1, 1)
    assert found["=1+1"].ranks == (4, 4)
    assert found["floor_map"].ranks is None
    assert {score.of for score in found.values()} == {4}
    low, high = found["srae"].axis
    assert low < 0.2 < 0.9 < high


def test_costs_are_means_over_cells_and_the_most_memory() -> None:
    rows = [*cell("srae", 0, 0, {"locality": 0.5}), *cell("srae", 1, 0, {"locality": 0.5})]
    table, images = planted(rows)
    table = table.assign(fit_seconds=[1.0, 3.0], explain_seconds=[0.5, 1.5], peak_memory_mb=[100.0, 300.0])
    (cost,) = site_data(Sources(table, images)).costs["srae"].values()
    assert (cost.fit_seconds, cost.image_seconds, cost.peak_mb) == (2.0, 0.02, 300.0)


def test_verdicts_are_counted_in_metrics_that_rank(evidence: SiteData) -> None:
    some = replace(evidence, uses={("locality", "fauna"): "screens only"}).verdicts
    assert evidence.verdicts.total() == 2 * some.total() > 0


def test_control_and_bidirectional_characters_are_replaced_or_escaped_before_anything_is_shown() -> None:
    table, images = planted(cell("s\u202erae\x07", 0, 0, {"locality": 0.5}))
    assert [score.label for score in site_data(Sources(table, images)).scores] == [r"s\u202erae" + "\ufffd"]


def test_an_explainer_explains_the_network_unchanged_only_if_no_cell_says_otherwise() -> None:
    rows = [*cell("same", 0, 0, {"locality": 0.5}, network=""), *cell("other", 0, 0, {"locality": 0.5}, network="own")]
    rows += [*cell("unknown", 0, 0, {"locality": 0.5}), *cell("same", 1, 0, {"locality": 0.5}, network="")]
    assert site_data(Sources(*planted(rows))).unchanged == {"same"}


def test_boards_of_several_categories_come_after_the_others(results: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows = [*cell("srae", "multi", 0, {"locality": 0.5}), *cell("srae", 0, 0, {"locality": 0.5}, binary=True)]
    assert site_data(Sources(*planted(rows))).boards == ["fauna/*", "fauna/multi"]
