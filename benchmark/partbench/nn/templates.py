"""Part templates and masks of interpretable CNNs (Zhang, Wu and Zhu, CVPR 2018, section 3).

A bank holds the n*n + 1 templates of an n x n map: one for every place of a part, row by row, then the negative one.
Losses, gradients and masks take the bank and read n, tau and beta off it; none of them needs to know how it was made.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Position = Literal["argmax", "centroid"]


def templates(n: int, beta: float = 4.0, tau: float | None = None) -> Float[Tensor, "t n n"]:
    """The t = n*n + 1 templates of an n x n map: T_mu for every mu in row-major order, then T-.

    T_mu[i, j] = tau * max(1 - beta * (|i - mu_i| + |j - mu_j|) / n, -1), in [-tau, tau] (paper, section 3,
    "Part templates"); T- is -tau everywhere. A trace tr(x.T) is the elementwise sum of x * T.

    tau is 0.5 / n^2 by default (paper, section 5). The released code works at 2 / n^2; 8 / n^2 was needed on maps of
    unit variance, where a smaller tau leaves the likelihoods nearly flat. Raises ValueError for n, beta or tau <= 0.
    """
    for name, value in (("n", n), ("beta", beta), ("tau", tau)):
        if value is not None and value <= 0:
            raise ValueError(f"{name} is {value}, expected a positive number")
    height = 0.5 / n**2 if tau is None else tau
    cells = torch.arange(n)
    steps = (cells[:, None] - cells[None, :]).abs()  # (mu, i)
    distance = steps[:, None, :, None] + steps[None, :, None, :]  # (mu_i, mu_j, i, j), L1
    positive = (1 - beta * distance / n).clamp(min=-1).reshape(n * n, n, n)
    return height * torch.cat([positive, -torch.ones(1, n, n)])


def peak(bank: Float[Tensor, "t n n"]) -> Float[Tensor, ""]:
    """tau of a bank: the height of its templates."""
    return -bank[-1, 0, 0]


def check_maps(maps: Tensor, bank: Float[Tensor, "t n n"]) -> None:
    """Raises ValueError unless `maps` are (b, c, n, n) with the n of the bank."""
    n = bank.shape[-1]
    if maps.ndim != 4 or tuple(maps.shape[-2:]) != (n, n):
        raise ValueError(f"maps are {tuple(maps.shape)}, expected (b, c, {n}, {n}) for templates of {n} x {n} cells")


def argmax_position(maps: Float[Tensor, "b c n n"]) -> Int[Tensor, "b c"]:
    """Row-major index of the strongest cell of each map (paper, section 3); the first one of equals."""
    return maps.flatten(2).argmax(dim=2)


def centroid_position(maps: Float[Tensor, "b c n n"]) -> Int[Tensor, "b c"]:
    """Row-major index of the cell nearest to the centre of mass of each map (released code, `getMu.m`).

    Halves round up; a map without activation stands at cell 0. Maps are >= 0.
    """
    n = maps.shape[-1]
    cells = torch.arange(n, dtype=maps.dtype, device=maps.device)
    rows, columns = maps.sum(dim=3), maps.sum(dim=2)
    mass = rows.sum(dim=2).clamp(min=1e-9)
    i, j = ((side @ cells / mass + 0.5).floor().long().clamp(0, n - 1) for side in (rows, columns))
    return i * n + j


POSITIONS = {"argmax": argmax_position, "centroid": centroid_position}


class PartMask(nn.Module):
    """Keeps of every map what is near its part: x * max(T_mu_hat / tau, 0), mu_hat where the map says its part is.

    The mask peaks at 1 as in the released code; `literal=True` multiplies by max(T_mu_hat, 0) as the paper prints it,
    which scales activations by tau and starves the layers above. At beta = 4 it is positive where the L1 distance to
    mu_hat is below n / 4. Backward treats the mask as a constant: dL/dx = dL/dy * mask.

    `position` is the paper's "argmax" or the "centroid" that the released code trains with.
    """

    bank: Tensor

    def __init__(self, bank: Float[Tensor, "t n n"], position: Position = "argmax", *, literal: bool = False) -> None:
        super().__init__()
        if position not in POSITIONS:
            raise ValueError(f"no position '{position}'; expected one of {', '.join(POSITIONS)}")
        self.position = position
        positive = bank[:-1].clamp(min=0)
        self.register_buffer("bank", positive if literal else positive / peak(bank))

    def forward(self, maps: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c n n"]:
        """The masked maps. Raises ValueError if the maps are not of the bank's size."""
        check_maps(maps, self.bank)
        return maps * self.bank[POSITIONS[self.position](maps.detach())]
