"""The measured receptive field of maps: that of the performer's layer nearest to their grid."""

from __future__ import annotations

import math

import torch

from partbench.nn.measured_field import measured_field
from partbench.nn.receptive_field import ReceptiveField
from partbench.performer import Performer
from partbench.task import Task
from partbench.weight_cache import Weights, cached_weights

RECIPE = "1"  # raise it when the same layer no longer gives the same diameter
IMAGES = 24  # training images that a layer is measured on


def field_of(task: Task, grid: ReceptiveField | None) -> float | None:
    """Diameter in px of the measured field of the performer's layer nearest to a grid; None without such a layer.

    Measured once per performer and layer, on 24 training images of the dataset's categories, and cached. A network of
    the explainer's own, one convolution deeper, is given the field of the performer's layer: measuring each fit would
    take seconds, and explainers that are read on one grid are compared with one disk.
    """
    layer = None if grid is None else nearest_layer(task.performer, grid)
    if layer is None:
        return None
    performer = task.performer
    identity = {
        "recipe": RECIPE, "performer": performer.fingerprint, "data": task.dataset.train.fingerprint, "layer": layer,
        "device": task.device.type,
    }  # fmt: skip
    return float(cached_weights("fields", identity, lambda: _measured(task, layer))["diameter"])


def nearest_layer(performer: Performer, grid: ReceptiveField) -> str | None:
    """The layer whose cells are about as far apart as those of the grid and, of several, whose cells see as much.

    None where no layer has a geometry.
    """
    fields = {}
    for name in performer.stages:
        try:
            fields[name] = performer.receptive_field(name)
        except ValueError:  # a layer of vectors, and all that come after it
            break
    return min(fields, key=lambda name: _apart(fields[name], grid), default=None)


def _apart(field: ReceptiveField, grid: ReceptiveField) -> tuple[float, float]:
    return round(abs(math.log(field.stride / grid.stride)), 6), abs(field.size - grid.size)


def _measured(task: Task, layer: str) -> Weights:
    shown = torch.tensor([task.dataset.classes.index(name) for name in task.dataset.categories])
    rows = torch.nonzero(torch.isin(task.labels("train").cpu(), shown)).flatten()
    rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), IMAGES)).long()]
    pixels = task.batch("train", rows.tolist()).pixels
    network = task.performer.segment("images", layer)
    return {"diameter": torch.tensor(measured_field(network, pixels, task.performer.receptive_field(layer)))}
