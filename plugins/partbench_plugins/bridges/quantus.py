"""Metrics of Quantus as metrics of partbench: a plugin file names those that it wants.

They are no part of every run: some take minutes for an image.
"""

from __future__ import annotations

import inspect
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from partbench import Batch, Explanation, ImageMetric, InputError, NotApplicable, PerformerOutputs, Scores, unknown
from partbench_plugins.bridges.library import Library, drawn_alike, expect_parameters

QUANTUS = Library("Quantus", "quantus", "quantus")
BRIDGE = "1"  # raised when this module's values change
STEPS = 32  # into which the pixels are divided where a metric removes them step by step
SET_HERE = ("disable_warnings", "display_progressbar", "return_auc_per_sample")


class Offered(NamedTuple):
    """What partbench says of a metric of Quantus without importing it."""

    higher_is_better: bool
    of_object: bool = False  # compares the map with where the object is


METRICS = {
    "AUC": Offered(True, of_object=True),
    "AttributionLocalisation": Offered(True, of_object=True),
    "Completeness": Offered(True),
    "Complexity": Offered(False),
    "EffectiveComplexity": Offered(False),
    "FaithfulnessCorrelation": Offered(True),
    "FaithfulnessEstimate": Offered(True),
    "Infidelity": Offered(False),
    "Monotonicity": Offered(True),
    "MonotonicityCorrelation": Offered(True),
    "PixelFlipping": Offered(False),
    "PointingGame": Offered(True, of_object=True),
    "RegionPerturbation": Offered(False),
    "RelevanceMassAccuracy": Offered(True, of_object=True),
    "RelevanceRankAccuracy": Offered(True, of_object=True),
    "Selectivity": Offered(False),
    "Sparseness": Offered(True),
    "TopKIntersection": Offered(True, of_object=True),
}
AGAIN = "it explains images or networks again, and a metric of partbench gets explanations alone"
OTHERS = "its value of an image depends on other images"
REFUSED = {
    **dict.fromkeys(("AvgSensitivity", "Continuity", "InputInvariance", "LocalLipschitzEstimate", "MaxSensitivity",
                     "RelativeInputStability", "RelativeOutputStability", "RelativeRepresentationStability"), AGAIN),
    **dict.fromkeys(("EfficientMPRT", "ModelParameterRandomisation", "MPRT", "RandomLogit", "SmoothMPRT"), AGAIN),
    **dict.fromkeys(("BatchSufficiency", "Consistency", "Focus", "SensitivityN", "Sufficiency"), OTHERS),
    **dict.fromkeys(("IROF", "NonSensitivity", "ROAD"), "Quantus 0.6.0 fails for one map of a colour image"),
}  # fmt: skip


