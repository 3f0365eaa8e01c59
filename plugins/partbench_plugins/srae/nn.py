"""The fully-connected network baseline: it minimises the error of the logit only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt

from partbench import hookimpl
from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.training import Examples, StepDecay, train, unfaithfulness
from partbench_plugins.srae.x_layer import XLayerExplainer


@dataclass
class Nn(XLayerExplainer):
    """srae without reconstruction and without pull-away: encoder and predictor (SRAE, section 4.2, "NN").

    epochs: of the training with Adam.
    learning_rate: step size of Adam.
    batch_size: training images of a step of Adam.
    """

    name: ClassVar[str] = "nn"
    epochs: Annotated[int, Ge(1)] = 16
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    batch_size: Annotated[int, Ge(1)] = 100

    def learn(self, examples: Examples) -> XLayerNetwork:
        """Minimise the weighted squared error of the logit."""
        network = self.started(examples, decodes=False)
        rates = (self.epochs, self.learning_rate, self.batch_size, self.weight_decay)
        train(network, examples, unfaithfulness, StepDecay(*rates, nonnegative=self.nonnegative))
        return network


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Nn)
