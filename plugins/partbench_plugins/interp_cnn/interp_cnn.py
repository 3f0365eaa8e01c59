"""Interpretable CNNs: filters of high convolutional layers that each follow one part of one category."""

from __future__ import annotations

import dataclasses
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
    Remarked,
    TrainingTask,
    cached_weights,
    category_balance,
    default_from,
    hookimpl,
    of_profile,
    training_identity,
    training_seconds,
)
from partbench_plugins.applicability import fitted
from partbench_plugins.interp_cnn.architecture import PartDesign, PartNetwork, PartNetworkOutputs
from partbench_plugins.interp_cnn.training import PartTraining, TaskLoss, finish, train, training_state

PROFILES: dict[str, dict[str, str | float | bool]] = {
    "stable": {
        "gradient": "released", "marginal": "own", "weight": "matched", "rho": 0.3, "position": "centroid",
        "height": 8.0, "mask": False,
        "mask_after_pool": False, "loss_layers": "added", "mask_layers": "added", "start": "he", "batch_norm": True,
        "epochs": 36, "warm_up": 3, "optimiser": "adam", "weight_decay": 0.0, "dropout": 0.0, "mirrored": True,
    },
    "paper": {
        "gradient": "paper", "marginal": "largest", "weight": "published", "rho": 1.0, "position": "argmax",
        "height": 0.5, "mask": True,
        "mask_after_pool": False, "loss_layers": "both", "mask_layers": "both", "start": "performer",
        "batch_norm": False, "epochs": 36, "warm_up": 0, "optimiser": "adam", "weight_decay": 0.0, "dropout": 0.5,
        "mirrored": True,
    },
    "released": {
        "gradient": "released", "marginal": "own", "weight": "published", "rho": 1.0, "position": "centroid",
        "height": 2.0, "mask": True,
        "mask_after_pool": True, "loss_layers": "both", "mask_layers": "both", "start": "published",
        "batch_norm": False, "epochs": 50, "warm_up": 0, "optimiser": "sgd", "weight_decay": 5e-4, "dropout": 0.8,
        "mirrored": True,
    },
}  # fmt: skip
LEARNING_RATES = {"adam": 1e-3, "sgd": 1e-2}
RECIPE = "3"  # raise it when the same options no longer give the same weights
AT_CHANCE = 0.2  # share of what lies between chance and 1 up to which a network counts as at chance


