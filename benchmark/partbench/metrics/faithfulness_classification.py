"""Whether the explainer's logit, put in the performer's place, leaves the classification as it was: F_cls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Batch, Explanation, NotApplicable, PerformerOutputs, Scores, hookimpl


def unchanged(logits: Float[Tensor, "n c"], target: int, predicted: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """1 where the largest logit stays the same after logit `target` becomes `predicted`, else 0; NaN for a NaN."""
    replaced = logits.clone()
    replaced[:, target] = predicted
    same = (replaced.argmax(1) == logits.argmax(1)).double()
    return torch.where(predicted.isnan(), torch.nan, same)


@dataclass
class FaithfulnessClassification:
    """F_cls: share of images whose class survives replacing the explained logit, in [0, 1]; higher is better.

    Source: SRAE paper, section 4.1, metric (1b). `@positive` is the same over images of the explained category, where
    unfaithful explainers show: a negative keeps its class as long as the replaced logit stays low.
    """

    name: ClassVar[str] = "faithfulness_classification"
    version: ClassVar[str] = "1"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[Literal["positive", "all"]] = "all"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unit: ClassVar[str] = "image"

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _unchanged: list[float] = field(init=False, default_factory=list, repr=False)
    _positive: list[bool] = field(init=False, default_factory=list, repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no logit of the performer can be replaced."""
        target = outputs.target
        if target is None or explanation.logits is None:
            raise NotApplicable("all logits are explained, not one" if target is None else "no logits are predicted")
        if explanation.explained is not None:
            raise NotApplicable("the explained logit is not the performer's: it cannot be replaced among its logits")
        if outputs.logits.shape[1] < 2:
            raise NotApplicable("the performer has one output: its class can never change")
        logits, predicted = outputs.logits.double().cpu(), explanation.logits.double().cpu()
        self._ids += batch.ids
        self._unchanged += unchanged(logits, target, predicted).tolist()
        self._positive += outputs.positive.tolist()

    def compute(self) -> dict[str, Scores]:
        """1 or 0 per image, over all images and over the positive ones."""
        values, positive = np.array(self._unchanged, dtype=float), np.array(self._positive, dtype=bool)
        shown = [name for name, chosen in zip(self._ids, positive, strict=True) if chosen]
        return {
            self.name: Scores(tuple(self._ids), values),
            f"{self.name}@positive": Scores(shown, values[positive]),
        }


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(FaithfulnessClassification)
