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
from partbench_plugins.srae.training import Examples, StepDecay, pretrain, train, unfaithfulness
from partbench_plugins.srae.x_layer import XLayerExplainer

PROFILES: dict[str, dict[str, str | float]] = {
    "paper": {
        "pull_away_along": "features", "q": 100.0, "beta": 15.0, "eta": 5.0, "warm_up": 0.5, "retries": 2,
        "epochs": 16, "learning_rate": 3e-4, "decay_every": 0, "batch_size": 100, "pretrain_epochs": 0,
    },
    "released": {
        "pull_away_along": "images", "q": 100.0, "beta": 10.0, "eta": 10.0, "warm_up": 0.0, "retries": 5,
        "epochs": 130, "learning_rate": 1e-3, "decay_every": 40, "batch_size": 50, "pretrain_epochs": 10,
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
    "released" is the default of the authors' training code. Beside these, the options of XLayerExplainer.

    pull_away_along: "features": cosines between x-features over the mini-batch (eq. 3); "images": between the images'
        vectors of contributions (authors' training code).
    q, beta, eta: as in eq. 5.
    warm_up: fraction of the training over which eta rises from 0. At full strength from the start, the pull-away kills
        x-features, as a dead one is orthogonal to all (ours; neither source does).
    retries: how often to start again, with beta 1.2 times and eta 0.8 times as large, from a degenerate result
        (see `degenerate`; authors' training code). The last result is kept, whatever it is.
    epochs, learning_rate, decay_every, batch_size: see StepDecay.
    pretrain_epochs: epochs a layer of layer-wise pretraining; 0 for none.
    """

    name: ClassVar[str] = "srae"
    profiles: ClassVar[Mapping[str, Mapping[str, object]]] = PROFILES
    profile: Literal["paper", "released"] = "paper"
    pull_away_along: Literal["features", "images"] = of_profile()
    q: Annotated[float, Ge(0)] = of_profile()
    beta: Annotated[float, Ge(0)] = of_profile()
    eta: Annotated[float, Ge(0)] = of_profile()
    warm_up: Annotated[float, Ge(0), Le(1)] = of_profile()
    retries: Annotated[int, Ge(0)] = of_profile()
    epochs: Annotated[int, Ge(1)] = of_profile()
    learning_rate: Annotated[float, Gt(0)] = of_profile()
    decay_every: Annotated[int, Ge(0)] = of_profile()
    batch_size: Annotated[int, Ge(1)] = of_profile()
    pretrain_epochs: Annotated[int, Ge(0)] = of_profile()

    def learn(self, examples: Examples) -> XLayerNetwork:
        """Train, and again from degenerate results, up to `retries` times."""
        for retry in range(self.retries + 1):
            network = self._attempt(examples, self.beta * HARDER**retry, self.eta * LOOSER**retry)
            poor = degenerate(mean_contributions(network, examples))
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
            pretrain(network, examples, self.pretrain_epochs)

        def objective(out: Embedded, batch: Examples, progress: float) -> Tensor:
            assert out.reconstruction is not None
            sparse = log_penalty(dimension_errors(out.reconstruction, batch.z), self.q)
            apart = pull_away(self._directions(out.features, network.predictor.weight))
            warmth = min(1.0, progress / self.warm_up) if self.warm_up else 1.0
            return unfaithfulness(out, batch) + beta * sparse + warmth * eta * apart

        rates = (self.epochs, self.learning_rate, self.batch_size, self.weight_decay, self.decay_every)
        train(network, examples, objective, StepDecay(*rates, nonnegative=self.nonnegative))
        return network

    def _directions(self, features: Float[Tensor, "b n"], v: Float[Tensor, "1 n"]) -> Tensor:
        return features.T if self.pull_away_along == "features" else features * v + 1e-8


@torch.no_grad()
def mean_contributions(network: XLayerNetwork, examples: Examples) -> Float[Tensor, "n"]:
    """Mean of v_l E_l over the images of the category."""
    return (network.encoder(examples.z[examples.positive]) * network.predictor.weight).mean(0)


def degenerate(contributions: Float[Tensor, "n"]) -> bool:
    """Whether fewer than two x-features speak for the category, or the second less than 0.3 times as much as the first.

    `contributions` are means over images of the category. Source: SRAE, appendix I.3 (what degeneration is); the
    numbers are those of the authors' training code.
    """
    first, second, *_ = [*contributions.sort(descending=True).values.tolist(), 0.0, 0.0]
    return not (second > 0 and second / first >= EVEN)


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Srae)
