"""Maps of concepts: how strong each is, and where it peaks on the image."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.nn.receptive_field import ReceptiveField
from partbench.types import Explanation


def strength(explanation: Explanation) -> Float[Tensor, "n k"]:
    """How strongly each filter is active: its score, or the maximum of its map."""
    values = explanation.maps.amax((2, 3)) if explanation.scores is None else explanation.scores
    return values.detach().float().cpu()


def centres(explanation: Explanation, pixels: int) -> tuple[ReceptiveField, ReceptiveField]:
    """Geometry of rows and of columns of the maps on square images."""
    h, w = explanation.maps.shape[-2:]
    return explanation.grid or ReceptiveField.tiling(h, pixels), explanation.grid or ReceptiveField.tiling(w, pixels)


def peaks(explanation: Explanation, size: tuple[int, int]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k 2"]]:
    """The largest value of each map, and the x and y, in px of an image of `size`, of the first cell that has it.

    The centre of a cell may lie outside of the image (see `on_image`).
    """
    h, w = explanation.maps.shape[-2:]
    flat = explanation.maps.detach().float().flatten(2)
    cells = first_largest(flat)
    highest, cells = flat.gather(-1, cells[..., None])[..., 0].cpu(), cells.cpu()
    rows = (explanation.grid or ReceptiveField.tiling(h, size[0])).centres(h)
    columns = (explanation.grid or ReceptiveField.tiling(w, size[1])).centres(w)
    return highest, torch.stack([columns[cells % w], rows[cells // w]], dim=-1)


def first_largest(flat: Float[Tensor, "n k c"]) -> Int[Tensor, "n k"]:
    """The first cell of each map that has the map's largest value, found on the device of the maps."""
    if flat.device.type == "cpu":
        return torch.from_numpy(flat.numpy().argmax(-1))  # several times faster than torch's on a CPU
    return first_equal(flat)


def first_equal(flat: Float[Tensor, "n k c"]) -> Int[Tensor, "n k"]:
    """As `first_largest`; of cells that are equal, torch's argmax would give any."""
    cells = torch.arange(flat.shape[-1], device=flat.device)
    return torch.where(flat == flat.amax(-1, keepdim=True), cells, flat.shape[-1]).amin(-1)


def on_image(places: Float[Tensor, "*n 2"], pixels: int) -> Float[Tensor, "*n 2"]:
    """x and y in px, moved to the centre of the nearest pixel of a square image where they lie outside of it."""
    return places.clamp(0.5, pixels - 0.5)
