"""The sparse reconstruction autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor

from partbench import hookimpl, of_profile
from partbench_plugins.srae.losses import dimension_errors, log_penalty, pull_away
from partbench_plugins.srae.network import Embedded, XLayerNetwork
from partbench_plugins.srae.training import (
    Examples,
    StepDecay,
    pretrain,
    regress,
    train,
    train_predictor,
    unfaithfulness,
)
from partbench_plugins.srae.x_layer import XLayerExplainer

PROFILES: dict[str, dict[str, str | float]] = {
    "paper": {
        "positive_weight": "balanced", "scaled": True, "centred": True,
        "pull_away_along": "features", "q": 100.0, "beta": 15.0, "eta": 5.0, "warm_up": 0.5, "retries": 2,
        "judged_on": "category", "epochs": 16, "learning_rate": 3e-4, "decay_every": 0, "batch_size": 100,
        "even_batches": True, "pretrain_epochs": 0, "predictor_start": "least_squares",
    },
    "released": {
        "positive_weight": 1.0, "scaled": False, "centred": False,
        "pull_away_along": "images", "q": 100.0, "beta": 10.0, "eta": 10.0, "warm_up": 0.0, "retries": 5,
        "judged_on": "all", "epochs": 130, "learning_rate": 1e-3, "decay_every": 40, "batch_size": 50,
        "even_batches": False, "pretrain_epochs": 10, "predictor_start": "adam",
    },
}  # fmt: skip
EVEN = 0.3  # least ratio of the second to the first mean contribution
HARDER, LOOSER = 1.2, 0.8


@dataclass
class Srae(XLayerExplainer):
    """Sparse reconstruction autoencoder: x-features that predict the logit, rebuild part of Z and point apart.

    Source: Qi, Khorram and Li, "Embedding Deep Networks into Visual Explanations", sections 2.2 and 2.3, eq. 5:
    faithfulness + beta mean_k log(1 + q Q_k) + eta pull-away.

    Options left out take the profile's value. "paper" is eq. 5, with the weights that the authors' training code lists
    for it, and a length, rate and warm-up that keep x-features alive on small data (ours: the paper gives none).
    "released" is the default of the authors' training code: Z and the logits as they are, all images alike, nothing
    that ours adds. Two things differ there: theirs draws 8000 negatives a category, ours trains on all training images;
    and theirs judges a result with dropout. Beside these, the options of XLayerExplainer.

    profile: the values of options that are left out, "paper" or "released", as above.
    pull_away_along: "features": cosines between x-features over the mini-batch (eq. 3); "images": between the images'
        vectors of contributions (authors' training code).
    q: scale of the error of a dimension of Z inside the logarithm of the penalty (eq. 5).
    beta: weight of the log penalty of the reconstruction error (eq. 5).
    eta: weight of the pull-away term (eq. 5).
    warm_up: fraction of the training over which eta rises from 0. At full strength from the start, the pull-away kills
        x-features, as a dead one is orthogonal to all (ours; neither source does).
    retries: how often to start again, with beta 1.2 times and eta 0.8 times as large, from a degenerate result
        (see `degenerate`; authors' training code). The last result is kept, whatever it is.
    judged_on: the training images whose mean contributions say whether a result is degenerate: those of the category
        (ours), or all (authors' training code).
    epochs: of the training with Adam.
    learning_rate: of Adam, at the start.
    decay_every: epochs after which the rate falls to a tenth, again and again; 0 for never.
    batch_size: training images of a step of Adam.
    even_batches: batches of nearly equal size; otherwise only the last one of an epoch is smaller.
    pretrain_epochs: epochs a layer of layer-wise pretraining (Adam 1e-3, batches of 50); 0 for none.
    predictor_start: of the predictor after pretraining: least squares (ours), or "adam", trained as the layers were.
    """

    name: ClassVar[str] = "srae"
    profiles: ClassVar[Mapping[str, Mapping[str, object]]] = PROFILES
    profile: Literal["paper", "released"] = "paper"
    positive_weight: Annotated[float, Ge(0)] | Literal["balanced"] = of_profile()
    scaled: bool = of_profile()
    centred: bool = of_profile()
    pull_away_along: Literal["features", "images"] = of_profile()
    q: Annotated[float, Ge(0)] = of_profile()
    beta: Annotated[float, Ge(0)] = of_profile()
    eta: Annotated[float, Ge(0)] = of_profile()
    warm_up: Annotated[float, Ge(0), Le(1)] = of_profile()
    retries: Annotated[int, Ge(0)] = of_profile()
    judged_on: Literal["category", "all"] = of_profile()
    epochs: Annotated[int, Ge(1)] = of_profile()
    learning_rate: Annotated[float, Gt(0)] = of_profile()
    decay_every: Annotated[int, Ge(0)] = of_profile()
    batch_size: Annotated[int, Ge(1)] = of_profile()
    even_batches: bool = of_profile()
    pretrain_epochs: Annotated[int, Ge(0)] = of_profile()
    predictor_start: Literal["least_squares", "adam"] = of_profile()

    def learn(self, examples: Examples) -> XLayerNetwork:
        """Train, and again from degenerate results, up to `retries` times."""
        for retry in range(self.retries + 1):
            network = self._attempt(examples, self.beta * HARDER**retry, self.eta * LOOSER**retry)
            judged = examples if self.judged_on == "all" else examples[examples.positive]
            poor = degenerate(mean_contributions(network, judged))
            if not poor:
                break
        self._report = {"retries": float(retry), "degenerate": float(poor)}
        return network

    def compared_with(self) -> tuple[str, Mapping[str, Any]]:
        """The autoencoder without sparsity and pull-away (section 4)."""
        return "sae", {}

    def _attempt(self, examples: Examples, beta: float, eta: float) -> XLayerNetwork:
        network = self.started(examples, decodes=True)
        if self.pretrain_epochs:
            self._pretrain(network, examples)

        def objective(out: Embedded, batch: Examples, progress: float) -> Tensor:
            assert out.reconstruction is not None
            sparse = log_penalty(dimension_errors(out.reconstruction, batch.z), self.q)
            apart = pull_away(self._directions(out.features, network.predictor.weight))
            warmth = min(1.0, progress / self.warm_up) if self.warm_up else 1.0
            return unfaithfulness(out, batch) + beta * sparse + warmth * eta * apart

        rates = (self.epochs, self.learning_rate, self.batch_size, self.weight_decay, self.decay_every)
        train(network, examples, objective, StepDecay(*rates, nonnegative=self.nonnegative, even=self.even_batches))
        return network

    def _pretrain(self, network: XLayerNetwork, examples: Examples) -> None:
        schedule = StepDecay(self.pretrain_epochs, 1e-3, 50, even=self.even_batches)
        pretrain(network, examples, schedule)
        if self.predictor_start == "adam":
            train_predictor(network, examples, schedule)
        else:
            regress(network, examples)

    def _directions(self, features: Float[Tensor, "b n"], v: Float[Tensor, "1 n"]) -> Tensor:
        return features.T if self.pull_away_along == "features" else features * v + 1e-8


@torch.no_grad()
def mean_contributions(network: XLayerNetwork, examples: Examples) -> Float[Tensor, "n"]:
    """Mean of v_l E_l over these images."""
    return (network.encoder(examples.z) * network.predictor.weight).mean(0)


def degenerate(contributions: Float[Tensor, "n"]) -> bool:
    """Whether fewer than two x-features speak for the category, or the second less than 0.3 times as much as the first.

    `contributions` are means over images. Source: SRAE, appendix I.3 (what degeneration is); the numbers are those of
    the authors' training code.
    """
    first, second, *_ = [*contributions.sort(descending=True).values.tolist(), 0.0, 0.0]
    return not (second > 0 and second / first >= EVEN)


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Srae)
