from __future__ import annotations

from typing import Any

import pytest
from planted_results import planted, row

from partbench.leaderboard.standings import standings
from partbench.leaderboard.unsupported import METRICS_WITHOUT_MAPS, unsupported
from partbench.registry import load

MAPS = {"metric": "part_following", "higher_is_better": True}
LOGIT = {"metric": "faithfulness_regression"}
FLOOR = row("edges", "cat", 0.02, 0.01, control="floor", **MAPS)


def marked(*rows: dict[str, Any]) -> set[tuple[str, str]]:
    table = standings(*planted(rows))
    assert unsupported(table).equals(table["unsupported"])
    return set(table.loc[table["unsupported"], ["explainer", "metric"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("maps", [0.0, 0.02, 0.028])
def test_a_faithful_logit_is_marked_where_the_maps_are_not_separated_from_a_floor(maps: float) -> None:
    rows = [FLOOR, row("copy", "cat", maps, 0.01, **MAPS), row("copy", "cat", 0.0, 0.0, **LOGIT)]
    assert marked(*rows) == {("copy", "faithfulness_regression")}


def test_a_faithful_logit_is_marked_where_there_are_no_maps() -> None:
    assert marked(FLOOR, row("copy", "cat", 0.0, 0.0, **LOGIT)) == {("copy", "faithfulness_regression")}


def test_maps_better_than_every_floor_in_one_metric_support_the_logit() -> None:
    rows = [FLOOR, row("lasso", "cat", 0.05, 0.01, **MAPS), row("lasso", "cat", 0.3, 0.1, **LOGIT)]
    poor = [row("edges", "cat", 0.9, 0.1, control="floor"), row("lasso", "cat", 1.5, 0.1)]
    assert marked(*rows, *poor) == set()


def test_a_variant_of_a_metric_and_a_metric_without_a_floor_support_nothing() -> None:
    logit = row("copy", "cat", 0.0, 0.0, **LOGIT)
    variant = [row(name, "cat", 0.9, 0.01, **MAPS | {"metric": "part_following@x"}) for name in ("copy", "edges")]
    assert marked(FLOOR, logit, *variant, row("copy", "cat", 0.1, 0.01)) == {("copy", "faithfulness_regression")}


def test_nothing_is_marked_on_a_board_whose_maps_have_no_floor() -> None:
    floor = row("mean_logit", "cat", 3.0, 0.1, control="floor", **LOGIT)
    assert marked(floor, row("copy", "cat", 0.0, 0.0, **LOGIT), row("copy", "cat", 0.0, 0.01, **MAPS)) == set()


def test_a_floor_is_not_marked() -> None:
    assert marked(FLOOR, row("mean_logit", "cat", 3.0, 0.1, control="floor", **LOGIT)) == set()


def test_every_metric_that_reads_no_maps_is_listed() -> None:
    metrics = load().metrics
    assert {name for name, entry in metrics.items() if "maps" not in entry.cls.needs} <= set(METRICS_WITHOUT_MAPS)
    assert not {name for name in METRICS_WITHOUT_MAPS if name in metrics and "maps" in metrics[name].cls.needs}


@pytest.mark.parametrize("metric", ["locality", "orthogonality_frobenius", "orthogonality_logdet"])
def test_maps_in_the_corners_do_not_support_the_logit(metric: str) -> None:
    cornered = [row(name, "cat", value, 0.01, metric=metric) for name, value in (("copy", 0.1), ("edges", 0.9))]
    cornered[1]["control"] = "floor"
    logit = row("copy", "cat", 0.0, 0.0, **LOGIT)
    assert marked(FLOOR, row("copy", "cat", 0.0, 0.01, **MAPS), *cornered, logit) == {
        ("copy", "faithfulness_regression")
    }
