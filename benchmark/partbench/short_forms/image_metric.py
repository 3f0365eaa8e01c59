"""A metric from a function of one image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from partbench.errors import InputError, unknown
from partbench.plugin.metric import ImageMetric
from partbench.short_forms.arguments import expect_declared, expect_text
from partbench.short_forms.options_of_function import expect_function, option_class, option_values, positional
from partbench.types import Batch, Explanation, NotApplicable, PerformerOutputs

OF_EXPLANATION = ("maps", "heatmaps", "scores", "contributions", "logits", "parts", "part_drops")
OF_BATCH = ("pixels", "boxes", "landmarks", "masks", "part_boxes", "attributes")
OF_PERFORMER = ("explained", "positive", "predict")
KNOWN = (*OF_EXPLANATION, *OF_BATCH, *OF_PERFORMER)
ALWAYS_THERE = ("pixels", *OF_PERFORMER)

Values = float | Tensor | Mapping[str, float | Tensor]


def image_metric(
    function: Callable[..., Values] | None = None, *, higher_is_better: bool,
    bounds: tuple[float, float] = (-math.inf, math.inf), unit: str = "", name: str = "",
    images: Literal["positive", "all"] = "positive", version: str = "1",
) -> Any:  # fmt: skip
    """The metric class of a function that gives the value of one image. Used as a decorator, or called with a function.

    The function names what it reads as its parameters, and is called with what they are for one image, on the CPU:

    * of the explanation: `maps` (k, h, w), `heatmaps` (k, H, W), the maps at the size of the image, `scores` (k,),
      `contributions` (k,), `logits`, one number, `parts` (k,), `part_drops` (p,);
    * of the image: `pixels` (3, H, W), `boxes` (4,), `landmarks` (l, 2), `masks` (p, H, W), `part_boxes` (p, 4),
      `attributes` (a,), as in `Batch`;
    * of the performer: `explained`, the explained logit, one number (the explanation's own where it gives one),
      `positive`, whether the image shows the explained category, and `predict`, a function of other images
      (m, 3, H, W) of the same size that gives the explained logit (m,) of each.

    An explanation or dataset without one of these skips the metric. The function returns a number, NaN where the image
    has no value, or numbers by reading: "" for the metric itself, "@variant" for a variant; the same for every image.
    Its keyword-only parameters are the options of the metric; its docstring is that of the metric.

    `unit` is what values are in, `bounds` their range, `images` whether the metric sees images of the explained
    category or all. `name` is by default that of the function. Raise `version` when values change. Raises InputError
    for a parameter of another name, and for arguments of another type.
    """

    declared = {
        "higher_is_better": higher_is_better, "bounds": bounds, "unit": unit, "images": images, "version": version,
    }  # fmt: skip
    if function is None:
        return lambda given: image_metric(given, name=name, **declared)  # type: ignore[arg-type]
    expect_function(function, "image_metric")
    title = name or function.__name__
    expect_text(title, name=name)
    read = tuple(positional(function))
    for parameter in read:
        if parameter not in KNOWN:
            raise InputError(f"{title}: {unknown('parameter of an image metric', parameter, KNOWN)}")
    if not read:
        raise InputError(f"{title} reads nothing of an image; expected parameters such as maps or pixels")
    needs = dict.fromkeys("maps" if field == "heatmaps" else field for field in read if field not in ALWAYS_THERE)
    attributes = {"_function": staticmethod(function), "_read": read, "needs": tuple(needs), **declared}
    made = option_class(FunctionMetric, function, title, **attributes)
    expect_declared("metrics", made)
    return made


@dataclass
class FunctionMetric(ImageMetric):
    """Base of the classes that `image_metric` makes."""

    _function: ClassVar[Callable[..., Values]]
    _read: ClassVar[tuple[str, ...]]

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """What the function gives for each image. Raises NotApplicable where it reads one logit of several."""
        columns = {name: _column(name, batch, explanation, outputs) for name in self._read}
        given = option_values(self, FunctionMetric)
        rows = [
            self._by_reading(type(self)._function(**{name: column[i] for name, column in columns.items()}, **given))
            for i in range(len(batch))
        ]
        names = rows[0] if rows else {}
        if any(row.keys() != names.keys() for row in rows):
            raise ValueError(f"{self.name} gives other readings for some images than for others")
        return {name: np.array([row[name] for row in rows], dtype=float) for name in names}

    def _by_reading(self, values: Values) -> dict[str, float]:
        """Numbers by reading. Raises ValueError for what are no numbers."""
        found = values if isinstance(values, Mapping) else {"": values}
        try:
            return {name: float(value) for name, value in found.items()}
        except (TypeError, ValueError, RuntimeError) as error:  # of None, a text, a tensor of several numbers
            expected = "expected a number, or numbers by reading"
            raise ValueError(f"{self.name}: the function returned {values!r:.60}, {expected}") from error


def _column(name: str, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> Any:
    """What a parameter of that name is, image by image."""
    n = len(batch)
    if name == "predict":
        if outputs.target is None:
            raise NotApplicable("all logits are explained, not one")
        return [partial(_explained_logit, outputs)] * n
    if name == "positive":
        return outputs.positive.tolist()
    if name == "heatmaps":
        return explanation.heatmaps(*batch.size).cpu()
    if name == "parts":
        assert explanation.parts is not None  # one of `needs`
        return explanation.parts.cpu().expand(n, -1)
    if name in OF_BATCH:
        return getattr(batch, name).cpu()
    value = getattr(explanation, name)
    if name == "explained" and value is None:
        value = outputs.explained
    if value is None or (name in ("explained", "logits") and value.ndim > 1):
        raise NotApplicable("all logits are explained, not one")
    return value.cpu()


def _explained_logit(outputs: PerformerOutputs, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return outputs.predict(pixels)[:, outputs.target].cpu()
