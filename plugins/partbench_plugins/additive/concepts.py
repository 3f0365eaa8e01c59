"""The concepts of the additive explainer: filters of an interpretable CNN, or other outputs of the network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import Images, NotApplicable, TrainingTask, cache_folder, grad_cam
from partbench_plugins.additive.prior import filter_weights, output_weights
from partbench_plugins.interp_cnn.interp_cnn import InterpCnn
from partbench_plugins.interp_cnn.training import inputs
from partbench_plugins.part_assignment import assign_parts, part_count, part_drops

BATCH = 64


class ConceptValues(NamedTuple):
    """Of n images: the feature maps that g takes, the strength y of k concepts, and the logit that is explained."""

    features: Float[Tensor, "n c h w"]
    values: Float[Tensor, "n k"]
    logit: Float[Tensor, "n"]


class ConceptTrainingSet(NamedTuple):
    """ConceptValues of all training images, and prior weights, on the CPU; `features` may be on disk, as float16."""

    features: Float[Tensor, "N c h w"]
    values: Float[Tensor, "N k"]
    logit: Float[Tensor, "N"]
    prior: Float[Tensor, "N k"]


class Concepts(Protocol):
    """What the explainer needs to know of its `count` concepts, and of feature maps of `channels` for g.

    `positive` if concepts can only speak for the logit.
    """

    positive: bool
    count: int
    channels: int

    def training_set(self) -> ConceptTrainingSet: ...

    def values_of(self, images: Images) -> ConceptValues: ...

    def located(self, found: ConceptValues) -> dict[str, Any]: ...

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n"] | None: ...

    def head(self, images: Images) -> nn.Module | None: ...


class FilterConcepts:
    """Case 1: filters of the top convolution of an interpretable CNN, which is trained on the task and explained.

    y_i is the sum over the cells of the masked map of filter i.
    """

    positive = True

    def __init__(self, task: TrainingTask) -> None:
        self.task, self.interpretable = task, InterpCnn()
        self.interpretable.fit(task)
        self.cells = self.interpretable.outputs(task.batch([0]).images).maps.shape[1:]
        self.count = self.channels = self.cells[0]
        self.parts = assign_parts(task, self.interpretable.explain)

    def training_set(self) -> ConceptTrainingSet:
        """Of all training images; their masked maps go to an unlinked temporary file."""
        network, source = self.interpretable.network, inputs(self.interpretable.network, self.task)
        features, rest = _on_disk(len(self.task.labels), self.cells), []
        for rows in torch.arange(len(features)).split(BATCH):
            with torch.no_grad():
                maps, logits = network(source(rows))
            features[rows] = maps.cpu().half()
            found = maps.sum((2, 3)), logits[:, 0], filter_weights(network.classify, maps)
            rest.append([values.cpu() for values in found])
        return ConceptTrainingSet(features, *(torch.cat(column) for column in zip(*rest, strict=True)))

    def values_of(self, images: Images) -> ConceptValues:
        """Of any images."""
        maps, logits = self.interpretable.outputs(images)
        return ConceptValues(maps, maps.sum((2, 3)), logits[:, 0])

    def located(self, found: ConceptValues) -> dict[str, Any]:
        """Maps of the filters, the parts they are assigned to, and what those are worth to the network."""
        fields: dict[str, Any] = {"maps": found.features, "grid": self.interpretable.grid, "parts": self.parts}
        if (parts := self.parts) is None:
            return fields
        network, count = self.interpretable.network, part_count(self.task)
        drops = partial(part_drops, lambda maps: network.classify(maps)[:, 0], found.features, parts, count)
        return fields | {"part_drops": drops}

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n"] | None:
        """The network's logit with the maps of these filters set to 0."""
        return self.interpretable.without(images, concepts)

    def head(self, images: Images) -> nn.Module:
        """From masked maps to the network's logit."""
        return self.interpretable.head(images)


class OutputConcepts:
    """Case 2: the other outputs of a network of many attributes, which speak for the explained one or against it.

    y_i are their logits, the features shared with the explained one are those of the first fully-connected layer.
    """

    positive = False

    def __init__(self, task: TrainingTask) -> None:
        if task.target is None or len(task.performer.outputs) < 2:
            raise NotApplicable(f"{task.performer.name} has no other outputs that could explain {task.name}")
        self.task, self.target = task, task.target
        self.others = [i for i in range(len(task.performer.outputs)) if i != task.target]
        self.count, self.channels = len(self.others), task.activations("top_conv").shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return tuple(self.task.performer.outputs[i] for i in self.others)

    def training_set(self) -> ConceptTrainingSet:
        """Of all training images, from cached activations."""
        task = self.task
        shared, logits = task.activations("fc1"), task.activations("logits")
        prior = [output_weights(self._above, rows.to(task.device), self.target).cpu() for rows in shared.split(BATCH)]
        return ConceptTrainingSet(
            task.activations("top_conv"), logits[:, self.others], logits[:, self.target], torch.cat(prior)
        )

    def values_of(self, images: Images) -> ConceptValues:
        """Of any images."""
        logits = images.activations("logits")
        return ConceptValues(images.activations("top_conv"), logits[:, self.others], logits[:, self.target])

    def located(self, found: ConceptValues) -> dict[str, Any]:
        """Grad-CAM of each output stands in for a map, which the paper does not have."""
        head = self.task.performer.segment("top_conv", "logits")
        grid = self.task.performer.receptive_field("top_conv")

        def maps() -> Tensor:
            return torch.stack([grad_cam(head, found.features, output) for output in self.others], 1)

        return {"maps": maps, "grid": grid}

    def without(self, images: Images, concepts: list[int]) -> None:
        """None: outputs cannot be removed, as no output is an input of another."""
        return None

    def head(self, images: Images) -> None:
        """No logit follows from maps of outputs."""
        return None

    @property
    def _above(self) -> Callable[[Tensor], Tensor]:
        return self.task.performer.segment("fc1", "logits")


def _on_disk(count: int, shape: torch.Size) -> Tensor:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:  # the mapping keeps the unlinked file
        return torch.from_numpy(np.memmap(file, np.float16, "w+", shape=(count, *shape)))
