"""What the bridges share: libraries that are imported when they are used, a network to hand them, maps of theirs."""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import inspect
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import Images, InputError, Normalise, NotApplicable, TrainingTask, torchvision, unknown

Sign = Literal["absolute", "positive"]
MOST_PIXELS = 8 * 224**2  # attributed at once: with its gradients, an image of 224 px takes 0.1 GB on VGG-16


@dataclass(frozen=True)
class Library:
    """A library that a bridge leads to: what people call it, its distribution, and the extra of partbench."""

    title: str
    distribution: str
    extra: str

    @property
    def release(self) -> str:
        """The installed version; "" if there is none. Nothing is imported."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return ""

    def module(self, name: str) -> ModuleType:
        """A module of the library. Raises NotApplicable, with what to install, where the library is missing."""
        if not self.release:
            raise NotApplicable(f"needs {self.title}: pip install 'partbench[{self.extra}]'")
        torchvision()  # some of these libraries import it, which fails beside a torch that it was not built for
        return importlib.import_module(name)

    def expect_release(self, explainer: str, release: str) -> None:
        """Raise InputError unless `release` is what is installed."""
        if release != self.release:
            found = f"{self.title} {self.release} is installed" if self.release else f"{self.title} is not installed"
            install = f"pip install '{self.distribution}=={release}'"
            raise InputError(f"{explainer}: release is {release!r:.40}, but {found}; leave release out, or {install}")


def expect_parameters(title: str, function: Any, given: Mapping[str, Any], taken: tuple[str, ...]) -> None:
    """Raise InputError for a parameter that a function of a library lacks, or that the bridge itself sets (`taken`)."""
    for name in given:
        if name in taken:
            raise InputError(f"{title}: the parameter {name} is set by partbench; leave it out")
    accepted = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    known = [name for name in accepted if name not in ("self", *taken)]
    for name in given:
        if name not in known:
            raise unknown(f"parameter of {title}", name, known)


class NetworkCopy(nn.Sequential):
    """A copy of the layers after `start` ("images" for all) of a performer, which a library may hook and change.

    Its weights are tensors of its own on the memory of the performer's: a library may replace them, as
    `weight.data = ...`, but not write into them, for which the cell would fail.
    ReLUs do not work in place: libraries that hook them need their inputs.
    """

    def __init__(self, task: TrainingTask, start: str = "images") -> None:
        above = task.performer.segment(start, "logits")
        held = {id(tensor): _on_same_memory(tensor) for tensor in (*above.parameters(), *above.buffers())}
        super().__init__(*copy.deepcopy(above, held))
        names = list(task.performer.stages)
        self.names = names if start == "images" else names[names.index(task.performer.layer(start)) + 1 :]
        for module in self.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]

    def stage(self, task: TrainingTask, role: str) -> nn.Module:
        """The module whose output is the layer of that role or name."""
        return self[self.names.index(task.performer.layer(role))]

    def split_normalisation(self) -> nn.Module:
        """Take the normalisation of the pixels out of this network, and return it; an identity where there is none.

        Rules of relevance propagation are for layers that a network has learned.
        """
        for module in self.modules():
            for name, child in module.named_children():
                if isinstance(child, Normalise) and isinstance(module, nn.Sequential):
                    del module[list(module._modules).index(name)]
                    return child
        return nn.Identity()


def _on_same_memory(tensor: Tensor) -> Tensor:
    values = tensor.detach()
    return nn.Parameter(values, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else values


def one_map(attribution: Tensor, sign: Sign) -> Float[Tensor, "n 1 h w"]:
    """The sum over channels of an attribution (n, c, h, w): its absolute value, or its positive part.

    Raises NotApplicable for an attribution without places.
    """
    if attribution.ndim != 4:
        raise NotApplicable(
            f"the attribution is {tuple(attribution.shape)}, expected (n, c, h, w); is the layer a map?"
        )
    total = attribution.detach().sum(1, keepdim=True)
    return total.abs() if sign == "absolute" else total.relu()


@contextmanager
def drawn_alike(text: str, seed: int) -> Iterator[None]:
    """Seed all generators by a text, such as the id of an image, and a seed; put them back in the end."""
    states = random.getstate(), np.random.get_state()
    number = zlib.crc32(f"{seed}|{text}".encode())
    with torch.random.fork_rng():
        torch.manual_seed(number)
        random.seed(number)
        np.random.seed(number)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def image_by_image(images: Images, task: TrainingTask, name: str, made: Callable[[Images], Tensor]) -> Tensor:
    """What `made` makes of each image alone, its random numbers drawn by the image's id and the seed of `name`."""
    seed, found = task.random_seed(name), []
    for i, image_id in enumerate(images.ids):
        with drawn_alike(image_id, seed):
            found.append(made(images[i : i + 1]))
    return torch.cat(found)


def at_once(images: Images) -> int:
    """How many images of this size are attributed at once."""
    height, width = images.size
    return max(1, MOST_PIXELS // (height * width))


def few_by_few(images: Images, made: Callable[[Images], Tensor]) -> Tensor:
    """What `made` makes of a few images at a time."""
    few = at_once(images)
    return torch.cat([made(images[i : i + few]) for i in range(0, len(images), few)])


def pixels_of(images: Images, task: TrainingTask) -> Float[Tensor, "n 3 H W"]:
    """The pixels of images on the device of the performer, with a gradient of their own."""
    return images.pixels.to(task.device).clone().requires_grad_()
