"""Performers that `bench performer train` has trained, read from the folders that it writes."""

from __future__ import annotations

import hashlib
import importlib
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from partbench import Dataset, InputError, Performer, PerformerPlugin
from partbench.performer_folder import DESCRIPTION, WEIGHTS
from partbench.performers.weight_digest import weight_digest
from partbench.performers.weight_files import weights_of_file

EXPECTED = {"name": str, "network": str, "class": str, "input_size": int, "task": str, "data": str, "outputs": list}


def trained_performer(folder: str | Path) -> type[PerformerPlugin]:
    """The performer class of a folder that `bench performer train` wrote: a network, its weights, what it is for.

    It opens for the task that it was trained on alone, `d/multi` with all its logits or one single task, and warns
    where the training images are not those that it was trained on. Its fingerprint follows from its weights.

    Raises InputError for a folder that is damaged. Opening raises it for another task, for a network that is not
    installed, and for weights that are not those of the network.
    """
    place = Path(folder)
    found = _description(place / DESCRIPTION)
    attributes = {
        "name": found["name"], "version": "1", "input_size": found["input_size"], "_folder": place, "_found": found,
        "__doc__": f"{found['network']}, trained on {found['task']}.",
    }  # fmt: skip
    return type("TrainedPerformer", (TrainedPerformer,), attributes)


class TrainedPerformer(PerformerPlugin):
    """Base of the classes that `trained_performer` makes."""

    _folder: ClassVar[Path]
    _found: ClassVar[Mapping[str, Any]]

    @classmethod
    def open(cls, dataset: Dataset, device: torch.device) -> Performer:
        """The trained network. Raises InputError where it was trained for another task or its files do not fit."""
        cls._expect_task(dataset)
        performer = cls._network().to_train(dataset, device, loaded=False)
        path = cls._folder / WEIGHTS
        weights = weights_of_file(path)
        load_stages(performer, weights, path)
        known = [
            cls._found["network"],
            str(cls.input_size),
            *performer.outputs,
            weight_digest(dict(sorted(weights.items()))),
        ]
        fingerprint = hashlib.sha256("|".join(known).encode()).hexdigest()
        return replace(performer, name=cls.name, version=cls.version, fingerprint=fingerprint)

    @classmethod
    def _expect_task(cls, dataset: Dataset) -> None:
        what = dataset.categories[0] if dataset.negatives else "multi"
        task, outputs = (
            f"{dataset.name}/{what}{':others' if dataset.negatives == 'others' else ''}",
            cls._found["outputs"],
        )
        if task != cls._found["task"]:
            further = ":CATEGORY" if str(cls._found["task"]).endswith("/multi") else ""
            usage = f"{cls._found['task']}{further}@{cls.name}"
            raise InputError(f"{cls.name} was trained on {cls._found['task']}, not on {task}; use --task {usage}")
        if outputs != list(dataset.categories if dataset.negatives else dataset.classes):
            classes = ", ".join(dataset.classes)
            raise InputError(
                f"{cls.name} tells {', '.join(outputs):.300}; the classes of {dataset.name} here are {classes:.300}"
            )
        if dataset.train.fingerprint != cls._found["data"]:
            seen = "it may have seen test images"
            warnings.warn(
                f"{cls.name} was trained on other images of {dataset.name} than those here: {seen}", stacklevel=4
            )

    @classmethod
    def _network(cls) -> type[PerformerPlugin]:
        """The performer class of the network that was trained."""
        name, place = str(cls._found["network"]), str(cls._found["class"])
        module, _, attribute = place.partition(":")
        try:
            network = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"{cls.name} is made of {name}, whose plugin is not installed: {error}") from error
        if not (isinstance(network, type) and issubclass(network, PerformerPlugin)):
            raise InputError(f"{cls._folder / DESCRIPTION}: {place} is no performer")
        if cls._found.get("own_roles"):
            name = f"{name},layers={cls._folder / DESCRIPTION}"
        return network if network.name == name else network.variant(name)


def load_stages(performer: Performer, weights: Mapping[str, Tensor], path: Path) -> None:
    """Give the stages of a performer weights, each named `stage.weight`.

    Raises InputError where one is missing, unknown or of another shape.
    """
    own = performer.weights()
    wrong = sorted(own.keys() ^ weights.keys()) or sorted(n for n in own if own[n].shape != weights[n].shape)
    if wrong:
        found = f"{len(wrong)} weights are not those of {performer.name}, the first is {wrong[0]}"
        raise InputError(f"{path}: {found}; is it the file that was written with {DESCRIPTION}?")
    for stage, module in performer.stages.items():
        module.load_state_dict({name: weights[f"{stage}.{name}"] for name in module.state_dict()})


def _description(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}; `bench performer train` writes it") from error
    for key, kind in EXPECTED.items():
        if not isinstance(found.get(key), kind):
            raise InputError(f"{path}: expected {key}, a {kind.__name__}; `bench performer train` writes it")
    return found
