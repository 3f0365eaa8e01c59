"""Part interpretability: whether a filter marks one part of the object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float, Int

from partbench import Batch, Explanation, Metric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import MarkedParts, PartOverlap

STAND_IN = "part boxes stand in for masks"
UNMEASURED = "the receptive field could not be measured: .31 of the width"
FIELD_SHARE = 0.31  # of the width: the field that Zhou et al. measured for the fifth layer of AlexNet, 70 of 227 px
FIELD_FACTORS = (0.75, 1.5)  # widths of the disks in the variants, as multiples of the measured field


@dataclass
class PartInterpretability(Metric):
    """P_f: share of the images of a part on which a filter marks it, for its best part; in [0, 1], higher is better.

    Source: paper on interpretable CNNs, section 5.2.1, after Network Dissection. P_f = max_k P_fk, where P_fk is how
    often the filter marks part k: see PartOverlap, also for the options. The paper prints P_fk as a maximum over
    images, a typo for the mean: it calls it a probability, and a maximum is 0 or 1 where its Table 1 has 0.25 to 0.9. A
    task that explains many categories takes the images of all of them (paper: of the one that activates the filter
    most).

    quantile: share of all cells of a filter's maps that are above its threshold.
    overlap: IoU of the region above the threshold and a part, above which the filter marks the part.
    region: "field", disks as wide as the measured receptive field of the performer's layer nearest to the maps (the
        paper's footnote 5, which cites Zhou et al.); "disk", disks of `radius` px (none: one stride of the cells);
        "upsampled", the interpolated map (Network Dissection). The last two mark nothing where cells are far smaller
        than parts.
    radius: of the disks in px, with region "disk"; none for one stride of the cells.

    `@field` is the diameter of the disks in px; where it cannot be measured it is .31 of the width, and a note says so.
    `@field=0.75` and `@field=1.5` are P_f with disks so many times as wide. A unit is named after its best part ("3
    head"; no part where P_f = 0; the first of equals). `@part=<name>` is the mean over filters of P_fk, `@best=<name>`
    the share of filters whose best part it is. Parts on no image are left out. Where the dataset has boxes of parts
    only, filled boxes are the masks, and a note says so. In the evidence of images, the best parts are held fixed.
    """

    name = "part_interpretability"
    version = "2"  # 1 took the interpolated map for the region of a cell
    needs = ("maps",)
    higher_is_better = True
    bounds = (0.0, 1.0)
    of = "concept"

    quantile: Annotated[float, Gt(0), Lt(1)] = 0.005
    overlap: Annotated[float, Ge(0), Lt(1)] = 0.2
    region: Literal["field", "disk", "upsampled"] = "field"
    radius: Annotated[float, Gt(0)] | None = None

    _overlap: PartOverlap = field(init=False, repr=False)
    _ids: list[str] = field(init=False, default_factory=list, repr=False)
    _parts: tuple[str, ...] = field(init=False, default=(), repr=False)
    _diameter: float = field(init=False, default=0.0, repr=False)
    _unmeasured: bool = field(init=False, default=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        region: Literal["disk", "upsampled"] = "upsampled" if self.region == "upsampled" else "disk"
        self._overlap = PartOverlap(self.quantile, self.overlap, region, self.radius)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        """Add a batch. Raises NotApplicable where the dataset knows no extent of parts."""
        self._overlap.add(batch, explanation)
        self._ids += batch.ids
        self._parts = tuple(outputs.parts) or tuple(str(k) for k in range(self._overlap.parts))
        if self.region == "field" and not self._diameter:
            measured = outputs.measured_field()
            self._unmeasured = measured is None
            self._diameter = FIELD_SHARE * batch.size[1] if measured is None else measured

    def compute(self) -> dict[str, Scores]:
        """P_f per filter, with other disks too, then the mean of P_fk and the share of best filters of each part.

        Raises NotApplicable if no image shows a part.
        """
        radii = [factor * self._diameter / 2 for factor in (1.0, *FIELD_FACTORS)] if self._diameter else [self.radius]
        marked, *others = self._overlap.marked_parts(radii)
        seen = np.flatnonzero(marked.shown.any(0))
        if not len(seen):
            raise NotApplicable(f"none of {self._overlap.images} images shows a part")
        found = {"": self._of_best(marked, seen)}
        if others:
            found["@field"] = Scores(value=self._diameter, note=self._note)
        for factor, of_factor in zip(FIELD_FACTORS, others, strict=False):  # without a field there are no others
            found[f"@field={factor}"] = self._of_best(of_factor, seen)
        scores = found | self._by_part(marked, seen)
        return {f"{self.name}{variant}": of_variant for variant, of_variant in scores.items()}

    def _of_best(self, marked: MarkedParts, seen: Int[np.ndarray, "q"]) -> Scores:
        """P_f per filter, of the parts that some image shows."""
        best, values = _best_parts(marked, seen)
        named = zip(best, values, strict=True)
        units = [f"{f} {self._parts[k]}" if value else str(f) for f, (k, value) in enumerate(named)]
        return Scores(units, values, note=self._note, images=self._ids, evidence=marked.evidence(best))

    def _by_part(self, marked: MarkedParts, seen: Int[np.ndarray, "q"]) -> dict[str, Scores]:
        """The mean of P_fk and the share of filters whose best part it is, by variant."""
        shares = marked.shares
        best, values = _best_parts(marked, seen)
        means, best_of = {}, {}
        for k in seen:
            evidence = marked.evidence(np.full(len(shares), k))
            mean, share = float(shares[:, k].mean()), float(((best == k) & (values > 0)).mean())
            means[f"@part={self._parts[k]}"] = Scores(value=mean, note=self._note, images=self._ids, evidence=evidence)
            best_of[f"@best={self._parts[k]}"] = Scores(value=share, note=self._note)
        return means | best_of

    @property
    def _note(self) -> str:
        notes = [STAND_IN] * self._overlap.from_boxes + [UNMEASURED] * self._unmeasured
        return "; ".join(notes)


def _best_parts(marked: MarkedParts, seen: Int[np.ndarray, "q"]) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """The part of largest P_fk of each filter, among those that some image shows, and that P_fk."""
    shares = marked.shares[:, seen]
    return seen[shares.argmax(1)], shares.max(1)


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(PartInterpretability)
