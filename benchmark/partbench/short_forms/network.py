"""The performer as one module, for methods that are written for torch networks."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from partbench.nn.receptive_field import ReceptiveField
from partbench.performer import Performer
from partbench.training_task import TrainingTask
from partbench.types import NotApplicable


def expect_layer(task: TrainingTask, layer: str) -> None:
    """Raise NotApplicable, with the layers that there are, where the performer has no layer of that role or name."""
    performer = task.performer
    if not performer.has(layer):
        raise NotApplicable(f"{performer.name} has no layer '{layer}'; {performer.layers_in_words(layer)}")


def expect_map(task: TrainingTask, layer: str) -> None:
    """Raise NotApplicable where a layer has no cells on the image."""
    shape = tuple(task.activations(layer).shape)
    if len(shape) != 4:
        raise NotApplicable(f"'{layer}' of {task.performer.name} is {shape}, expected a map (n, C, h, w)")


class Network(nn.Sequential):
    """The performer as one module: RGB images (n, 3, H, W) in [0, 1] to its logits (n, c).

    The weights are frozen; gradients with respect to images and activations can be taken. Whoever adds hooks removes
    them: a cell that leaves the performer changed has failed.
    """

    def __init__(self, performer: Performer) -> None:
        super().__init__(*performer.segment("images", "logits"))
        self._performer = performer

    def layer(self, role: str) -> nn.Module:
        """The module whose output is the layer of that role or name. Raises InputError for an unknown layer."""
        return self._performer.stages[self._performer.layer(role)]

    def receptive_field(self, role: str) -> ReceptiveField:
        """Where the cells of a convolutional layer lie on the image: the `grid` of an explanation with such maps."""
        return self._performer.receptive_field(role)

    def above(self, role: str) -> nn.Sequential:
        """The network after the layer of that role or name: its activations to logits (n, c)."""
        return self._performer.segment(role, "logits")

    def activations(self, images: Float[Tensor, "n 3 H W"], role: str) -> Tensor:
        """The activations of images at the layer of that role or name, without gradient."""
        return self._performer.activations(images, [role])[role]
