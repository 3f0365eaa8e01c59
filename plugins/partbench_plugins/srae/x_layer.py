"""The base of srae, nn, sae and cae, which differ in their objective only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor, nn

from partbench import Explainer, Explanation, Images, TrainingTask
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.training import Examples
from partbench_plugins.unit_maps import UnitMaps
from partbench_plugins.weighted_concepts import WeightedConcepts

HEAVIEST = 50.0


class XLayer(NamedTuple):
    """A trained x-layer: from Z of the performer, in its own units, to x-features, and what these predict."""

    encoder: nn.Sequential
    concepts: WeightedConcepts


@dataclass
class XLayerExplainer(Explainer):
    """Explains one logit by n x-features E_l >= 0, learned from Z, the performer's first fully-connected layer.

    Scores are E_l, contributions v_l E_l; logits are their sum plus the predictor's bias. Maps are the c-MWP of the
    x-features (SRAE, section 2.4), >= 0, read at `read_layer`, computed only where asked for.

    n: number of x-features (SRAE, section 4.2).
    hidden: units of the encoder's hidden layers (section 4.2).
    dropout: after the first layer, in training (authors' training code).
    weight_decay: the lambdas of eq. 5, on all parameters (authors' training code).
    positive_weight: of images of the category in the faithfulness term, relative to the others. The paper enhances it
        without a number. "balanced" is N-/N+, at most 50; weights are then divided by their mean.
    nonnegative: keep v >= 0, so that x-features only speak for the category. Neither source does.
    standardise: divide logits by their standard deviation over the training split while training. False keeps raw
        logits, as the sources do; the strength of the other terms is then relative to the scale of the logits.
    scaled: divide Z by its root mean square over the training split while training; the encoder takes Z as it is
        afterwards. False trains on Z as it is, as the sources do: the log penalty is then relative to the scale of Z.
    centred: start with active x-features (`XLayerNetwork.centre`). Neither source does.
    read_layer: where maps are read; a role or the name of a layer. The paper reads at the image.
    """

    n: Annotated[int, Ge(1)] = 5
    hidden: tuple[Annotated[int, Ge(1)], ...] = (800, 100)
    dropout: Annotated[float, Ge(0), Le(1)] = 0.02
    weight_decay: Annotated[float, Ge(0)] = 1e-4
    positive_weight: Annotated[float, Ge(0)] | Literal["balanced"] = "balanced"
    nonnegative: bool = False
    standardise: bool = False
    scaled: bool = True
    centred: bool = True
    read_layer: str = "target"
    _x_layer: XLayer | None = field(init=False, repr=False, compare=False, default=None)
    _report: dict[str, float] = field(init=False, repr=False, compare=False, default_factory=dict)

    def learn(self, examples: Examples) -> XLayerNetwork:
        """The network trained on `examples`, drawing on torch's global generator."""
        raise NotImplementedError

    def fit(self, task: TrainingTask) -> None:
        """Learn from the training split. Raises NotApplicable where all logits are explained or a layer is missing."""
        require_one_logit(task)
        require_layers(task, "fc1", self.read_layer)
        z = task.activations("fc1").flatten(1).to(task.device)
        logits = task.explained().to(task.device)
        z_scale = (float(z.square().mean().sqrt()) or 1.0) if self.scaled else 1.0
        logit_scale = (float(logits.std()) or 1.0) if self.standardise else 1.0
        positive = task.positive(task.labels).to(task.device)
        examples = Examples(z / z_scale, logits / logit_scale, self._weights(positive), positive)
        with _seeded(task, self.name):
            network = self.learn(examples)
        self._x_layer = _in_own_units(network, task, z_scale, logit_scale, self.read_layer)
        self._report |= _liveliness(self._x_layer, z[positive])

    @torch.no_grad()
    def explain(self, images: Images) -> Explanation:
        """x-features, contributions, predicted logits and (lazily) maps of a batch."""
        x_layer = fitted(self._x_layer)
        return x_layer.concepts.explanation(images, x_layer.encoder(images.activations("fc1").flatten(1)))

    def report(self) -> dict[str, float]:
        """Counts of x-features, on training images of the category: `alive` (mean activation above 0) and
        `positively_contributing` (mean contribution above 0)."""
        return dict(self._report)

    def started(self, examples: Examples, *, decodes: bool) -> XLayerNetwork:
        """A network before training, on the examples' device."""
        widths = [examples.z.shape[1], *self.hidden, self.n]
        network = XLayerNetwork(widths, dropout=self.dropout, decodes=decodes)  # drawn on the CPU: alike on all devices
        network.to(examples.z.device)
        if self.nonnegative:
            network.predictor.weight.data.abs_()
        if self.centred:
            network.centre(examples.z, examples.logits, signed=not self.nonnegative)
        return network

    def _weights(self, positive: Tensor) -> Float[Tensor, "N"]:
        ratio = float((~positive).sum() / positive.sum().clamp(min=1))
        heavy = min(ratio, HEAVIEST) if self.positive_weight == "balanced" else float(self.positive_weight)
        weight = torch.where(positive, heavy, 1.0)
        return weight / weight.mean()


@contextmanager
def _seeded(task: TrainingTask, explainer: str) -> Iterator[None]:
    """torch's generators seeded by task and explainer, and put back afterwards."""
    devices = [task.device] if task.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(task.random_seed(explainer))
        yield


@torch.no_grad()
def _in_own_units(
    network: XLayerNetwork, task: TrainingTask, z_scale: float, logit_scale: float, read_layer: str
) -> XLayer:
    """The trained network with the scales folded into its first and last layers."""
    network.eval().requires_grad_(False)
    network.encoding[0].weight /= z_scale
    v, bias = network.predictor.weight[0] * logit_scale, float(network.predictor.bias[0]) * logit_scale
    unit_maps = UnitMaps(task, read_layer, "fc1", encoder=network.encoder)
    return XLayer(network.encoder, WeightedConcepts(v, bias, unit_maps))


@torch.no_grad()
def _liveliness(x_layer: XLayer, z: Float[Tensor, "P d"]) -> dict[str, float]:
    features = x_layer.encoder(z)
    if not len(features):
        return {}
    return {
        "alive": float((features.mean(0) > 0).sum()),
        "positively_contributing": float(((features * x_layer.concepts.weights).mean(0) > 0).sum()),
    }
