"""The layers of a performer: names, roles, shapes of activations and receptive fields, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from partbench.opening import Workbench
from partbench.performer import Performer
from partbench.running.cell_job import Setting
from partbench.running.defaults import defaults


def layers(worker: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What a worker answers when it is asked for the layers of a performer.

    Raises InputError where there is none of that name, or where it cannot be opened.
    """
    workbench: Workbench = worker.workbench(Setting.of(request["setting"]))
    plugin = workbench.registry.find("performers", request["name"])
    task = request["task"] or task_of(workbench, plugin.name)
    performer = workbench.outline(task)
    lacks = {role: f"{role}: {reason}" for role, reason in performer.lacking.items()}
    found = {"task": task, "outputs": list(performer.outputs), "lacks": "; ".join(lacks.values())}
    return found | {"layers": layers_of(performer)}, True


def task_of(workbench: Workbench, performer: str) -> str:
    """A task that the performer is the default of and whose data are there, or else the default task on it."""
    registry = workbench.registry
    for task in registry.tasks():
        dataset = task.partition("/")[0]
        there = not registry.datasets[dataset].cls.needs_root or workbench.root_of(dataset)
        if there and registry.default_performer(task) == performer:
            return task
    return f"{defaults().check}@{performer}"


def layers_of(performer: Performer) -> list[dict[str, str]]:
    """A row per layer, in order. Shapes are of one image; receptive fields in px, "" where they are not known."""
    roles: dict[str, list[str]] = {}
    for role, layer in performer.roles.items():
        roles.setdefault(layer, []).append(role)
    image = torch.zeros(1, 3, performer.input_size, performer.input_size)
    found = performer.activations(image, list(performer.stages))
    return [
        {
            "layer": name, "role": ", ".join(roles.get(name, ())), "shape": " x ".join(map(str, value.shape[1:])),
            **_field(performer, name, value),
        }
        for name, value in found.items()
    ]  # fmt: skip


def _field(performer: Performer, layer: str, value: torch.Tensor) -> dict[str, str]:
    """What a cell sees of the image, how far apart cells are, and where the centre of the first one is, in px."""
    names = ("sees", "step", "first centre")
    if value.ndim == 4:
        try:
            field = performer.receptive_field(layer)
        except ValueError:
            return dict.fromkeys(names, "unknown")
        about = "~" if field.approximate else ""
        numbers = (field.size, field.stride, field.offset)
        return dict(zip(names, (f"{about}{number:.4g}" for number in numbers), strict=True))
    return dict.fromkeys(names, "")
