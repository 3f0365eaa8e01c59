"""An explainer: concepts by non-negative matrix factorisation of a layer's activations, in the manner of CRAFT."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from scipy.stats import qmc
from sklearn.decomposition import NMF
from torch import Tensor

from partbench import ConceptExplainer, InputError, hookimpl

STEPS = 100  # of multiplicative updates of the codes
TINY = 1e-9


@dataclass
class NmfConcepts(ConceptExplainer):
    """Concepts are the rows of W in A ~ U W, U and W >= 0: A are activations of cells, U how much of each concept is
    in a cell.

    Source: Fel et al., "CRAFT: Concept recursive activation factorization for explainability", CVPR 2023. CRAFT
    factorises the activations of random crops. Here the cells of the layer stand for crops, and W is learned from
    images of the explained category.

    layer: role or name of a layer after a ReLU.
    concepts: rows of W.
    importance: what contributions are. "gradient": codes times gradients, in units of the logit. "sobol": the total
        Sobol index of each concept (CRAFT, section 3.3, `total_sobol`). Codes are multiplied by masks; the index is the
        share of the logit's variance that remains when the masks of all other concepts are known. Indices are >= 0 and
        do not sum to the logit: read them as a ranking.
    designs: masks of the concepts that "sobol" draws, a power of 2; it runs the network above the layer
        designs * (concepts + 1) times.
    """

    name: ClassVar[str] = "nmf"
    learns_from: ClassVar[Literal["all", "explained"]] = "explained"
    layer: str = "target"
    concepts: Annotated[int, Ge(1)] = 10
    importance: Literal["gradient", "sobol"] = "gradient"
    designs: Annotated[int, Ge(2)] = 32

    def __post_init__(self) -> None:
        """Raises InputError for a number of masks that quasi-random numbers cannot fill evenly."""
        super().__post_init__()
        if self.designs & (self.designs - 1):
            raise InputError(f"nmf: designs is {self.designs}, expected a power of 2, such as 32")

    def learn(self, activations: Tensor, seed: int) -> None:
        """W (k, C), by coordinate descent. Raises InputError for a layer with negative activations."""
        if float(activations.min()) < 0:
            raise InputError(f"nmf: activations of {self.layer} are negative; choose a layer after a ReLU")
        nmf = NMF(self.concepts, init="nndsvda", random_state=seed, max_iter=400, tol=1e-3)
        nmf.fit(activations.numpy())
        self._w = torch.from_numpy(nmf.components_).float()
        self._masks = quasi_random_masks(self.concepts, self.designs, seed)

    def encode(self, activations: Tensor) -> Tensor:
        """U (m, k) by a fixed number of multiplicative updates, so that cells do not depend on each other."""
        w = self._w.to(activations)
        projected, gram = activations @ w.T, w @ w.T
        codes = projected / gram.diagonal().clamp(min=TINY)
        for _ in range(STEPS):
            codes = codes * projected / (codes @ gram).clamp(min=TINY)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """U W."""
        return codes @ self._w.to(codes)

    def contributions(self, codes: Tensor, logits: Tensor) -> Tensor:
        """(n, k), see `importance`."""
        if self.importance == "gradient":
            return super().contributions(codes, logits)
        concepts = (1, -1, *[1] * (codes.ndim - 2))
        with torch.no_grad():
            return total_sobol(lambda mask: self.logits_of(codes * mask.to(codes).view(concepts)), *self._masks)


def quasi_random_masks(concepts: int, designs: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two independent matrices (designs, concepts) of masks in [0, 1): halves of a scrambled Sobol sequence."""
    points = qmc.Sobol(2 * concepts, rng=seed).random(designs)
    first, second = torch.from_numpy(points).float().split(concepts, dim=1)
    return first, second


def total_sobol(function: Callable[[Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """Total Sobol indices (n, k), >= 0, of a function that takes a mask (k,) to n values; 0 where these never vary.

    S_i = E (f(A) - f(A with column i of B))^2 / (2 Var f(A)), A and B the two matrices of masks.

    Source: Jansen, "Analysis of variance designs for model output", Computer Physics Communications 117, 1999; CRAFT
    takes its estimator of the total index.
    """
    values = torch.stack([function(mask) for mask in first])
    squares = []
    for concept in range(first.shape[1]):
        exchanged = first.clone()
        exchanged[:, concept] = second[:, concept]
        others = torch.stack([function(mask) for mask in exchanged])
        squares.append((values - others).square().mean(0))
    variance = values.var(0, correction=0)
    return torch.where(variance > 0, torch.stack(squares) / (2 * variance.clamp(min=TINY)), 0.0).T


@hookimpl
def register_explainers(register):
    register(NmfConcepts)
