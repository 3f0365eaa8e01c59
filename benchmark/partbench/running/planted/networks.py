"""Performers with random weights from the top down to a layer: a metric must score their explainers worse.

Source: Adebayo et al., "Sanity Checks for Saliency Maps" (2018), cascading randomisation.
"""

from __future__ import annotations

import copy
import zlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from partbench.activations import Activations
from partbench.performer import Performer
from partbench.task import Task


def layers_from_top(performer: Performer) -> list[str]:
    """The stages that have weights, the last one first."""
    return [name for name, stage in reversed(list(performer.stages.items())) if any(True for _ in stage.parameters())]


def randomised(performer: Performer, down_to: str, seed: int = 0) -> Performer:
    """The performer with weights drawn anew, as each layer draws them when it is made, from the top to a stage.

    A stage has the same random weights wherever the randomisation ends. Batch norm forgets its statistics. The global
    random generator is left as it was.
    """
    names = layers_from_top(performer)
    drawn = names[: names.index(down_to) + 1]
    stages: dict[str, nn.Module] = {}
    for name, stage in performer.stages.items():
        stages[name] = copy.deepcopy(stage)
        if name in drawn:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(zlib.crc32(f"{seed}|{name}".encode()))
                for module in stages[name].modules():
                    if callable(reset := getattr(module, "reset_parameters", None)):
                        reset()
    fingerprint = f"{performer.fingerprint}|random from {down_to}, seed {seed}"
    return replace(performer, stages=stages, fingerprint=fingerprint)


def randomised_task(task: Task, down_to: str, cache: Path, seed: int = 0) -> Task:
    """The task with `randomised` performer; its activations are cached in the folder `cache`."""
    performer = randomised(task.performer, down_to, seed)
    return replace(task, performer=performer, activation_cache=Activations(task.dataset, performer, cache))
