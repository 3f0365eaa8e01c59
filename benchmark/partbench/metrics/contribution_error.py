"""Difference between the contribution of a part and the fall of the logit when the part's concepts are removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import ablated_contributions, sum_over_parts
from partbench.functional.statistics import pseudovalues, relative_errors


@dataclass
class ContributionError(Metric):
    """Mean over parts of E|Contri_p - y*_p| / E[y], 0 if ablation gives the same contributions; lower is better.

    Source: additive explainer, section 4.1 and Table 3. Contri_p is the sum of the contributions of the concepts
    assigned to part p, y the explained logit, y*_p = y drop_p / sum drops its true share, drop_p the fall of y when the
    concepts of p are removed; E is over the images of the category (the paper: of dogs). Dimensionless: 0.1 is a tenth
    of the mean logit. There is a value for each part that has concepts. At least two parts need concepts that take
    `least_share` of the fall or more (mean over images of |drop_p| / sum |drops|): of a single one, y* = y whatever
    ablation finds.

    The y*_p sum to all of y, contributions need not: a bias, and concepts without a part, are an error even of an exact
    explainer. With few parts the error is lower. Drops of either sign can cancel and make y* large: images where their
    sum is at most `least_drop` times |y| are left out (the paper does not say what it does) and counted in the note.
    The evidence of an image is the jackknife's: the ratio without it is found for each image.

    least_drop: images where the sum of the drops is at most this many times |y| are left out.
    least_share: share of the fall that the concepts of a part must take, for two parts or more.
    """

    name = "contribution_error"
    version = "2"  # 1 had a value also with a single part
    needs = ("contributions", "parts", "part_drops")
    higher_is_better = False
    bounds = (0.0, float("inf"))
    of = "part"

    least_drop: Annotated[float, Ge(0)] = 1e-3
    least_share: Annotated[float, Ge(0)] = 0.01

    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _errors: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _shares: list[np.ndarray] = field(init=False, default_factory=list, repr=False)
    _logits: list[float] = field(init=False, default_factory=list, repr=False)
    _parts: set[int] = field(init=False, default_factory=set, repr=False)
    _names: tuple[str, ...] = field(init=False, default=(), repr=False)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where no one logit is explained, or fewer than two parts have concepts."""
        y = outputs.explained if explanation.explained is None else explanation.explained
        contributions, parts, drops = explanation.contributions, explanation.parts, explanation.part_drops
        if y is None or y.ndim > 1:
            raise NotApplicable("all logits are explained, not one")
        if contributions is None or parts is None or drops is None:
            raise NotApplicable("the explanation lacks contributions, parts or part_drops")
        if len(assigned := set(parts.tolist()) - {-1}) < 2:
            raise NotApplicable(f"{len(assigned)} part(s) have concepts, expected two or more: of one, y* = y")
        y, contributions, drops = (value.detach().double().cpu() for value in (y, contributions, drops))
        truth = ablated_contributions(y, drops, self.least_drop)
        self._errors += list((sum_over_parts(contributions, parts.cpu(), drops.shape[1]) - truth).abs().numpy())
        self._shares += list((drops.abs() / drops.abs().sum(1, keepdim=True)).numpy())
        self._logits += y.tolist()
        self._parts |= assigned
        self._ids += batch.ids
        known = len(outputs.parts) == drops.shape[1]
        self._names = outputs.parts if known else tuple(str(p) for p in range(drops.shape[1]))

    def compute(self) -> dict[str, Scores]:
        """The error of each part, NaN for one without concepts, their mean and its evidence.

        Raises NotApplicable where no image can be used, the mean logit of those used is not positive, or fewer than two
        parts take `least_share` of its fall.
        """
        errors, y = np.stack(self._errors), np.array(self._logits)
        used = np.isfinite(errors).all(1)
        left_out = f"{(~used).sum()} of {len(used)} images left out: removing the concepts of all parts takes nothing"
        if not used.any():
            raise NotApplicable(left_out)
        if y[used].mean() <= 0:
            raise NotApplicable(
                f"the mean logit is {y[used].mean():.3g}, expected above 0: there is no scale for the errors"
            )
        chosen = sorted(self._parts)
        share = np.stack(self._shares)[used].mean(0)[chosen]  # what a part without concepts takes is no concept's
        if (taking := int((share >= self.least_share).sum())) < 2:
            raise NotApplicable(f"{taking} part(s) take {self.least_share:g} of the fall or more, expected two or more")
        evidence = np.full(len(used), np.nan)
        values, without_each = relative_errors(errors[used], y[used])
        values[[p for p in range(len(values)) if p not in self._parts]] = np.nan
        value = float(values[chosen].mean())
        evidence[used] = pseudovalues(value, without_each[:, chosen].mean(1))
        note = "" if used.all() else left_out
        return {self.name: Scores(self._names, values, value, note=note, images=self._ids, evidence=evidence)}


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(ContributionError)
