"""Upper layers that are trained on what frozen lower layers make of a dataset, once, and cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench import cached_weights, read_pixels
from partbench.performers.dataset_outputs import Truth, training_truth

if TYPE_CHECKING:
    from partbench import Dataset, ImageSet

BATCH = 64
Layers = TypeVar("Layers", bound=nn.Module)


def untrained(layers: Callable[[], Layers]) -> Layers:
    """Layers with random weights; torch's random generator is left as it was."""
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are not ours to draw
        return layers()


def cached_head(
    name: str, dataset: Dataset, layers: Callable[[], Layers], trained: Callable[[Int[Tensor, "n"], Truth], nn.Module]
) -> Layers:
    """Layers with the weights cached under this name.

    If there are none, `trained` makes layers from rows of the training split and what is true of them.
    """

    def weights() -> dict[str, Tensor]:
        return trained(*training_truth(dataset)).state_dict()

    head = untrained(layers)
    head.load_state_dict(cached_weights("performers", name, weights, dataset.train.progress))
    return head


@torch.no_grad()
def frozen_outputs(
    frozen: nn.Module, images: ImageSet, rows: Int[Tensor, "n"], device: torch.device
) -> Iterator[Float[Tensor, "b ..."]]:
    """What frozen layers on a device make of images of a split at these rows, batch by batch."""
    for pixels in read_pixels(images, [some.tolist() for some in rows.split(BATCH)], device):
        yield frozen(pixels.to(device))
