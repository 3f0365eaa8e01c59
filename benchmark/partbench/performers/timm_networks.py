"""Networks of timm (PyTorch Image Models) by name; timm is an extra: `pip install 'partbench[timm]'`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench import ChainStage, InputError, PerformerPlugin, hookimpl, torchvision, unknown
from partbench.performers.network_options import NetworkOptions
from partbench.performers.network_plugin import Built, NetworkPlugin
from partbench.performers.normalise import Normalise


class TimmNetwork(NetworkPlugin):
    """Any network of timm, as in timm:resnet50, with a linear layer fitted to the task's images."""

    name: ClassVar[str] = "timm:NAME"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 224
    model: ClassVar[str] = ""  # the name in timm

    @classmethod
    def variant(cls, name: str) -> type[PerformerPlugin]:
        """The performer of a network by its name, and the options behind it.

        Raises InputError for an unknown one, and where timm is not installed.
        """
        base, _, text = name.partition(",")
        model = base.partition(":")[2]
        timm = installed()
        if not timm.is_model(model):
            raise unknown("network of timm", model, timm.list_models())
        size = _config(model)["input_size"][-1]
        return cls.with_options(base, NetworkOptions.parse(text, base), model=model, input_size=size)

    @classmethod
    def unloaded(cls) -> Built:
        """The network with random weights."""
        return cls._made(pretrained=False)

    @classmethod
    def pretrained(cls) -> Built:
        """The network with timm's default weights, from the cache of the Hugging Face hub or from there."""
        name, hub = cls.name.partition(",")[0], _config(cls._known()).get("hf_hub_id")
        try:
            return cls._made(pretrained=True)
        except Exception as error:  # the hub's client raises errors of its own, of many kinds
            reason = " ".join(str(error).split())[:120]
            where = f"https://huggingface.co/{hub}" if hub else "where it is published"
            raise InputError(
                f"the weights of {name} cannot be had ({reason}); download model.safetensors from {where} and use "
                f"{name},weights=FILE, or {name},weights=random"
            ) from error

    @classmethod
    def chain(cls, network: nn.Module, named: Sequence[str]) -> list[ChainStage]:
        """The stages found by tracing; of a network that cannot be traced: features, pool and logits."""
        try:
            return super().chain(network, named)
        except InputError:
            if named:
                raise
            return coarse_chain(network.eval(), cls.input_size)

    @classmethod
    def _made(cls, pretrained: bool) -> Built:
        timm, size = installed(), cls.options.size
        config = _config(cls._known())
        try:
            network = timm.create_model(cls.model, pretrained=pretrained, **({"img_size": size} if size else {}))
        except TypeError:  # a network that takes images of any size does not ask for it
            network = timm.create_model(cls.model, pretrained=pretrained)
        return Built(network, Normalise(config["mean"], config["std"]))

    @classmethod
    def _known(cls) -> str:
        if not cls.model:
            raise InputError("timm:NAME stands for any network of timm; say which, as in timm:resnet50")
        return cls.model


class Features(nn.Module):
    """The part of a network of timm below its head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "n 3 H W"]) -> Tensor:
        """Its features of images."""
        features: Tensor = self.network.forward_features(images)  # type: ignore[operator]
        return features


class Head(nn.Module):
    """The head of a network of timm, with its last layer or without."""

    def __init__(self, network: nn.Module, pre_logits: bool) -> None:
        super().__init__()
        self.network, self.pre_logits = network, pre_logits

    def forward(self, features: Tensor) -> Tensor:
        """Logits, or the vectors that they are made of."""
        found: Tensor = self.network.forward_head(features, pre_logits=self.pre_logits)  # type: ignore[operator]
        return found


@torch.no_grad()
def coarse_chain(network: nn.Module, size: int) -> list[ChainStage]:
    """A network as three stages: features, the vectors of its head, and its last layer.

    Raises InputError where the last layer is not a linear one on these vectors.
    """
    features, vectors, last = Features(network), Head(network, pre_logits=True), network.get_classifier()  # type: ignore[operator]
    maps = features(torch.zeros(1, 3, size, size))
    flat = vectors(maps)
    if not isinstance(last, nn.Linear) or flat.ndim != 2 or last.in_features != flat.shape[1]:
        raise InputError(f"{type(network).__name__} cannot be traced and does not end in a linear layer on vectors")
    shapes = [("features", features, maps), ("pre_logits", vectors, flat), ("classifier", last, last(flat))]
    return [ChainStage(name, module, tuple(value.shape[1:])) for name, module, value in shapes]


def installed() -> Any:
    """The library. Raises InputError where it is not installed."""
    torchvision()  # which timm imports
    try:
        import timm
    except ImportError:
        raise InputError("performers timm:NAME need `pip install 'partbench[timm]'`") from None
    return timm


def _config(model: str) -> dict[str, Any]:
    config = installed().get_pretrained_cfg(model, allow_unregistered=False)
    return (
        dict(config.to_dict())
        if config is not None
        else {"input_size": (3, 224, 224), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    )


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    """This module's performers."""
    register(TimmNetwork)
