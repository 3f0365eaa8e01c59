"""Explanations that explain nothing and are made to score well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from partbench.running.planted.truth import Truth
from partbench.types import Explanation

CELLS = 16  # along each side of the maps
ALIKE = 0.08  # share of the images of the category on which a filter of look-alikes is alive
MANY = 1000


def copied_logit(truth: Truth, rows: Sequence[int]) -> Explanation:
    """The performer's own logit, in equal shares, beside maps that mark everything."""
    return Explanation(torch.ones(len(rows), 5, CELLS, CELLS), **_copied(truth, rows))


def copied_logit_in_corners(truth: Truth, rows: Sequence[int]) -> Explanation:
    """The performer's own logit, in equal shares, beside maps that mark a corner of the image each."""
    corners = torch.zeros(len(rows), 4, CELLS, CELLS)
    for concept, (y, x) in enumerate([(0, 0), (0, -1), (-1, 0), (-1, -1)]):
        corners[:, concept, y, x] = 1
    return Explanation(corners, **_copied(truth, rows, 4))


def many_equal_shares(truth: Truth, rows: Sequence[int]) -> Explanation:
    """A thousand equal contributions."""
    return Explanation(contributions=torch.ones(len(rows), MANY))


def one_part(truth: Truth, rows: Sequence[int]) -> Explanation:
    """All concepts are called the same part: all of the logit is that part's, by contribution and by ablation."""
    drops = torch.zeros(len(rows), len(truth.task.dataset.part_names))
    drops[:, 0] = 1
    return Explanation(**_copied(truth, rows, 4), parts=torch.zeros(4, dtype=torch.long), part_drops=drops)


def look_alikes(truth: Truth, rows: Sequence[int]) -> Explanation:
    """A filter that is alive, at a fixed place, on the few images that are most alike."""
    own = torch.nonzero(truth.positive).flatten().tolist()
    pixels = truth.task.batch("test", own).pixels.flatten(1).cpu()
    reach = (pixels - pixels.mean(0)).norm(dim=1).quantile(ALIKE)
    shown = truth.task.batch("test", rows).pixels.flatten(1).cpu()
    maps = torch.zeros(len(rows), 1, CELLS, CELLS)
    maps[:, 0, CELLS // 2, CELLS // 2] = ((shown - pixels.mean(0)).norm(dim=1) <= reach).float()
    return Explanation(maps)


def dead_maps(truth: Truth, rows: Sequence[int]) -> Explanation:
    """49 maps of 50 are zero; the last marks the centre."""
    maps = torch.zeros(len(rows), 50, CELLS, CELLS)
    maps[:, 0, CELLS // 2, CELLS // 2] = 1
    return Explanation(maps)


CHEATS: Mapping[str, Callable[[Truth, Sequence[int]], Explanation]] = {
    made.__name__: made
    for made in (copied_logit, copied_logit_in_corners, many_equal_shares, one_part, look_alikes, dead_maps)
}


def _copied(truth: Truth, rows: Sequence[int], concepts: int = 5) -> dict[str, Any]:
    logits = truth.logits[list(rows)]
    return {"logits": logits, "contributions": (logits / concepts)[:, None].repeat(1, concepts)}
