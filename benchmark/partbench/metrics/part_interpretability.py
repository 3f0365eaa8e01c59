"""Part interpretability: whether a filter marks one part of the object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import PartOverlap
from partbench.functional.statistics import bootstrap

STAND_IN = "part boxes stand in for masks"


@dataclass
class PartInterpretability(Metric):
    """P_f: share of the images of a part on which a filter marks it, for its best part; in [0, 1], higher is better.

    Source: paper on interpretable CNNs, section 5.2.1, after Network Dissection. P_f = max_k P_fk, where P_fk is how
    often the filter marks part k: see PartOverlap, also for the options. The paper prints P_fk as a maximum over
    images, a typo for the mean: it calls it a probability, and a maximum is 0 or 1 where its Table 1 has 0.25 to 0.9. A
    task that explains many categories takes the images of all of them (paper: of the one that activates the filter
    most).

    A unit is named after its best part ("3 head"; no part where P_f = 0; the first of equals). `@part=<name>` is the
    mean over filters of P_fk, `@best=<name>` the share of filters whose best part it is. Parts on no image are left
    out. Where the dataset has boxes of parts only, filled boxes are the masks, and a note says so.
    """

    name = "part_interpretability"
    needs = ("maps",)
    higher_is_better = True
    bounds = (0.0, 1.0)
    of = "concept"

    quantile: Annotated[float, Gt(0), Lt(1)] = 0.005
    overlap: Annotated[float, Ge(0), Lt(1)] = 0.2
    region: Literal["upsampled", "disk"] = "upsampled"
    radius: Annotated[float, Gt(0)] | None = None  # px; none is one stride

    _overlap: PartOverlap = field(init=False, repr=False)
    _parts: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._overlap = PartOverlap(self.quantile, self.overlap, self.region, self.radius)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the dataset knows no extent of parts."""
        self._overlap.add(batch, explanation)
        self._parts = tuple(outputs.parts) or tuple(str(k) for k in range(self._overlap.parts))

    def compute(self) -> dict[str, Scores]:
        """P_f per filter, then the mean over filters of P_fk and the share of best filters of each part.

        Raises NotApplicable if no image shows a part.
        """
        shares = self._overlap.shares()
        seen = np.flatnonzero(~np.isnan(shares[0]))
        if not len(seen):
            raise NotApplicable(f"none of {self._overlap.images} images shows a part")
        shares, parts = shares[:, seen], [self._parts[k] for k in seen]
        best, values = shares.argmax(1), shares.max(1)
        units = [f"{f} {parts[k]}" if value else str(f) for f, (k, value) in enumerate(zip(best, values, strict=True))]
        found = {self.name: Scores(units, values, note=self._note)}
        for k, part in enumerate(parts):
            found[f"{self.name}@part={part}"] = self._mean(shares[:, k])
        for k, part in enumerate(parts):
            found[f"{self.name}@best={part}"] = self._mean(((best == k) & (values > 0)).astype(float))
        return found

    @property
    def _note(self) -> str:
        return STAND_IN if self._overlap.from_boxes else ""

    def _mean(self, values: Float[np.ndarray, "k"]) -> Scores:
        low, high = bootstrap(values)
        return Scores(value=float(values.mean()), low=low, high=high, note=self._note)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(PartInterpretability)
