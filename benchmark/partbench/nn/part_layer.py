"""The interpretable layer: filter loss in the backward pass, then the mask.

It combines `templates`, `filter_loss`, `filter_weights` and `categories`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench.nn.categories import FilterCategories, MeanCategories, PeakCategories
from partbench.nn.filter_gradients import GradientName, Marginal, filter_gradient
from partbench.nn.filter_loss import FilterRegulariser
from partbench.nn.filter_weights import ActivationWeight, EpochWeight, NormMatching, RhoSchedule
from partbench.nn.templates import PartMask, Position, templates

WeightName = Literal["matched", "published"]


@dataclass(frozen=True)
class PartSettings:
    """How filters are made to follow parts.

    gradient: of the filter loss, see `filter_gradients`; weight: "matched" to rho times the length of the task's
    gradient (see NormMatching, with `schedule`), or as "published" for that gradient (ActivationWeight for "exact" and
    "paper", EpochWeight for "released"). position: where the mask is put; height: tau in units of 1 / n^2; beta: width
    of the templates. category: of each filter by the "mean" of its sums (paper) or by a running "peak" (released code).
    mask, loss: switch either off. balance: weights (w_pos, w_neg) of the "released" gradient, see `category_balance`.
    marginal: p(x) of the "paper" gradient, see PaperGradient.
    """

    gradient: GradientName = "exact"
    weight: WeightName = "matched"
    rho: float = 1.0
    schedule: RhoSchedule = "constant"
    position: Position = "argmax"
    height: float = 8.0
    beta: float = 4.0
    category: Literal["mean", "peak"] = "mean"
    mask: bool = True
    loss: bool = True
    balance: tuple[float, float] = (1.0, 1.0)
    marginal: Marginal = "largest"

    def layer(self, filters: int, cells: int, categories: int = 1, images: int = 1) -> PartLayer:
        """The layer for maps of cells x cells; `images` is the size of the training set."""
        return PartLayer(self, filters, cells, categories, images)


class PartLayer(nn.Module):
    """Post-ReLU maps (b, c, n, n) in, masked maps out; their backward adds the filter gradient, in training mode.

    `epoch` counts from 1; at 0 the layer is the identity (warm-up). Labels (b,) are 0 ... categories - 1, -1 for images
    of no category; without labels there is no filter loss.
    """

    def __init__(self, settings: PartSettings, filters: int, cells: int, categories: int, images: int) -> None:
        super().__init__()
        bank = templates(cells, settings.beta, settings.height / cells**2)
        kinds: dict[str, type[FilterCategories]] = {"mean": MeanCategories, "peak": PeakCategories}
        self.category = kinds[settings.category](filters, categories)
        self.mask = PartMask(bank, settings.position) if settings.mask else nn.Identity()
        self.regulariser: FilterRegulariser | None = None
        if settings.loss:
            options: dict[str, Any] = {}
            if settings.gradient == "paper":
                options = {"images": images, "marginal": settings.marginal}
            if settings.gradient == "released":
                options = {"balance": settings.balance, "position": settings.position}
            gradient = filter_gradient(settings.gradient, bank, filters, **options)
            self.regulariser = FilterRegulariser(gradient, _weight(settings, filters))
        self.epoch = 1

    def start(self, epoch: int) -> None:
        """Begin an epoch: the schedules learn of it, and the categories of filters are measured anew."""
        self.epoch = epoch
        if self.regulariser is not None:
            self.regulariser.epoch = epoch
        if isinstance(self.category, MeanCategories):
            self.category.reset()

    def forward(self, maps: Float[Tensor, "b c n n"], labels: Int[Tensor, "b"] | None = None) -> Tensor:
        """Masked maps."""
        if not self.epoch:
            return maps
        if self.regulariser is not None and labels is not None and self.training:
            self.category.update(maps.detach(), labels)
            maps = self.regulariser(maps, self.category.positive(labels))
        masked: Tensor = self.mask(maps)
        return masked


def _weight(settings: PartSettings, filters: int) -> nn.Module:
    if settings.weight == "matched":
        return NormMatching(settings.rho, settings.schedule)
    return EpochWeight() if settings.gradient == "released" else ActivationWeight(filters)
