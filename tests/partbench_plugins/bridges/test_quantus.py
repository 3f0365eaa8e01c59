"""Metrics of Quantus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partbench import Batch, Explanation, InputError, NotApplicable, PerformerOutputs, check_metric, torchvision
from partbench_plugins.bridges.library import Library
from partbench_plugins.bridges.quantus import METRICS, REFUSED, QuantusMetric, one_map_of_each, quantus_metric, step

SIDE = 16
QUICK = {
    "Infidelity": {"n_perturb_samples": 2, "perturb_patch_sizes": [8]},
    "MonotonicityCorrelation": {"nr_samples": 1}, "FaithfulnessCorrelation": {"nr_runs": 5, "subset_size": 32},
    "RegionPerturbation": {"regions_evaluation": 4, "patch_size": 4},
    "TopKIntersection": {"k": 20},
    **{name: {"features_in_step": 64} for name in ("PixelFlipping", "FaithfulnessEstimate", "Monotonicity")},
}  # fmt: skip


@pytest.fixture
def quantus():
    reason = "needs Quantus, as `make bench` installs it: pip install --no-deps quantus; pip install 'partbench[dev]'"
    torchvision()
    return pytest.importorskip("quantus", reason=reason)


def planted() -> tuple[Batch, Explanation, PerformerOutputs]:
    """Two images whose logit is the brightness of the upper left quarter, where the object and the map are."""
    pixels = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool)
    masks[:, :, : SIDE // 2, : SIDE // 2] = True

    def predict(images: torch.Tensor) -> torch.Tensor:
        logit = images[:, :, : SIDE // 2, : SIDE // 2].mean((1, 2, 3))
        return torch.stack([1 - 4 * logit, 4 * logit - 1], 1)

    logits = predict(pixels)
    outputs = PerformerOutputs(logits, torch.tensor([True, True]), 1, logits[:, 1], predict)
    maps = masks.float() * (0.1 + pixels.mean(1, keepdim=True))
    return Batch(("a", "b"), pixels, torch.tensor([1, 1]), masks=masks), Explanation(maps), outputs


def value(metric: QuantusMetric, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> float:
    metric.update(batch, explanation, outputs)
    return float(np.mean(metric.compute()[metric.name].values))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_keeps_the_contract(name: str, quantus) -> None:
    batch, explanation, outputs = planted()
    check_metric(quantus_metric(name, **QUICK.get(name, {}))(), batch, explanation, outputs)


def test_directions_are_those_of_quantus_and_every_metric_is_offered_or_refused(quantus) -> None:
    found = {n: c for n, c in vars(quantus).items() if isinstance(c, type) and issubclass(c, quantus.Metric)}
    del found["Metric"]
    assert found.keys() == METRICS.keys() | REFUSED.keys()
    assert {n: found[n].score_direction.name == "HIGHER" for n in METRICS} == {
        n: known.higher_is_better for n, known in METRICS.items()
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["PixelFlipping", "PointingGame", "RelevanceMassAccuracy"])
def test_the_truth_is_better_than_its_opposite(name: str, quantus) -> None:
    batch, truth, outputs = planted()
    opposite = Explanation(truth.maps.max() - truth.maps)
    cls = quantus_metric(name)
    found = [value(cls(), batch, explanation, outputs) for explanation in (truth, opposite)]
    assert (found[0] > found[1]) is cls.higher_is_better


def test_a_metric_bears_the_library_its_release_and_the_parameters() -> None:
    first, second = quantus_metric("PixelFlipping"), quantus_metric("PixelFlipping", features_in_step=16)
    assert first.name == "quantus.PixelFlipping"
    assert first.higher_is_better is False
    assert first.version != second.version
    assert "features_in_step=16" in second.version
    assert "Quantus" in first.version


def test_metrics_that_cannot_be_are_refused_and_say_why() -> None:
    with pytest.raises(InputError, match=r"quantus.MaxSensitivity is not offered: it explains images"):
        quantus_metric("MaxSensitivity")
    with pytest.raises(InputError, match="did you mean 'Sparseness'"):
        quantus_metric("Sparsness")


def test_without_quantus_the_metric_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Library, "release", "")
    batch, explanation, outputs = planted()
    with pytest.raises(NotApplicable, match=r"needs Quantus: pip install 'partbench\[quantus\]'"):
        quantus_metric("Sparseness")().update(batch, explanation, outputs)


def test_maps_of_several_concepts_are_weighted_by_positive_contributions() -> None:
    maps = torch.zeros(1, 3, SIDE, SIDE)
    for concept, strength in enumerate((10.0, 1.0, 5.0)):
        maps[0, concept, 4 * concept] = strength
    found = one_map_of_each(Explanation(maps, contributions=torch.tensor([[3.0, 1.0, -7.0]])), SIDE, SIDE)
    np.testing.assert_allclose(found[0, 0, [0, 4, 8], 0], [0.75, 0.25, 0.0])


def test_steps_divide_the_pixels_evenly() -> None:
    for pixels in (64 * 64, 224 * 224, 227 * 227, 7):
        assert pixels % step(pixels) == 0
        assert pixels / step(pixels) >= min(32, pixels)
