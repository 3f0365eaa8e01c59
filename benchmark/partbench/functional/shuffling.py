"""How much more distances deviate when the positions of a filter are dealt anew to the landmarks."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partbench.functional.location import standard_deviation

# distances that are handled at once: a few MB, which stay in the processor's cache
BLOCK = 2**17


def shuffle_gap(entries: Float[Tensor, "4 r n"], seed: int = 0) -> tuple[Float[Tensor, "r"], Float[Tensor, "r n"]]:
    """How much more the distances deviate, on average, when positions are dealt anew; effects of the entries.

    The shuffles are one random permutation and all its cyclic shifts: every position meets every landmark once, and
    the mean is an unbiased estimate of that over all permutations. Positions that are all alike give exactly 0.

    The effect of entry i is (n - 1) (mean_j g_(-j) - g_(-i)), the jackknife's, with g_(-i) the gap without it. Without
    entry i a shuffle deals the position that met landmark i to the landmark that met position i: a uniform permutation
    stays one. NaN for n = 2, where no deviation is left.
    """
    n = entries.shape[2]
    dealt = shuffles(n, seed)
    back = dealt.argsort(1)  # the landmark that each position met
    every = torch.arange(n)
    met, held, joined = every * n + dealt, back * n + every, back * n + dealt  # landmark i and position j: i n + j
    gaps, effects = [], []
    for part in entries.split(max(BLOCK // n**2, 1), dim=1):
        x, y = part[:2, :, None] - part[2:, :, :, None]
        distances = torch.hypot(x, y).flatten(1)
        distances -= distances.mean(1, keepdim=True)  # deviations stay, sums of squares lose fewer digits
        dealt_distances = distances[:, met]
        gaps.append(_gap(standard_deviation(dealt_distances)))
        single = distances.float()  # twice as fast, and effects need no more digits
        left = _left_out(dealt_distances.float(), single[:, held], single[:, joined]).double()
        effects.append((n - 1) * (left.mean(1, keepdim=True) - left))
    still = (entries[:2] == entries[:2, :, :1]).all(0).all(-1)  # equal positions differ by rounding only
    return torch.cat(gaps).masked_fill(still, 0.0), torch.cat(effects).masked_fill(still[:, None], 0.0)


def shuffles(n: int, seed: int) -> Int[Tensor, "n+1 n"]:
    """The position dealt to each landmark: its own first, then a random permutation and its cyclic shifts."""
    steps = torch.arange(n)
    first = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return torch.cat([steps[None], first[(steps[:, None] + steps) % n]])


def _gap(deviations: Float[Tensor, "r s *n"]) -> Float[Tensor, "r *n"]:
    """The mean over the shuffles less the first, that of the positions as they are."""
    return deviations[:, 1:].mean(1) - deviations[:, 0]


def _left_out(
    met: Float[Tensor, "r s n"], held: Float[Tensor, "r s n"], joined: Float[Tensor, "r s n"]
) -> Float[Tensor, "r n"]:
    """The gap without each entry: the distances at its landmark and at its position are lost, one is gained.

    Where an entry met itself the three are one distance, which is lost.
    """
    n = met.shape[2]
    total = met.sum(-1, keepdim=True) - (met + held - joined)
    squares = met.square().addcmul_(held, held).addcmul_(joined, joined, value=-1)
    squares = met.square().sum(-1, keepdim=True) - squares
    return _gap(squares.addcmul_(total, total, value=-1 / (n - 1)).div_(n - 2).clamp_(min=0).sqrt_())
