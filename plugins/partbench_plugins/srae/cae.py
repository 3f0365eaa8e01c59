"""The classic autoencoder baseline: it reconstructs Z and never sees the logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt

from partbench import InputError, hookimpl
from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.training import Examples, StepDecay, reconstruction_error, regress, train
from partbench_plugins.srae.x_layer import XLayerExplainer


@dataclass
class Cae(XLayerExplainer):
    """Reconstruction alone (SRAE, section 4.2, "CAE"), then weighted ridge regression of the logit on the x-features.

    epochs: of the training of the reconstruction, with Adam.
    learning_rate: step size of Adam.
    batch_size: training images of a step of Adam.
    ridge: of that regression, relative to the mean variance of the x-features.

    The regression has no sign constraint: `nonnegative` must be False.
    """

    name: ClassVar[str] = "cae"
    epochs: Annotated[int, Ge(1)] = 16
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    batch_size: Annotated[int, Ge(1)] = 100
    ridge: Annotated[float, Ge(0)] = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonnegative:
            raise InputError("cae: nonnegative is true, expected false: its predictor is a plain regression")

    def learn(self, examples: Examples) -> XLayerNetwork:
        """Minimise the error of reconstruction, then read the logit out."""
        network = self.started(examples, decodes=True)
        rates = (self.epochs, self.learning_rate, self.batch_size, self.weight_decay)
        train(network, examples, reconstruction_error, StepDecay(*rates))
        regress(network, examples, self.ridge)
        return network


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Cae)
