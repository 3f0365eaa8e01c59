"""Three gradients of the filter loss of interpretable CNNs, Loss_f = -MI(X; T) (CVPR 2018, section 3.1).

Each is a module that maps (maps (b, c, n, n) >= 0, positive (b, c) bool) to dLoss_f/dmaps, analytically; `positive`
says whether the image is of the filter's category. The printed Eq. (4) lacks its leading minus; all three have it, so
descending them raises MI. Nothing is larger than images x filters x templates.
"""

from __future__ import annotations

import difflib
import math
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from partbench.nn.mutual_information import pointwise, traces
from partbench.nn.templates import POSITIONS, Position, argmax_position, check_maps, peak

GradientName = Literal["exact", "paper", "released"]
Marginal = Literal["largest", "own"]


class ExactGradient(nn.Module):
    """The gradient of Eq. (1) itself, with Z_T summed over the batch.

    With P = p(x|T) and R = log p(x|T) - log p(x), dLoss_f/dx = -sum_T p(T) T P (R - sum_x P R). The derivatives of
    log p(x|T) and of p(x) cancel; the last sum, the divergence of p(.|T) from p, comes from Z_T. Eq. (4) drops it by
    calling Z_T constant, and so does `constant_z=True`. All images face all templates, as Eq. (1) says: which images
    are of the filter's category is not an input, so `positive` is ignored.
    """

    bank: Tensor

    def __init__(self, bank: Float[Tensor, "t n n"], filters: int, *, constant_z: bool = False) -> None:
        super().__init__()
        self.constant_z = constant_z
        self.register_buffer("bank", bank)

    @torch.no_grad()
    def forward(
        self, maps: Float[Tensor, "b c n n"], positive: Bool[Tensor, "b c"] | None = None
    ) -> Float[Tensor, "b c n n"]:
        """dLoss_f/dx of every map."""
        likelihood, weight = pointwise(traces(maps, self.bank))
        if not self.constant_z:
            weight.addcmul_(likelihood, weight.sum(dim=0), value=-1)
        return (weight @ self.bank.flatten(1)).view_as(maps).div_(-self.bank.shape[0])


class PaperGradient(nn.Module):
    """The second line of Eq. (4): one template per image, and a running Z_T.

    T^ is T_mu_hat for images of the filter's category and T- for others;
    g = -p(T^) T^ / Z_T^ * exp(tr) * (tr - log Z_T^ - log p(x)). Z_T is an average, with weight `decay` on the past, of
    `images` * mean_x exp(tr(x.T)), kept as `log_z`; the first training batch sets it, and in eval mode it stays.
    `images` is the size of the training set: Z_T is a sum over it.

    p(x) is with `marginal` "largest" a constant of the filter, sum_T p(T) max_x exp(tr(x.T)) / Z_T over the batch
    (footnote 2). That is more than the p(x) of any image, and of a map that has no strong peak it makes the last factor
    negative: descending such a gradient lowers the peak. With "own" it is sum_T p(T) exp(tr(x.T)) / Z_T of the image
    itself, as Eq. (1) says.
    """

    bank: Tensor
    log_z: Tensor

    def __init__(
        self, bank: Float[Tensor, "t n n"], filters: int, *, images: int = 1, decay: float = 0.9,
        marginal: Marginal = "largest",
    ) -> None:  # fmt: skip
        super().__init__()
        self.images, self.decay, self.marginal = images, decay, marginal
        self.register_buffer("bank", bank)
        self.register_buffer("log_z", bank.new_full((filters, bank.shape[0]), -math.inf))

    @torch.no_grad()
    def forward(self, maps: Float[Tensor, "b c n n"], positive: Bool[Tensor, "b c"]) -> Float[Tensor, "b c n n"]:
        """The gradient for every map; a training batch moves `log_z` first."""
        check_positive(positive, maps)
        trace = traces(maps, self.bank)
        log_z = self.normaliser(trace)
        negative = self.bank.shape[0] - 1
        chosen = torch.where(positive, argmax_position(maps), negative)
        fit = trace.gather(2, chosen[:, :, None])[:, :, 0]
        chosen_z = log_z.expand_as(trace).gather(2, chosen[:, :, None])[:, :, 0]
        seen = trace.amax(dim=0) if self.marginal == "largest" else trace
        log_p = (seen - log_z).logsumexp(dim=-1) - math.log(self.bank.shape[0])
        strength = (fit - chosen_z).exp() * (fit - chosen_z - log_p) / self.bank.shape[0]
        return self.bank[chosen] * -strength[:, :, None, None]

    def normaliser(self, trace: Float[Tensor, "b c t"]) -> Float[Tensor, "c t"]:
        """log Z_T of each filter, moved by this batch in training mode."""
        batch = trace.logsumexp(dim=0) + math.log(self.images / trace.shape[0])
        moved = torch.logaddexp(self.log_z + math.log(self.decay), batch + math.log1p(-self.decay))
        log_z = torch.where(self.log_z.isneginf(), batch, moved if self.training else self.log_z)
        if self.training:
            self.log_z.copy_(log_z)
        return log_z


