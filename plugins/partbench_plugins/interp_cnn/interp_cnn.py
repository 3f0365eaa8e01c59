"""Interpretable CNNs: filters of high convolutional layers that each follow one part of one category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor, nn

from partbench import (
    Control,
    Explainer,
    Explanation,
    Images,
    PartSettings,
    ReceptiveField,
    TrainingTask,
    cached_weights,
    default_from,
    hookimpl,
    of_profile,
    training_identity,
    training_seconds,
)
from partbench_plugins.applicability import fitted
from partbench_plugins.interp_cnn.architecture import PartNetwork, PartNetworkOutputs
from partbench_plugins.interp_cnn.training import PartTraining, TaskLoss, finish, train

PROFILES: dict[str, dict[str, str | float | bool]] = {
    "stable": {
        "gradient": "exact", "weight": "matched", "position": "argmax", "height": 8.0, "mask_after_pool": False,
    },
    "paper": {
        "gradient": "paper", "weight": "published", "position": "argmax", "height": 0.5, "mask_after_pool": False,
    },
    "released": {
        "gradient": "released", "weight": "published", "position": "centroid", "height": 2.0, "mask_after_pool": True,
    },
}  # fmt: skip
RECIPE = "1"  # raise it when the same options no longer give the same weights


@dataclass
class InterpCnn(Explainer):
    """Interpretable CNN: a classifier whose filters follow parts; maps are those of its last, added, convolution.

    Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018, sections 3 and 5. The
    performer's top convolution and a new one on it are trained, with fresh fully-connected layers, on the images and
    labels of the task. The network is a classifier of its own: its logits do not predict the performer's. Its weights
    are cached and used again. Maps are masked, scores their maxima.

    profile: the values of options that are left out. "stable": -MI itself and gradient lengths matched (ours, with
        settings that keep accuracy on small data); "paper": as printed; "released": as in the authors' MATLAB code.
    gradient, weight, rho, schedule, position, height, mask, loss: see PartSettings.
    mask_after_pool: mask the added convolution after the pool on it (released code) rather than after its ReLU (paper).
    task_loss: of tasks with several categories; a single one has a logistic loss.
    trunk: "frozen" (activations below the top convolution are computed once) or "trained" with the rest at a tenth of
        the rate; by default trained if there is a GPU.
    filters: of the added convolution; 0 for as many as the top convolution has, at most 512.
    trained: False leaves the network with its initial weights (an ablation).
    learning_rate, batch_size: of Adam; at higher rates filters of small data die (the paper gives none).
    """

    name: ClassVar[str] = "interp_cnn"
    profiles: ClassVar[Mapping[str, Mapping[str, object]]] = PROFILES
    profile: Literal["stable", "paper", "released"] = "stable"
    gradient: Literal["exact", "paper", "released"] = of_profile()
    weight: Literal["matched", "published"] = of_profile()
    rho: Annotated[float, Ge(0)] = 0.1
    schedule: Literal["constant", "1/t"] = "constant"
    position: Literal["argmax", "centroid"] = of_profile()
    height: Annotated[float, Gt(0)] = of_profile()
    mask: bool = True
    loss: bool = True
    mask_after_pool: bool = of_profile()
    task_loss: TaskLoss = "softmax"
    trunk: Literal["frozen", "trained"] = default_from(lambda _: "trained" if torch.cuda.is_available() else "frozen")
    filters: Annotated[int, Ge(0)] = 0
    epochs: Annotated[int, Ge(1)] = 12
    warm_up: Annotated[int, Ge(0)] = 3
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    batch_size: Annotated[int, Ge(1)] = 16
    dropout: Annotated[float, Ge(0), Le(1)] = 0.5
    trained: bool = True
    _fitted: tuple[TrainingTask, PartNetwork, ReceptiveField] | None = field(
        init=False, repr=False, compare=False, default=None
    )
    _seconds: float | None = field(init=False, repr=False, compare=False, default=None)

    @property
    def part_settings(self) -> PartSettings:
        """How the filters are made to follow parts."""
        category: Literal["mean", "peak"] = "peak" if self.gradient == "released" else "mean"
        return PartSettings(
            self.gradient, self.weight, self.rho, self.schedule, self.position, self.height, category=category,
            mask=self.mask, loss=self.loss,
        )  # fmt: skip

    @property
    def network(self) -> PartNetwork:
        """The trained network. Raises RuntimeError before `fit`."""
        return fitted(self._fitted)[1]

    @property
    def grid(self) -> ReceptiveField:
        """Where a cell of its maps lies on the image. Raises RuntimeError before `fit`."""
        return fitted(self._fitted)[2]

    def fit(self, task: TrainingTask) -> None:
        """Train the network, or load its cached weights for this task, these options and this seed."""
        training = PartTraining(self.epochs, self.learning_rate, self.batch_size, self.warm_up)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed)
            network = self._started(task)
            if self.trained:
                identity = training_identity(self, task, RECIPE)
                network.load_state_dict(cached_weights(self.name, identity, self._maker(task, training)))
        finish(network, training)
        self._fitted = task, network, network.grid(task.performer)
        self._seconds = training_seconds(self.name, training_identity(self, task, RECIPE)) if self.trained else 0.0

    def explain(self, images: Images) -> Explanation:
        """Masked maps, their maxima, and the network's logits."""
        task, _, grid = fitted(self._fitted)
        maps, logits = self.outputs(images)
        if task.target is not None:
            logits = logits[:, 0]
        return Explanation(maps, grid=grid, scores=maps.amax((2, 3)), logits=logits, explained=logits)

    @torch.no_grad()
    def outputs(self, images: Images) -> PartNetworkOutputs:
        """Masked maps, and all logits of the network."""
        task, network, _ = fitted(self._fitted)
        outputs: PartNetworkOutputs = network(self._values(task, images))
        return outputs

    @torch.no_grad()
    def unmasked(self, images: Images) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]]:
        """Maps before they are masked, and the masks in [0, 1] (all 1 without `mask`): their product is `maps`."""
        task, network, _ = fitted(self._fitted)
        maps = network.unmasked(self._values(task, images))
        return maps, network.masks(maps)

    def control(self) -> Control:
        """An ablation without training, or without filter loss: the mask alone, or neither."""
        return "" if self.trained and self.loss else "ablation"

    def compared_with(self) -> tuple[str, Mapping[str, Any]]:
        """The ordinary network of equal depth, trained alike (section 5, "ordinary CNNs")."""
        return "top_conv", {"network": "ordinary"}

    def head(self, images: Images) -> nn.Module:
        """From masked maps to the network's logits of the explained categories; the same for all images."""
        return self.network.above

    @torch.no_grad()
    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n *c"]:
        """The network's logits with the maps of these filters set to 0."""
        task, network, _ = fitted(self._fitted)
        maps = self.outputs(images).maps.clone()
        maps[:, concepts] = 0
        logits = network.classify(maps)
        return logits if task.target is None else logits[:, 0]

    def report(self) -> dict[str, float]:
        """training_seconds: how long the training took, also where an earlier run did it; left out if unknown."""
        return {} if self._seconds is None else {"training_seconds": self._seconds}

    def _values(self, task: TrainingTask, images: Images) -> Tensor:
        network = self.network
        return images.pixels.to(task.device) if len(network.trunk) else images.activations(network.base)

    def _started(self, task: TrainingTask) -> PartNetwork:
        return PartNetwork(
            task.performer, len(task.explained_categories), self.part_settings, images=len(task.labels),
            dropout=self.dropout, filters=self.filters, mask_after_pool=self.mask_after_pool,
            trained_trunk=self.trunk == "trained",
        ).to(task.device)  # fmt: skip

    def _maker(self, task: TrainingTask, training: PartTraining) -> Callable[[], dict[str, Tensor]]:
        def make() -> dict[str, Tensor]:
            torch.manual_seed(task.seed)
            network = self._started(task)
            train(network, task, self.task_loss, training)
            return network.state_dict()

        return make


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(InterpCnn)
