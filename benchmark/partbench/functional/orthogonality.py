"""How far the heatmaps of concepts are from being uncorrelated over the pixels of images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

RIDGE = 1e-6
# variance of a map in units of its squared mean below which it is flat: nothing to correlate but rounding
FLAT = 1e-12


def covariances(
    maps: Float[Tensor, "n k h w"], rows: Float[Tensor, "H h"], columns: Float[Tensor, "W w"], size: int
) -> tuple[Iterator[tuple[int, Float[Tensor, "n b k"]]], Float[Tensor, "n k"]]:
    """Covariance over pixels of the heatmaps `rows @ map @ columns.T`, each scaled to mean 1, and that mean (1 or 0).

    The (k, k) matrices come in blocks of `size` rows, each with the index of its first row. A map without mass stays 0.
    The heatmaps are never made: an inner product of two of them is one of their maps under the Gram matrices of `rows`
    and `columns`; a constant off a map is off its heatmap too, as their rows sum to 1.
    """
    maps, rows, columns = maps.double(), rows.double(), columns.double()
    pixels = len(rows) * len(columns)
    means = torch.einsum("nkhw,h,w->nk", maps, rows.sum(0), columns.sum(0)) / pixels
    mass = (means > 0).double()
    scale = torch.where(means > 0, means, 1.0)
    centred = (maps - means[..., None, None]) / scale[..., None, None] * mass[..., None, None]
    projected = ((rows.T @ rows) @ centred @ (columns.T @ columns)).flatten(2)
    starts = range(0, maps.shape[1], size)
    return ((i, projected[:, i : i + size] @ centred.flatten(2).mT / pixels) for i in starts), mass


def correlation(covariance: Float[Tensor, "*d k k"]) -> Float[Tensor, "*d k k"]:
    """Correlation matrices with a ridge: (P + RIDGE I) / (1 + RIDGE), so that the diagonal is exactly 1.

    A concept without variance has correlation 0 with every other.
    """
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    inverse = torch.where(variance <= FLAT, 0.0, variance.clamp(min=FLAT).rsqrt())
    correlated = covariance * inverse[..., :, None] * inverse[..., None, :] / (1 + RIDGE)
    correlated.diagonal(dim1=-2, dim2=-1).copy_(torch.where(variance.isnan(), torch.nan, 1.0))
    return correlated


def mean_covariance(
    second: Float[Tensor, "*d k k"], first: Float[Tensor, "*d k"], images: int, pooled: bool = False
) -> Float[Tensor, "*d k k"]:
    """The mean covariance of an image, from the sums over images of what `covariances` returns.

    With `pooled`, `second` are sums of second moments, and the covariance is that over the pixels of all images
    together.
    """
    if not pooled:
        return second / images
    centre = first / images
    return second / images - centre[..., :, None] * centre[..., None, :]


def excess_norm(correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
    """O1 = ||P||_F - sqrt(k) of correlation matrices P: 0 for the identity, at most k - sqrt(k)."""
    return (torch.linalg.matrix_norm(correlated) - correlated.shape[-1] ** 0.5).clamp(min=0)


def negative_logdet(correlated: Float[Tensor, "d k k"]) -> Float[Tensor, "d"]:
    """O2 = -ln det P of correlation matrices P: 0 for the identity, up to 13.8 more for each dependent direction."""
    return -torch.linalg.slogdet(correlated).logabsdet.clamp(max=0)