class ReleasedGradient(nn.Module):
    """The gradient of the released MATLAB code, from batch statistics only (`our_vl_simplenn.m`).

    With the signed mask m = T_mu_hat / tau and s = mean_ij(x m), images of the filter's category get -m q w_pos, where
    q = exp(s / kappa) (s - L+ + kappa) over its mean across those images, and L+ = kappa log mean_x exp(s~ / kappa)
    with s~ = mean_ij(x m~), m~ being the masks of the batch reversed along images and filters. Other images get
    +q w_neg on every cell, with s = -mean_ij(x) and L- of the same s. p(x) is dropped. Because q has mean 1 the size
    does not follow activations; where that mean would be 0 / 0, q is 0. Only ratios of q count, so exponentials are
    taken relative to the largest. The code's slope is 4 / (n - 1) per cell: beta = 4 n / (n - 1).

    The code sums its loss over the batch and multiplies by 1e-6 / t; `EpochWeight` divides by the batch. `balance` is
    (w_pos, w_neg), see `category_balance`.
    """

    bank: Tensor

    def __init__(
        self,
        bank: Float[Tensor, "t n n"],
        filters: int,
        *,
        kappa: float = 0.5,
        balance: tuple[float, float] = (1.0, 1.0),
        position: Position = "centroid",
    ) -> None:
        super().__init__()
        self.kappa, self.balance, self.position = kappa, balance, position
        self.register_buffer("bank", bank / peak(bank))

    @torch.no_grad()
    def forward(self, maps: Float[Tensor, "b c n n"], positive: Bool[Tensor, "b c"]) -> Float[Tensor, "b c n n"]:
        """The gradient for every map, in units of the mean strength of its group."""
        check_maps(maps, self.bank)
        check_positive(positive, maps)
        mask = self.bank[POSITIONS[self.position](maps)]
        cells = maps.shape[-1] ** 2
        fit = torch.einsum("bcij,bcij->bc", maps, mask) / cells
        mismatch = torch.einsum("bcij,bcij->bc", maps, mask.flip(0, 1)) / cells
        silence = -maps.mean(dim=(2, 3))
        pull = self.strength(fit, mismatch, positive) * self.balance[0]
        push = self.strength(silence, silence, ~positive) * self.balance[1]
        return mask.mul_(-pull[:, :, None, None]).add_(push[:, :, None, None])

    def strength(
        self, fit: Float[Tensor, "b c"], reference: Float[Tensor, "b c"], group: Bool[Tensor, "b c"]
    ) -> Float[Tensor, "b c"]:
        """q of the images in `group`, of mean 1 over them and 0 outside."""
        level = self.kappa * ((reference / self.kappa).logsumexp(dim=0) - math.log(len(fit)))
        largest = fit.masked_fill(~group, -math.inf).amax(dim=0)
        q = ((fit - largest) / self.kappa).exp() * (fit - level + self.kappa)
        q = q.where(group, 0.0)
        q = q * group.sum(dim=0) / q.sum(dim=0)
        return q.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


FILTER_GRADIENTS: dict[str, type[nn.Module]] = {
    "exact": ExactGradient,
    "paper": PaperGradient,
    "released": ReleasedGradient,
}


def filter_gradient(name: str, bank: Float[Tensor, "t n n"], filters: int, **options: Any) -> nn.Module:
    """The gradient called `name` ("exact", "paper", "released") for a layer with that many filters.

    The module maps (maps (b, c, n, n) >= 0, positive (b, c) bool) to dLoss_f/dmaps. Raises ValueError for another name.
    """
    if name not in FILTER_GRADIENTS:
        close = difflib.get_close_matches(name, FILTER_GRADIENTS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"expected one of {', '.join(FILTER_GRADIENTS)}"
        raise ValueError(f"no filter gradient named '{name}'; {hint}")
    return FILTER_GRADIENTS[name](bank, filters, **options)


def category_balance(categories: int) -> tuple[float, float]:
    """Weights (w_pos, w_neg) of the released gradient for that many equally frequent categories."""
    return (1.0, 1.0) if categories == 1 else (0.5 * categories, 0.5 / (1 - 1 / categories))


def check_positive(positive: Tensor, maps: Tensor) -> None:
    """Raises ValueError unless `positive` is a bool for every image and filter of `maps`."""
    if positive.dtype != torch.bool or positive.shape != maps.shape[:2]:
        found = f"{positive.dtype} {tuple(positive.shape)}"
        raise ValueError(f"positive is {found}, expected torch.bool {tuple(maps.shape[:2])}")
