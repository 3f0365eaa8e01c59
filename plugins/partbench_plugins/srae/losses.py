"""The terms of the objective of the sparse reconstruction autoencoder.

Source: Qi, Khorram and Li, "Embedding Deep Networks into Visual Explanations" (SRAE), section 2, equations 1 to 5. The
paper's averages over the training set are taken over the mini-batch, as in the authors' training code.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TINY = 1e-8  # a vector with a smaller norm counts as 0


def faithfulness(
    predicted: Float[Tensor, "b"], logits: Float[Tensor, "b"], weight: Float[Tensor, "b"]
) -> Float[Tensor, ""]:
    """Weighted mean squared difference (SRAE, first term of eq. 5), in squared units of the logits.

    Weights have mean 1 over the training set. Raises ValueError for unequal shapes: (b, 1) beside (b,) would broadcast.
    """
    if not predicted.shape == logits.shape == weight.shape:
        found = f"{tuple(predicted.shape)}, {tuple(logits.shape)} and {tuple(weight.shape)}"
        raise ValueError(f"predicted, logits and weight are {found}, expected one shape (b,)")
    return (weight * (predicted - logits) ** 2).mean()


def dimension_errors(reconstruction: Float[Tensor, "b d"], z: Float[Tensor, "b d"]) -> Float[Tensor, "d"]:
    """Q_k (SRAE, eq. 2 and 4): mean squared error of each dimension of Z."""
    return (reconstruction - z).square().mean(0)


def log_penalty(errors: Float[Tensor, "d"], q: float) -> Float[Tensor, ""]:
    """mean_k log(1 + q Q_k) (SRAE, eq. 4), >= 0: large errors cost little more than middling ones.

    So some dimensions are reconstructed well and others given up. It depends on the scale of Z.
    """
    return (q * errors).log1p().mean()


def pull_away(vectors: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Mean squared cosine over pairs of m vectors (SRAE, eq. 3), in [0, 1]: 0 if orthogonal, 1 if parallel.

    A zero vector counts as orthogonal to all. 0 for a single vector.
    """
    m = len(vectors)
    unit = F.normalize(vectors, dim=1, eps=TINY)
    squares = (unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / max(m * (m - 1), 1)
