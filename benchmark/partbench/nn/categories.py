"""Which category a filter represents: the one whose images activate it most (CVPR 2018, section 3.1).

Labels are 0 ... categories - 1, and -1 for images of no category (random negatives). With one category every
filter belongs to it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class FilterCategories(nn.Module):
    """Running activation `mean` (filters, categories) of each filter on each category; NaN where never measured.

    Subclasses say how an image activates a filter and how batches are merged.
    """

    mean: Tensor

    def __init__(self, filters: int, categories: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((filters, categories), torch.nan))

    def strength(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c"]:
        """How much each image activates each filter."""
        raise NotImplementedError

    def merge(self, batch: Float[Tensor, "c k"], count: Float[Tensor, "k"]) -> Float[Tensor, "c k"]:
        """The running mean after a batch with these means; categories with count 0 are NaN in `batch`."""
        raise NotImplementedError

    @torch.no_grad()
    def update(self, maps: Float[Tensor, "b c n n"], labels: Int[Tensor, "b"]) -> None:
        """Takes in a batch of post-ReLU maps. Raises ValueError if a label is not a category or -1."""
        categories = self.mean.shape[1]
        if labels.numel() and (labels.min() < -1 or labels.max() >= categories):
            found = f"{int(labels.min())} ... {int(labels.max())}"
            raise ValueError(f"labels are {found}, expected -1 ... {categories - 1} for {categories} categories")
        member = (labels[:, None] == torch.arange(categories, device=labels.device)).to(self.mean.dtype)
        count = member.sum(dim=0)
        batch = self.strength(maps).to(self.mean.dtype).T @ member / count
        self.mean.copy_(torch.where(count > 0, self.merge(batch, count), self.mean))

    def category(self) -> Int[Tensor, "c"]:
        """The category of each filter; -1 for a filter that nothing has activated yet."""
        if self.mean.shape[1] == 1:
            return torch.zeros(len(self.mean), dtype=torch.long, device=self.mean.device)
        best, category = self.mean.nan_to_num(nan=0.0).max(dim=1)
        return torch.where(best > 0, category, -1)

    def positive(self, labels: Int[Tensor, "b"]) -> Bool[Tensor, "b c"]:
        """Whether each image is of each filter's category; filters without one take images of any category."""
        category = self.category()
        known = labels[:, None] >= 0
        return known & ((labels[:, None] == category) | (category == -1))


class MeanCategories(FilterCategories):
    """The paper's argmax_c mean over images of c of sum_ij x, over all images since `reset`.

    The network moves while it trains: reset at the start of an epoch to forget the past.
    """

    count: Tensor

    def __init__(self, filters: int, categories: int) -> None:
        super().__init__(filters, categories)
        self.register_buffer("count", torch.zeros(categories))

    def reset(self) -> None:
        """Starts a new mean, counted from the next batch; until its first image a category keeps the old one."""
        self.count.zero_()

    def strength(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c"]:
        """sum_ij x."""
        return maps.sum(dim=(2, 3))

    def merge(self, batch: Float[Tensor, "c k"], count: Float[Tensor, "k"]) -> Float[Tensor, "c k"]:
        """The mean over all images so far."""
        self.count += count
        past = self.mean.nan_to_num(nan=0.0)
        return past + (batch - past) * count / self.count


class PeakCategories(FilterCategories):
    """The released code's rule: running average, `decay` on the past, of batch means of max_ij x ("sliceMag").

    It starts at max(batch mean, 0.1); a batch mean of 0 leaves it as it was.
    """

    def __init__(self, filters: int, categories: int, decay: float = 0.9) -> None:
        super().__init__(filters, categories)
        self.decay = decay

    def strength(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c"]:
        """max_ij x."""
        return maps.amax(dim=(2, 3))

    def merge(self, batch: Float[Tensor, "c k"], count: Float[Tensor, "k"]) -> Float[Tensor, "c k"]:
        """The running average, where the batch activates the filter at all."""
        moved = self.decay * self.mean + (1 - self.decay) * batch
        moved = torch.where(self.mean.isnan(), batch.clamp(min=0.1), moved)
        return torch.where(batch > 0, moved, self.mean)
