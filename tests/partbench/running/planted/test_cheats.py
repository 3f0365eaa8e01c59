"""Cheats score what they are made to score, or are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from partbench.opening import Workbench
from partbench.running.planted.cheats import CHEATS
from partbench.running.planted.runs import score
from partbench.running.planted.truth import Truth


def scored(name: str, metrics: list[str], truth: Truth, workbench: Workbench) -> dict[str, dict[str, Any]]:
    made = [workbench.registry.metrics[metric].cls() for metric in metrics]
    return {row["metric"]: row for row in score(truth, CHEATS[name], made) if row["unit"] == "all"}


@pytest.mark.parametrize("name", ["copied_logit", "copied_logit_in_corners", "one_part"])
def test_a_copied_logit_is_perfectly_faithful(name: str, truth: Truth, workbench: Workbench) -> None:
    found = scored(name, ["faithfulness_regression", "faithfulness_classification"], truth, workbench)
    assert found["faithfulness_regression"]["value"] < 1e-5
    assert found["faithfulness_classification"]["value"] == 1


def test_equal_contributions_have_the_largest_entropy(truth: Truth, workbench: Workbench) -> None:
    found = scored("many_equal_shares", ["contribution_entropy"], truth, workbench)
    assert found["contribution_entropy"]["value"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("one_part", "contribution_error"), ("look_alikes", "location_instability"),
        ("dead_maps", "orthogonality_frobenius"), ("dead_maps", "orthogonality_logdet"),
    ],
)  # fmt: skip
def test_a_cheat_has_no_value_where_the_metric_asks_for_a_minimum(
    name: str, metric: str, truth: Truth, workbench: Workbench
) -> None:
    found = scored(name, [metric], truth, workbench)[metric]
    assert math.isnan(found["value"])
    assert found["status"] == "skipped"


def test_the_filter_of_look_alikes_is_alive_on_a_few_images(truth: Truth) -> None:
    own = torch.nonzero(truth.positive).flatten().tolist()
    alive = CHEATS["look_alikes"](truth, own).maps.amax((1, 2, 3)) > 0
    assert 2 <= int(alive.sum()) < 10