@dataclass
class QuantusMetric(ImageMetric):
    """A metric of Quantus, image by image; `quantus_metric` makes a class for each.

    Source: Hedström et al., "Quantus: An explainable AI toolkit for responsible evaluation of neural network
    explanations and beyond", JMLR 2023, and the paper that it names for the metric.

    Quantus gets one map of an image, at the size of the image: that of the concept, or, of several concepts, their mean
    weighted by the contributions above 0 (all alike where there are none), each scaled to a maximum of 1. The object is
    the union of the part masks, or the object's box where there are none. Where the metric gives a curve, the value is
    the area under it, the axis scaled to [0, 1]. Random numbers are drawn by the id of the image.

    limit: images used, the first ones.
    """

    needs = ("maps",)
    metric: ClassVar[str]
    parameters: ClassVar[dict[str, Any]]
    limit: ClassVar[int] = 32

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch, up to `limit` images in all. Raises NotApplicable where all logits are explained, not one."""
        free = self.limit - len(self._ids)
        if free > 0:
            super().update(batch[:free], explanation, outputs)

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """The value of each image. Raises NotApplicable also where Quantus is not installed."""
        if outputs.target is None:
            raise NotApplicable("all logits are explained, not one")
        network = _Network(outputs).eval()
        maps = one_map_of_each(explanation, *batch.size)[: len(batch)]
        where = _object(batch) if METRICS[self.metric].of_object else None
        values = [
            self._value(network, batch[i : i + 1], maps[i : i + 1], None if where is None else where[i : i + 1])
            for i in range(len(batch))
        ]
        return {"": np.array(values)}

    def _value(
        self, network: _Network, image: Batch, maps: Float[np.ndarray, "1 1 H W"], where: np.ndarray | None
    ) -> float:  # fmt: skip
        silence = io.StringIO()
        with drawn_alike(image.ids[0], 0), redirect_stdout(silence), redirect_stderr(silence):
            found = self._built(image.size[0] * image.size[1])(
                model=network, x_batch=image.pixels.float().cpu().numpy(), y_batch=np.array([network.outputs.target]),
                a_batch=maps, s_batch=where, device=str(image.pixels.device), channel_first=True,
            )  # fmt: skip
        value = np.asarray(found[0], dtype=float)
        return float(np.trapezoid(value, dx=1 / max(1, len(value) - 1))) if value.ndim else float(value)

    def _built(self, pixels: int) -> Any:
        cls = getattr(QUANTUS.module("quantus"), self.metric)
        expect_parameters(f"quantus.{self.metric}", cls.__init__, self.parameters, SET_HERE)
        accepted = inspect.signature(cls.__init__).parameters
        chosen = {"disable_warnings": True, "display_progressbar": False, "features_in_step": step(pixels)}
        return cls(**{name: value for name, value in chosen.items() if name in accepted} | self.parameters)

    def compute(self) -> dict[str, Scores]:
        """The values of the images, with a note on who computes them."""
        found = super().compute()
        for scores in found.values():
            scores.note = f"computed by Quantus {QUANTUS.release}"
        return found


def quantus_metric(metric: str, /, limit: int = 32, **parameters: Any) -> type[QuantusMetric]:
    """A class to register for a metric of Quantus, named as in "quantus.PixelFlipping"; `parameters` are its own.

    Its version holds the release of Quantus and the parameters: leaderboards do not mix them. Quantus is not imported.
    Raises InputError for a metric that is not known, or that no metric of partbench can be, and why.
    """
    if metric in REFUSED:
        raise InputError(f"quantus.{metric} is not offered: {REFUSED[metric]}")
    if metric not in METRICS:
        raise unknown("metric of Quantus", metric, METRICS)
    better = "higher" if METRICS[metric].higher_is_better else "lower"
    texts = [f"{name}={json.dumps(value, default=str)}" for name, value in sorted(parameters.items())]
    body = {
        "__doc__": f"{metric} of Quantus; {better} is better.\n\n{inspect.getdoc(QuantusMetric)}",
        "__module__": __name__,
        "name": f"quantus.{metric}",
        "version": ", ".join([BRIDGE, f"Quantus {QUANTUS.release or 'missing'}", f"limit={limit}", *texts]),
        "higher_is_better": METRICS[metric].higher_is_better,
        "metric": metric, "parameters": parameters, "limit": limit,
    }  # fmt: skip
    return dataclass(type(metric, (QuantusMetric,), body))


def one_map_of_each(explanation: Explanation, height: int, width: int) -> Float[np.ndarray, "n 1 H W"]:
    """One heatmap an image: see `QuantusMetric`. An image on which no concept has a map gets zeros."""
    heatmaps = explanation.heatmaps(height, width).clamp(min=0)
    heatmaps = heatmaps / heatmaps.amax((2, 3), keepdim=True).clamp(min=1e-12)
    weights = torch.ones(heatmaps.shape[:2]) if explanation.contributions is None else explanation.contributions.relu()
    total: Tensor = torch.einsum("nk,nkhw->nhw", weights.to(heatmaps), heatmaps)
    found: np.ndarray = (total / weights.sum(1).clamp(min=1e-12).to(total)[:, None, None])[:, None].cpu().numpy()
    return found


def step(pixels: int) -> int:
    """Pixels that are removed at once: the largest divisor of their number that makes at least 32 steps."""
    return next(size for size in range(max(1, pixels // STEPS), 0, -1) if pixels % size == 0)


class _Network(nn.Module):
    """The performer, as Quantus wants it: a module in evaluation mode that gives logits."""

    def __init__(self, outputs: PerformerOutputs) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return self.outputs.predict(pixels)


def _object(batch: Batch) -> Bool[np.ndarray, "n 1 H W"]:
    """The pixels of the object in each image. Raises NotApplicable where the dataset does not say."""
    if batch.masks is not None:
        found: np.ndarray = batch.masks.any(1, keepdim=True).cpu().numpy()
        return found
    if batch.boxes is None:
        raise NotApplicable("the dataset has neither masks nor boxes")
    height, width = batch.size
    x0, y0, x1, y1 = (edge[:, None] for edge in batch.boxes.cpu().numpy().T)
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    inside_rows, inside_columns = (rows > y0) & (rows < y1), (columns > x0) & (columns < x1)
    inside: np.ndarray = (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]
    return inside
