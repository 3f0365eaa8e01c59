"""What holds for every registered metric, on an explainer of fauna that gives all fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from partbench import Explainer, Explanation, Images, TrainingTask, open_task
from partbench.registry import load
from partbench.running.cell import run_cell

METRICS = {name: entry.cls for name, entry in load().metrics.items() if entry.distribution == "partbench"}
OPTIONS = {"part_effect_agreement": {"most": 4}, "masked_accuracy": {"limit": 30, "gammas": (0.3,)}}


@dataclass
class EveryField(Explainer):
    """Least squares from the mean activation of a few channels to the logit."""

    name: ClassVar[str] = "every_field"

    def fit(self, task: TrainingTask) -> None:
        self.parts = torch.arange(12) % len(task.part_names)
        pooled = self._pooled(task.activations("target"))
        design = torch.cat([pooled, torch.ones(len(pooled), 1)], 1)
        self.weights = torch.linalg.lstsq(design, task.explained()[:, None]).solution[:, 0]

    def _pooled(self, maps: torch.Tensor) -> torch.Tensor:
        return maps[:, :12].mean((2, 3))

    def explain(self, images: Images) -> Explanation:
        maps = images.activations("target")
        contributions = self._pooled(maps) * self.weights[:-1]
        belongs = self.parts[:, None] == torch.arange(int(self.parts.max()) + 1)
        return Explanation(
            maps[:, :12],
            scores=self._pooled(maps),
            contributions=contributions,
            logits=contributions.sum(1) + self.weights[-1],
            parts=self.parts,
            part_drops=(contributions @ belongs.float()).abs() + 0.1,
        )


@pytest.fixture(scope="module")
def rows():
    metrics = [cls(**OPTIONS.get(name, {})) for name, cls in METRICS.items()]
    run = run_cell(EveryField(), open_task("fauna/multi:horse"), metrics)
    assert not run.failed
    return run.rows


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_mean_of_the_values_of_images_is_the_aggregate(rows, name):
    own = [row for row in rows if row["metric"] == name]
    aggregate = next(row for row in own if row["unit_kind"] == "all")
    evidence = np.array([row["value"] for row in own if row["unit_kind"] == "image"])
    assert aggregate["status"] == "ok", aggregate["reason"]
    assert np.nanmean(evidence) == pytest.approx(aggregate["value"], abs=1e-6)
    assert aggregate["low"] <= aggregate["value"] <= aggregate["high"]
    assert len({row["unit"] for row in own if row["unit_kind"] == "image"}) == len(evidence)


def test_no_two_metrics_describe_themselves_alike():
    described = [cls.__doc__.strip().splitlines()[0] for cls in METRICS.values()]
    assert len(set(described)) == len(described)
