"""The base of performers made of a network of a library: its chain of stages, and a linear layer of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from partbench import (
    ChainStage,
    InputError,
    Performer,
    PerformerPlugin,
    TokensToMap,
    chain_of,
)
from partbench.performers.cached_head import cached_head, frozen_outputs, untrained
from partbench.performers.dataset_outputs import Truth, output_names, targets_of
from partbench.performers.efficientnet_lite import CLASSES
from partbench.performers.layer_roles import LayerRoles, expect_shapes, roles_in_file, roles_of
from partbench.performers.linear_head import fitted_linear
from partbench.performers.network_options import IMAGENET, PRETRAINED, RANDOM, NetworkOptions
from partbench.performers.normalise import Normalise
from partbench.performers.weight_digest import weight_digest
from partbench.performers.weight_files import found_file, load_weights, weights_of_file

if TYPE_CHECKING:
    from partbench import Dataset

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's photographs, by colour
SEED = 0  # of random weights


class Built(NamedTuple):
    """A network with its weights, and what its images are normalised with."""

    network: nn.Module
    normalise: Normalise


class NetworkPlugin(PerformerPlugin):
    """A network of a library, as a chain of stages.

    By default its last layer is replaced by a linear one that is fitted to the training images of the task, on the
    frozen network, and cached. Options stand behind the name, see `NetworkOptions`.
    """

    options: ClassVar[NetworkOptions] = NetworkOptions()
    roles: ClassVar[dict[str, str] | None] = None  # of named stages; None: found from the chain

    @classmethod
    def variant(cls, name: str) -> type[PerformerPlugin]:
        """The performer with the options that stand in its name."""
        base, _, text = name.partition(",")
        return cls.with_options(base, NetworkOptions.parse(text, base))

    @classmethod
    def with_options(cls, base: str, options: NetworkOptions, **attributes: object) -> type[PerformerPlugin]:
        """A subclass of that name with options; `attributes` are set too."""
        size = attributes.pop("input_size", cls.input_size)
        size = options.size or size
        named = {"name": f"{base}{options}", "options": options, "input_size": size, "__doc__": cls.__doc__}
        return type(cls.__name__, (cls,), {**named, "__module__": cls.__module__, **attributes})

    @classmethod
    def unloaded(cls) -> Built:
        """The network with random weights."""
        raise NotImplementedError

    @classmethod
    def pretrained(cls) -> Built:
        """The network with its published weights. Raises InputError where they are not to be had."""
        raise NotImplementedError

    @classmethod
    def from_file(cls) -> Built:
        """The network with the weights of the file that the options name."""
        built, path = cls.unloaded(), found_file(cls.options.weights)
        load_weights(built.network, weights_of_file(path), path, new_head=cls.options.outputs != IMAGENET)
        return built

    @classmethod
    def chain(cls, network: nn.Module, named: Sequence[str]) -> list[ChainStage]:
        """The stages of the network, the last of which gives its logits."""
        return chain_of(network, torch.zeros(3, cls.input_size, cls.input_size), named)

    @classmethod
    def open(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The network for `dataset`, its last layer from the cache or fitted now.

        Raises InputError where weights cannot be had, the network cannot be cut into stages, or ImageNet has no class
        for a category.
        """
        return cls._opened(dataset, device, cls.options.weights, fits=True)

    @classmethod
    def outline(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The network with random weights, for what is said of its layers: nothing is read, downloaded or fitted."""
        return cls._opened(dataset, device, RANDOM, fits=False)

    @classmethod
    def to_train(cls, dataset: Dataset, device: torch.device, loaded: bool = True) -> Performer:
        """The network with a last layer for the dataset. Raises InputError as `open`, and for `outputs=imagenet`."""
        if cls.options.outputs == IMAGENET:
            raise InputError(f"{cls.name} keeps the logits of ImageNet; leave outputs={IMAGENET} out to train it")
        return cls._opened(dataset, device, cls.options.weights if loaded else RANDOM, fits=False)

    @classmethod
    def _opened(cls, dataset: Dataset, device: torch.device, weights: str, fits: bool) -> Performer:
        if dataset.size != cls.input_size:
            raise InputError(
                f"images of {dataset.name} are {dataset.size} px, expected {cls.input_size} for {cls.name}"
            )
        given = roles_in_file(cls.options.layers) if cls.options.layers else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            make = {RANDOM: cls.unloaded, PRETRAINED: cls.pretrained}.get(weights, cls.from_file)
            built = make()
        stages = cls.chain(built.network, list(dict.fromkeys(given.values())))
        own_logits, last = cls.options.outputs == IMAGENET, stages[-1].name
        whole, stages = len(stages), stages if own_logits else features_of(stages)
        expect_shapes(given, stages, cls.options.layers)
        found = LayerRoles(given, {}) if given else cls._roles(stages, own_logits)
        made_of = contents(stages, built.normalise, given)
        key = cls._fingerprint(made_of, dataset)
        modules = {"normalise": built.normalise, **{stage.name: stage.module for stage in stages}}
        if own_logits:
            outputs, targets = _imagenet(cls.name, stages, dataset)
        else:
            outputs, targets = output_names(dataset), targets_of(dataset)
            frozen = nn.Sequential(*modules.values()).eval().requires_grad_(False)
            modules[last if len(stages) == whole - 1 else "logits"] = head(
                frozen, stages[-1].shape[0], dataset, device, key if fits else ""
            )
        return Performer(
            name=cls.name, version=cls._version(made_of), input_size=cls.input_size, stages=modules,
            roles={**found.layers, "logits": list(modules)[-1]}, outputs=outputs, targets=targets,
            fingerprint=key, device=device, lacking=found.lacking,
        )  # fmt: skip

    @classmethod
    def _roles(cls, stages: Sequence[ChainStage], own_logits: bool) -> LayerRoles:
        if cls.roles is not None:
            return LayerRoles(cls.roles, {})
        return roles_of(stages[:-1] if own_logits else stages, cls.input_size)

    @classmethod
    def _fingerprint(cls, made_of: str, dataset: Dataset) -> str:
        """Of weights, options, given roles and, where a layer is fitted, the training split."""
        known = [cls.name.partition(",")[0], cls.version, str(cls.input_size), cls.options.outputs, made_of]
        if cls.options.outputs != IMAGENET:
            known += [*output_names(dataset), dataset.train.fingerprint]
        return hashlib.sha256("|".join(known).encode()).hexdigest()

    @classmethod
    def _version(cls, made_of: str) -> str:
        """The version; where files are among the options, with what they hold, as they may change under their name."""
        if not cls.options.layers and cls.options.weights in (PRETRAINED, RANDOM):
            return cls.version
        return f"{cls.version}+{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"


def contents(stages: Sequence[ChainStage], normalise: Normalise, given: Mapping[str, str]) -> str:
    """A digest of the weights of stages and, where roles are given, those behind it."""
    tensors: dict[str, Tensor] = {"mean": normalise.mean, "std": normalise.std}
    for stage in stages:
        tensors |= {f"{stage.name}.{name}": value for name, value in stage.module.state_dict().items()}
    return "|".join([weight_digest(tensors), *(f"{role}={given[role]}" for role in sorted(given))])


def features_of(stages: Sequence[ChainStage]) -> list[ChainStage]:
    """The stages below the last layer of a network, which end in the vectors that a new one takes.

    Where the last layer is not a linear one on vectors, or the logits follow from a class token, these vectors are the
    mean over the cells of the last map: of the grid of tokens without the class token.
    """
    tokens = [place for place, stage in enumerate(stages) if stage.prefix]
    if tokens:
        grid = stages[tokens[-1]]
        module = nn.Sequential(grid.module, TokensToMap(grid.cells, grid.prefix))
        shape = (grid.shape[1], grid.cells, grid.cells)
        return pooled([*stages[: tokens[-1]], replace(grid, module=module, shape=shape, prefix=0)])
    if _is_linear(stages[-1].module) and len(stages) > 1 and len(stages[-2].shape) == 1:
        return list(stages[:-1])
    maps = [place for place, stage in enumerate(stages) if stage.is_map]
    return pooled(stages[: maps[-1] + 1]) if maps else list(stages[:-1])


def pooled(stages: Sequence[ChainStage]) -> list[ChainStage]:
    """The stages, and behind them the mean over the cells of the last one's map."""
    last = stages[-1]
    mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return [*stages, ChainStage("mean", mean, last.shape[:1], last.non_negative, pool=True)]


def _is_linear(module: nn.Module) -> bool:
    layers = [layer for layer in module.modules() if not list(layer.children())]
    layers = [layer for layer in layers if not isinstance(layer, nn.Identity | nn.Dropout)]
    return len(layers) == 1 and isinstance(layers[0], nn.Linear)


def head(frozen: nn.Module, width: int, dataset: Dataset, device: torch.device, key: str) -> nn.Linear:
    """The linear layer cached under `key`, fitted first if there is none; with random weights where `key` is ""."""
    outputs = len(output_names(dataset))
    layer = partial(nn.Linear, width, outputs)

    def fitted(rows: Int[Tensor, "n"], truth: Truth) -> nn.Linear:
        return fitted_linear(features_of_images(frozen.to(device), dataset, rows, device), truth, outputs)

    return cached_head(f"head-{key[:24]}", dataset, layer, fitted) if key else untrained(layer)


@torch.no_grad()
def features_of_images(frozen: nn.Module, dataset: Dataset, rows: Tensor, device: torch.device) -> Tensor:
    """The features (n, d) of training images at these rows. Raises InputError where they are no finite numbers."""
    found, done = list[Tensor](), 0
    for features in frozen_outputs(frozen, dataset.train, rows, device):
        found.append(features.float())
        if not found[-1].isfinite().all():
            raise InputError(
                f"the network makes no finite numbers of images of {dataset.name}; its weights are damaged"
            )
        done += len(features)
        dataset.train.progress(f"features of {dataset.name} for a linear layer", done, len(rows))
    return torch.cat(found)


def _imagenet(name: str, stages: Sequence[ChainStage], dataset: Dataset) -> tuple[tuple[str, ...], dict[str, int]]:
    """The network's own outputs, and the ImageNet class that stands for each category of a dataset."""
    count = stages[-1].shape[0]
    absent = [category for category in dataset.categories if category not in CLASSES]
    if count != 1000 or absent:
        what = f"{name} has {count} outputs, those of ImageNet are 1000" if count != 1000 else (
            f"{name}: no class of ImageNet stands for {dataset.name}/{absent[0]}")  # fmt: skip
        raise InputError(f"{what}; leave outputs={IMAGENET} out")
    if any(stage.prefix for stage in stages):
        raise InputError(
            f"the ImageNet logits of {name} follow from a class token, which is in no map; leave outputs={IMAGENET} out"
        )
    return tuple(map(str, range(count))), {category: CLASSES[category] for category in dataset.categories}
