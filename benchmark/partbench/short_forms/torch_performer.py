"""A performer from any torch network, by the names of its layers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from partbench.errors import InputError, unknown
from partbench.performer import ROLES, Performer
from partbench.performers.normalise import Normalise
from partbench.performers.weight_digest import weight_digest
from partbench.plugin.dataset import Dataset
from partbench.plugin.performer import PerformerPlugin
from partbench.short_forms.arguments import expect, expect_declared, expect_parameters, expect_text
from partbench.short_forms.callers import calling_module
from partbench.short_forms.stages import LOGITS, expect_layers, stages_of

Source = nn.Module | Callable[[Dataset], nn.Module]


def torch_performer(
    network: Source | None = None, *, input_size: int, layers: Mapping[str, str], name: str = "",
    normalisation: tuple[Sequence[float], Sequence[float]] = ((0, 0, 0), (1, 1, 1)),
    outputs: Sequence[str] | None = None, version: str = "1",
) -> Any:  # fmt: skip
    """The performer class of a trained torch network, or of a function that makes it for a dataset.

    The network takes images (n, 3, `input_size`, `input_size`), normalised with the mean and standard deviation of each
    colour channel of RGB in [0, 1] that `normalisation` gives, to logits (n, c). It is cut behind `layers`: role to the
    path of a submodule (`{"target": "features.28", "top_conv": "features.29", "fc1": "classifier.1"}`). Roles are
    target, which is needed, top_conv (after its ReLU), fc1 and fc2. All activations from a layer on must pass through
    it. The logits are found without being named.

    A function gets the opened dataset; for a single task the dataset has one category, and the network one output, the
    log-odds of it. `outputs` names the logits in order, by default the categories of the dataset; those that are
    categories are explained. `name` is by default that of the function. Raise `version` when the weights change in a
    way that the function hides; weights themselves enter a fingerprint. Used as a decorator of a function, or called
    with a network and a name.

    Raises InputError without a name, without a target, for an unknown role, for a layer that a network given lacks, and
    for arguments of another type. Opening raises InputError for a layer that is not there, a network that cannot be cut
    there or traced, and another number of outputs.
    """
    given: dict[str, Any] = {"layers": layers, "normalisation": normalisation, "outputs": outputs}
    _expect_given(name or "torch_performer", given)
    if network is None:
        return lambda function: torch_performer(function, input_size=input_size, name=name, version=version, **given)
    if not callable(network):
        raise InputError(f"torch_performer was given {network!r:.60}, expected a network or a function that makes it")
    expect_text("torch_performer", name=name)
    title = name or getattr(network, "__name__", "")
    if not title:
        raise InputError("a performer made of a network needs a name: torch_performer(network, name=...)")
    if isinstance(network, nn.Module):
        expect_layers(network, list(layers.values()))
    else:
        expect_parameters(network, title, "dataset")
    what = f"{type(network).__name__}, by its layers {', '.join(layers.values())}."
    attributes = {
        "name": title, "version": version, "input_size": input_size, "_source": (network,), "_given": given,
        "__doc__": what if isinstance(network, nn.Module) else network.__doc__ or what,
        "__module__": calling_module() if isinstance(network, nn.Module) else network.__module__,
    }  # fmt: skip
    made = type(title, (TorchPerformer,), attributes)
    expect_declared("performers", made)
    return made


def _expect_given(title: str, given: Mapping[str, Any]) -> None:
    """Raise InputError for layers, normalisation or outputs that no network can have."""
    layers, outputs = given["layers"], given["outputs"]
    paths = isinstance(layers, Mapping) and all(isinstance(path, str) for path in layers.values())
    expect(paths, title, "layers", layers, "role: path of a submodule, such as {'target': 'layer3'}")
    for role in layers:
        if role not in ROLES:
            raise unknown(f"role of a layer of {title}", role, ROLES)
    if "target" not in layers:
        raise InputError(f"{title} has no target; expected layers={{'target': PATH}}, the convolutional map explained")
    expect(_is_normalisation(given["normalisation"]), title, "normalisation", given["normalisation"],
           "the means and the standard deviations of 3 channels, ((r, g, b), (r, g, b))")  # fmt: skip
    names = isinstance(outputs, list | tuple) and all(isinstance(one, str) and one for one in outputs)
    distinct = outputs is None or (names and 0 < len(outputs) == len(set(outputs)))
    expect(distinct, title, "outputs", outputs, "a list of different names")


def _is_normalisation(given: Any) -> bool:
    try:
        mean, deviation = (tuple(float(value) for value in values) for values in given)
    except (TypeError, ValueError):
        return False
    return len(mean) == len(deviation) == 3 and all(map(math.isfinite, mean)) and min(deviation) > 0


class TorchPerformer(PerformerPlugin):
    """Base of the classes that `torch_performer` makes."""

    _source: ClassVar[tuple[Source]]
    _given: ClassVar[Mapping[str, Any]]

    @classmethod
    def open(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The network as a chain of stages. Raises InputError where it does not fit the dataset or cannot be cut."""
        (source,) = cls._source
        with torch.random.fork_rng(devices=[]):  # a network that is made draws weights before it loads them
            network = copy.deepcopy(source) if isinstance(source, nn.Module) else source(dataset)
        expect(isinstance(network, nn.Module), cls.name, "what the function returns", network, "a torch.nn.Module")
        layers: Mapping[str, str] = cls._given["layers"]
        normalise = Normalise(*cls._given["normalisation"])
        stages = {"normalise": normalise, **stages_of(network, list(dict.fromkeys(layers.values())))}
        names = tuple(cls._given["outputs"] or dataset.categories)
        if not set(names) & {*dataset.categories, *dataset.attribute_tasks}:
            categories = ", ".join(dataset.categories)
            raise InputError(f"{cls.name} has the outputs {', '.join(names):.300}; expected some of {categories:.300}")
        performer = Performer(
            name=cls.name,
            version=cls.version,
            input_size=cls.input_size,
            stages=stages,
            roles={LOGITS: list(stages)[-1], **layers},
            outputs=names,
            targets={category: names.index(category) for category in dataset.categories if category in names},
            fingerprint=weight_digest(network.state_dict(), repr(sorted(cls._given.items()))),
            device=device,
        )
        _check_logits(performer, dataset)
        return performer


def _check_logits(performer: Performer, dataset: Dataset) -> None:
    size, expected = performer.input_size, len(performer.outputs)
    found = tuple(performer.logits(torch.zeros(1, 3, size, size)).shape)
    if found != (1, expected):
        of = f"the log-odds of {dataset.categories[0]}" if dataset.negatives else ", ".join(performer.outputs)
        raise InputError(f"{performer.name} returns {found} for one image, expected (1, {expected}): {of:.300}")
