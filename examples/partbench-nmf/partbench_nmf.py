"""An explainer: concepts by non-negative matrix factorisation of a layer's activations, in the manner of CRAFT."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from sklearn.decomposition import NMF

from partbench import ConceptExplainer, InputError, hookimpl

STEPS = 100  # of multiplicative updates of the codes
TINY = 1e-9


@dataclass
class NmfConcepts(ConceptExplainer):
    """Concepts are the rows of W in A ~ U W, U and W >= 0: A are activations of cells, U how much of each concept is
    in a cell.

    Source: Fel et al., "CRAFT: Concept recursive activation factorization for explainability", CVPR 2023. CRAFT
    factorises the activations of random crops, and ranks concepts by total Sobol indices. Here the cells of the layer
    stand for crops, W is learned from images of the explained category, and contributions are codes times gradients.
    """

    name: ClassVar[str] = "nmf"
    learns_from = "explained"
    layer: str = "target"
    concepts: Annotated[int, Ge(1)] = 10

    def learn(self, activations: torch.Tensor, seed: int) -> None:
        """W (k, C), by coordinate descent. Raises InputError for a layer with negative activations."""
        if float(activations.min()) < 0:
            raise InputError(f"nmf: activations of {self.layer} are negative; choose a layer after a ReLU")
        nmf = NMF(self.concepts, init="nndsvda", random_state=seed, max_iter=400, tol=1e-3)
        nmf.fit(activations.numpy())
        self._w = torch.from_numpy(nmf.components_).float()

    def encode(self, activations: torch.Tensor) -> torch.Tensor:
        """U (m, k) by a fixed number of multiplicative updates, so that cells do not depend on each other."""
        w = self._w.to(activations)
        projected, gram = activations @ w.T, w @ w.T
        codes = projected / gram.diagonal().clamp(min=TINY)
        for _ in range(STEPS):
            codes = codes * projected / (codes @ gram).clamp(min=TINY)
        return codes

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """U W."""
        return codes @ self._w.to(codes)


@hookimpl
def register_explainers(register):
    register(NmfConcepts)
