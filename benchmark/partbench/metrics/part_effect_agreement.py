"""Whether the contributions of parts rank like the true fall of the logit when a part is not drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge
from torch import Tensor

from partbench import Batch, Explanation, ImageMetric, NotApplicable, PerformerOutputs, Scores, hookimpl
from partbench.functional import heat_contributions, outermost, sum_over_parts
from partbench.functional.statistics import rank_agreement


@dataclass
class PartEffectAgreement(ImageMetric):
    """Rank correlation per image of the parts' contributions with the true fall of the logit; 1 is best.

    The true effect of a part on an image: the explained logit on the image minus that on the image rendered without the
    part. It does not depend on the explainer. The contribution of a part: the sum over concepts of contribution times
    the share of the concept's heatmap on the part. The value: Spearman's correlation of the two over the visible parts
    that lie within no other part, in [-1, 1]. Ours: no paper has such images.

    `@assigned` sums the contributions of the concepts assigned to the part instead, as the additive explainer does
    (section 4.1), where the explainer assigns them. `@area` is a control: the part's visible area as its contribution.
    `@effect=<part>` is the mean fall of the logit, in its units.

    most: images of the category that are rendered anew; the first ones.
    """

    name = "part_effect_agreement"
    needs = ("contributions", "maps", "masks")
    higher_is_better = True
    bounds = (-1.0, 1.0)

    most: Annotated[int, Ge(1)] = 50

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        """A correlation per image, and the true effect of each part.

        Raises NotApplicable where the dataset has no images that lack one part, or no one logit counts.
        """
        if outputs.part_effects is None:
            raise NotApplicable("the dataset has no images without a part, such as rendered datasets have")
        if batch.masks is None or explanation.contributions is None:
            raise ValueError("masks or contributions are missing")
        masks, contributions = batch.masks, explanation.contributions
        wanted = outermost(masks)
        wanted[max(0, self.most - len(self._ids)) :] = False
        falls, used = _numpy(outputs.part_effects(wanted)), wanted.cpu().numpy()
        found = {"": heat_contributions(explanation, contributions, masks), "@area": masks.sum((2, 3)).double()}
        if explanation.parts is not None:
            found["@assigned"] = sum_over_parts(contributions, explanation.parts, masks.shape[1])
        agreement = {variant: rank_agreement(_numpy(of_each), falls, used) for variant, of_each in found.items()}
        return agreement | {f"@effect={part}": of for part, of in zip(outputs.parts, falls.T, strict=True)}

    def compute(self) -> dict[str, Scores]:
        """A correlation per image; the mean true effect of each part that was left out of some image."""
        effects = f"{self.name}@effect="
        found = super().compute().items()
        return {name: of for name, of in found if not name.startswith(effects) or np.isfinite(of.values).any()}


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()


@hookimpl
def register_metrics(register: Callable[[type], None]) -> None:
    register(PartEffectAgreement)