@dataclass
class InterpCnn(Explainer):
    """Interpretable CNN: a classifier whose filters follow parts; maps are those of its last, added, convolution.

    Source: Zhang, Wu and Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018, sections 3 and 5. The
    performer's top convolution and a new one on it are trained, with fresh fully-connected layers, on the images and
    labels of the task. The network is a classifier of its own: its logits do not predict the performer's. Its weights
    are cached and used again. Maps are masked, scores their maxima.

    profile: the values of options that are left out. "stable" (ours): settings that train on small data; the gradient
        of the released code, 0.3 times as long as the task's, on the added convolution only, without masks, with batch
        norm. "paper": as printed. "released": as in the authors' MATLAB code, but for its learned beta, its learning
        rates, which differ between networks, and the scale of its softmax loss. Paper and code train the trunk too:
        without a GPU, both profiles need `trunk=trained`.
    gradient: of the filter loss: its "exact" derivative, the one that the "paper" prints, or that of the "released"
        code (`filter_gradients`), which with several categories has the weights of `category_balance`.
    marginal: p(x) of the "paper" gradient: one of each filter over the batch ("largest", as printed), which lowers the
        peaks that it should raise, or of each image its "own".
    weight: length of the gradient of the filter loss: "matched" to rho times that of the task's gradient, or as
        "published" for that gradient.
    rho: length of the gradient of the filter loss relative to that of the task's, where the weight is "matched".
    schedule: of rho over the epochs, "constant" or divided by the epoch, "1/t".
    position: where the mask of a filter is put on an image: at the "argmax" of its map or at the "centroid".
    height: tau of the masks, in units of 1 / n^2 for maps of n x n cells.
    mask: whether maps are masked.
    loss: whether there is a filter loss.
    mask_after_pool: mask the added convolution after the pool on it, as the released code, not after its ReLU, as the
        paper's text.
    loss_layers: which convolutions have the filter loss, the "added" one or "both" (the top convolution too).
    mask_layers: which convolutions have masks, the "added" one or "both".
    start: of the new layers: "he" (He et al.), "published", N(0, 0.01^2), or "performer", which is "he" but for the top
        convolution, a copy of the performer's.
    batch_norm: between convolutions and their ReLU.
    filters: of the added convolution; 0 for as many as the top one has.
    task_loss: of tasks with several categories, "softmax" or "logistic"; a single one has a logistic loss.
    trunk: "frozen" (activations below the top convolution are computed once) or "trained" with the rest at a tenth of
        the rate; by default trained if there is a GPU.
    dropout: between the fully-connected layers. 0 in "stable": of training images held out, .92 were told right with .5
        on fauna/dog and .96 without, .46 and .69 on the photographs of five categories; filters hardly differ.
    trained: False leaves the network with its initial weights: a control.
    epochs: of training; the paper gives neither this nor the next six.
    warm_up: epochs at the beginning without masks and filter loss.
    optimiser: "adam", or "sgd" with momentum.
    learning_rate: by default 1e-3 for Adam, 1e-2 for SGD.
    weight_decay: of the optimiser.
    batch_size: images of a step.
    mirrored: half of the images drawn are mirrored.
    """

    name: ClassVar[str] = "interp_cnn"
    profiles: ClassVar[Mapping[str, Mapping[str, object]]] = PROFILES
    profile: Literal["stable", "paper", "released"] = "stable"
    gradient: Literal["exact", "paper", "released"] = of_profile()
    marginal: Literal["largest", "own"] = of_profile()
    weight: Literal["matched", "published"] = of_profile()
    rho: Annotated[float, Ge(0)] = of_profile()
    schedule: Literal["constant", "1/t"] = "constant"
    position: Literal["argmax", "centroid"] = of_profile()
    height: Annotated[float, Gt(0)] = of_profile()
    mask: bool = of_profile()
    loss: bool = True
    mask_after_pool: bool = of_profile()
    loss_layers: Literal["added", "both"] = of_profile()
    mask_layers: Literal["added", "both"] = of_profile()
    start: Literal["he", "published", "performer"] = of_profile()
    batch_norm: bool = of_profile()
    task_loss: TaskLoss = "softmax"
    trunk: Literal["frozen", "trained"] = default_from(lambda _: "trained" if torch.cuda.is_available() else "frozen")
    filters: Annotated[int, Ge(0)] = 0
    epochs: Annotated[int, Ge(1)] = of_profile()
    warm_up: Annotated[int, Ge(0)] = of_profile()
    optimiser: Literal["adam", "sgd"] = of_profile()
    learning_rate: Annotated[float, Gt(0)] = default_from(lambda given: LEARNING_RATES[given.optimiser])
    weight_decay: Annotated[float, Ge(0)] = of_profile()
    batch_size: Annotated[int, Ge(1)] = 64
    dropout: Annotated[float, Ge(0), Le(1)] = of_profile()
    mirrored: bool = of_profile()
    trained: bool = True
    _fitted: tuple[TrainingTask, PartNetwork, ReceptiveField] | None = field(
        init=False, repr=False, compare=False, default=None
    )
    _seconds: float | None = field(init=False, repr=False, compare=False, default=None)

    def design(self, categories: int) -> PartDesign:
        """What the network is made of, for so many categories."""
        category: Literal["mean", "peak"] = "peak" if self.gradient == "released" else "mean"
        parts = PartSettings(
            self.gradient, self.weight, self.rho, self.schedule, self.position, self.height, category=category,
            mask=self.mask, loss=self.loss, balance=category_balance(categories), marginal=self.marginal,
        )  # fmt: skip
        return PartDesign(
            parts, self.loss_layers, self.mask_layers, self.mask_after_pool, self.start, self.batch_norm, self.dropout,
            self.filters, self.trunk == "trained",
        )  # fmt: skip

    @property
    def training(self) -> PartTraining:
        """How the network is trained."""
        return PartTraining(
            self.epochs, self.learning_rate, self.batch_size, self.optimiser, self.weight_decay, self.warm_up,
            self.mirrored,
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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.random_seed(self.name))
            network = self._started(task)
            if self.trained:
                identity = training_identity(self, task, RECIPE)
                network.load_state_dict(cached_weights(self.name, identity, self._maker(task)))
        finish(network, self.training)
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
    def unmasked(self, images: Images) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"]] | None:
        """Maps before they are masked, and the masks in [0, 1]: their product is `maps`. None without `mask`."""
        if not self.mask:
            return None
        task, network, _ = fitted(self._fitted)
        maps = network.unmasked(self._values(task, images))
        return maps, network.masks(maps)

    def control(self) -> Control:
        """An ablation without training, or without filter loss: the mask alone, or neither."""
        return "" if self.trained and self.loss else "ablation"

    def explains(self, task: TrainingTask) -> tuple[str, Mapping[str, Any]]:
        """Itself: a classifier of its own, with the options that shape it."""
        return self.name, {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    def compared_with(self) -> tuple[str, Mapping[str, Any]]:
        """The ordinary network of equal depth, trained alike and read on the same grid (section 5, "ordinary CNNs")."""
        options: dict[str, Any] = {"network": "ordinary", "profile": self.profile, "after_pool": self.mask_after_pool}
        return "top_conv", options

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

    def report(self) -> dict[str, float | Remarked]:
        """training_balanced_accuracy: mean recall of the sides, or of the categories, on at most 1000 training images.

        It is remarked on where the network is at chance: in the lowest fifth of what lies between chance and 1.
        dead_filters_share: filters of the added convolution that no training image activates. gradient_ratio@layer: the
        length of the filter loss's gradient over that of the task's, in the last batches. training_seconds: how long
        the training took, also where an earlier run did it; left out if unknown.
        """
        task, network, _ = fitted(self._fitted)
        recall, dead = training_state(network, task)
        chance = 1 / max(2, len(task.explained_categories))
        poor = recall < chance + AT_CHANCE * (1 - chance)
        found: dict[str, float | Remarked] = {
            "training_balanced_accuracy": Remarked(recall, "the network is at chance" if poor else ""),
            "dead_filters_share": dead,
        }
        for name, layer in (("top_conv", network.top_parts), ("added", network.parts)):
            if layer.regulariser is not None:
                found[f"gradient_ratio@{name}"] = float(layer.regulariser.ratio)
        return found | ({} if self._seconds is None else {"training_seconds": self._seconds})

    def _values(self, task: TrainingTask, images: Images) -> Tensor:
        network = self.network
        return images.pixels.to(task.device) if len(network.trunk) else images.activations(network.base)

    def _started(self, task: TrainingTask) -> PartNetwork:
        outputs = len(task.explained_categories)
        return PartNetwork(task.performer, outputs, self.design(outputs), images=len(task.labels)).to(task.device)

    def _maker(self, task: TrainingTask) -> Callable[[], dict[str, Tensor]]:
        def make() -> dict[str, Tensor]:
            torch.manual_seed(task.random_seed(self.name))
            network = self._started(task)
            train(network, task, self.task_loss, self.training)
            return network.state_dict()

        return make


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(InterpCnn)
