"""The stacked autoencoder baseline: it minimises the errors of the logit and of all of Z."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor

from partbench import hookimpl
from partbench_plugins.srae.network import Embedded, XLayerNetwork
from partbench_plugins.srae.training import Examples, StepDecay, reconstruction_error, train, unfaithfulness
from partbench_plugins.srae.x_layer import XLayerExplainer


@dataclass
class Sae(XLayerExplainer):
    """srae with the plain mean squared reconstruction error and without pull-away (SRAE, section 4.2, "SAE").

    beta: weight of the reconstruction error, with Z scaled to mean square 1. The paper gives none; at 10 both terms
        are of the size of the logits' variance; at 300, which the authors' training code mentions, the logit is lost.
    epochs: of the training with Adam.
    learning_rate: step size of Adam.
    batch_size: training images of a step of Adam.
    """

    name: ClassVar[str] = "sae"
    beta: Annotated[float, Ge(0)] = 10.0
    epochs: Annotated[int, Ge(1)] = 16
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    batch_size: Annotated[int, Ge(1)] = 100

    def learn(self, examples: Examples) -> XLayerNetwork:
        """Minimise the weighted squared error of the logit and the error of reconstruction."""
        network = self.started(examples, decodes=True)

        def objective(out: Embedded, batch: Examples, progress: float) -> Tensor:
            return unfaithfulness(out, batch) + self.beta * reconstruction_error(out, batch)

        rates = (self.epochs, self.learning_rate, self.batch_size, self.weight_decay)
        train(network, examples, objective, StepDecay(*rates, nonnegative=self.nonnegative))
        return network


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Sae)
