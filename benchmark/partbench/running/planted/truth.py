"""What is true of the test images of a task: where parts are, what each does to the logit, and the logit itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench.functional import outermost
from partbench.running.cell import POSITIVE_BATCH, part_effects
from partbench.task import Task
from partbench.types import Explanation, NotApplicable


@dataclass(frozen=True)
class Truth:
    """The truth of the N test images of a task. n of them are of its category, and q parts show in these.

    ids, positive, logits: of all test images; whether they are of the category, and the explained logit. maps: of each
    part in each image of the category, in [0, 1]: largest at the part's centre, 0 off the part. effects: how much the
    explained logit falls without the part, in logits; 0 where the part does not show. parts: the indices of the q parts
    among those of the dataset.
    """

    task: Task
    ids: tuple[str, ...]
    positive: Bool[Tensor, "N"]
    logits: Float[Tensor, "N"]
    maps: Float[Tensor, "n q H W"]
    effects: Float[Tensor, "n q"]
    parts: tuple[int, ...]

    @property
    def place(self) -> Tensor:
        """(N), the row of each test image among those of the category; -1 for the others."""
        return torch.where(self.positive, self.positive.cumsum(0) - 1, -1)

    def of_category(self, rows: Sequence[int]) -> Tensor:
        """Rows of `maps` and `effects` of test images. Raises ValueError for an image of another category."""
        found = self.place[list(rows)]
        if bool((found < 0).any()):
            raise ValueError("parts are known of images of the category only")
        return found


def truth_of(task: Task) -> Truth:
    """The truth of a task. Raises NotApplicable where images cannot be had without a part, or without masks."""
    positive = task.positive(task.labels("test"))
    ids: list[str] = []
    logits, maps, effects = [], [], []
    for start in range(0, len(positive), POSITIVE_BATCH):
        batch = task.batch("test", range(start, min(start + POSITIVE_BATCH, len(positive))))
        ids += batch.ids
        logits.append(task.explained(batch).cpu())
    own = torch.nonzero(positive).flatten().tolist()
    for start in range(0, len(own), POSITIVE_BATCH):
        rows = own[start : start + POSITIVE_BATCH]
        masks = task.batch("test", rows).masks
        without = part_effects(None, task, rows, Explanation())
        if masks is None or without is None:
            raise NotApplicable(f"{task.name} has no masks of parts, or no images without a part")
        wanted = outermost(masks)
        maps.append(centred(masks.cpu() & wanted[:, :, None, None].cpu()))
        effects.append(without(wanted).nan_to_num(nan=0.0).cpu())
    every = torch.cat(maps)
    shown = torch.nonzero(every.flatten(2).any(2).any(0)).flatten().tolist()
    return Truth(task, tuple(ids), positive.cpu(), torch.cat(logits), every[:, shown], torch.cat(effects)[:, shown],
                 tuple(shown))  # fmt: skip


def centred(masks: Bool[Tensor, "n p H W"]) -> Float[Tensor, "n p H W"]:
    """Maps of masks: a Gaussian around the centre of the mask, as wide as the mask; 0 off the mask, largest value 1.

    Without the Gaussian a map would have no peak, and whoever reads where it is largest would find the mask's first
    pixel. Zero for an empty mask.
    """
    cover = masks.float()
    mass = cover.sum((2, 3), keepdim=True).clamp_min(1.0)
    height, width = cover.shape[2:]
    y, x = torch.arange(height)[:, None].float(), torch.arange(width)[None, :].float()
    squares = (y - (cover * y).sum((2, 3), keepdim=True) / mass) ** 2
    squares = squares + (x - (cover * x).sum((2, 3), keepdim=True) / mass) ** 2
    spread = ((cover * squares).sum((2, 3), keepdim=True) / mass).clamp_min(1.0)
    maps = cover * (-squares / (2 * spread)).exp()
    return maps / maps.amax((2, 3), keepdim=True).clamp_min(1e-12)
