"""A few units of the first fully-connected layer, chosen by the Lasso."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import Float

from partbench import Explainer, Explanation, Images, InputError, NotApplicable, TrainingTask, hookimpl
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.unit_maps import UnitMaps
from partbench_plugins.weighted_concepts import WeightedConcepts

if TYPE_CHECKING:
    import sklearn.linear_model

# scikit-learn is imported by what uses it: over a second, which every process that loads plugins would pay


class SparseLinearModel(NamedTuple):
    """A linear model with few units: their indices, coefficients and the intercept."""

    units: list[int]
    w: Float[np.ndarray, "k"]
    intercept: float


@dataclass
class Lasso(Explainer):
    """The Lasso from Z, the performer's first fully-connected layer, to the explained logit.

    Source: a baseline in Qi, Khorram and Li, "Embedding Deep Networks into Visual Explanations", section 4.2, tables 2
    and 5. Objective: (1/2N) |y - Zw - b|^2 + alpha |w|_1, with Z as it is and all images alike. Concepts are the units
    with a coefficient: scores Z_k, contributions w_k Z_k, logits their sum plus the intercept b, maps the c-MWP of the
    units read at `read_layer`. Units that speak against the category (w < 0) stay.

    features: stop where this many units have entered the path, just before the next (8 is what the paper's alpha of 2.5
        gives on CUB; 5 on Places). Alpha itself depends on the scale of the logits.
    alpha: this penalty instead.
    cross_validate: the penalty with the least error in three-fold cross-validation instead, among 20; often 100 units.
    read_layer: role or name of the layer at which maps are read.
    """

    name: ClassVar[str] = "lasso"
    features: Annotated[int, Ge(1)] = 8
    alpha: Annotated[float, Ge(0)] | None = None
    cross_validate: bool = False
    read_layer: str = "target"
    _units: list[int] = field(init=False, repr=False, compare=False, default_factory=list)
    _concepts: WeightedConcepts | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cross_validate and self.alpha is not None:
            raise InputError(f"lasso: alpha={self.alpha} and cross_validate exclude each other; give one of them")

    def fit(self, task: TrainingTask) -> None:
        """Choose units on the training split. Raises NotApplicable also where the penalty leaves no unit."""
        require_one_logit(task)
        require_layers(task, "fc1", self.read_layer)
        z = task.activations("fc1").flatten(1).double().numpy()
        model = self._model()(z, task.explained().double().numpy())
        if not model.units:
            raise NotApplicable(f"no unit of fc1 has a coefficient with alpha={self.alpha}")
        w = torch.as_tensor(model.w, dtype=torch.float32, device=task.device)
        unit_maps = UnitMaps(task, self.read_layer, "fc1", units=model.units)
        self._units, self._concepts = model.units, WeightedConcepts(w, model.intercept, unit_maps)

    def deterministic(self) -> bool:
        """Nothing is drawn; the shuffle of cross-validation is fixed."""
        return True

    def explain(self, images: Images) -> Explanation:
        """Activations, contributions, predicted logits and (lazily) maps of the chosen units."""
        concepts = fitted(self._concepts)
        return concepts.explanation(images, images.activations("fc1").flatten(1)[:, self._units])

    def report(self) -> dict[str, float]:
        """How many units were chosen, and how many of them speak against the category (w < 0)."""
        weights = fitted(self._concepts).weights
        return {"number_of_features": float(len(weights)), "negative_features": float((weights < 0).sum())}

    def _model(self) -> Callable[[np.ndarray, np.ndarray], SparseLinearModel]:
        if self.cross_validate:
            return cross_validated
        if (alpha := self.alpha) is not None:
            return lambda z, y: at_penalty(z, y, alpha)
        return lambda z, y: along_path(z, y, self.features)


def at_penalty(z: Float[np.ndarray, "N d"], y: Float[np.ndarray, "N"], alpha: float) -> SparseLinearModel:
    """The Lasso with the penalty alpha."""
    import sklearn.linear_model

    return _sparse(sklearn.linear_model.Lasso(alpha=alpha, max_iter=5000).fit(z, y))


def along_path(z: Float[np.ndarray, "N d"], y: Float[np.ndarray, "N"], features: int) -> SparseLinearModel:
    """The Lasso at the least penalty that still has `features` units; fewer only where the path ends before."""
    import sklearn.linear_model

    mean, level = z.mean(0), y.mean()
    _, _, path = sklearn.linear_model.lars_path(
        z - mean, y - level, method="lasso", max_iter=4 * features + 8, Gram=None, copy_X=False
    )
    counts = (path != 0).sum(0)  # units may leave the path too, so the count is not monotonic
    exact = np.flatnonzero(counts == features)
    w = path[:, exact[0] if len(exact) else int(np.argmax(np.minimum(counts, features)))]
    units = np.flatnonzero(w)
    return SparseLinearModel(units.tolist(), w[units], float(level - mean @ w))


def cross_validated(z: Float[np.ndarray, "N d"], y: Float[np.ndarray, "N"]) -> SparseLinearModel:
    """The Lasso with the penalty of least squared error in shuffled three-fold cross-validation (a fixed shuffle)."""
    import sklearn.linear_model
    import sklearn.model_selection

    folds = sklearn.model_selection.KFold(3, shuffle=True, random_state=0)
    return _sparse(sklearn.linear_model.LassoCV(alphas=20, cv=folds, eps=1e-2).fit(z, y))


def _sparse(model: sklearn.linear_model.Lasso | sklearn.linear_model.LassoCV) -> SparseLinearModel:
    units = np.flatnonzero(model.coef_)
    return SparseLinearModel(units.tolist(), model.coef_[units], float(model.intercept_))


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Lasso)
