"""partbench: which explainers of image classifiers deserve trust.

What plugins need is imported from here; nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("partbench")

_HOMES = {
    "Batch": "types",
    "Dataset": "types",
    "Explainer": "types",
    "Explanation": "types",
    "ImageSet": "types",
    "Metric": "types",
    "NotApplicable": "types",
    "Outputs": "types",
    "Scores": "types",
    "Split": "types",
    "Performer": "performer",
    "PerformerPlugin": "performer",
    "Task": "task",
    "Activations": "activations",
    "cache_folder": "activations",
    "Register": "hookspecs",
    "InputError": "errors",
    "identity_of": "kept",
    "kept_seconds": "kept",
    "kept_weights": "kept",
    "write_weights": "kept",
    "PartMarks": "part_marks",
    "ReceptiveField": "nn.receptive_field",
    "receptive_field": "nn.receptive_field",
    "PartLayer": "nn.part_layer",
    "PartSettings": "nn.part_layer",
    "best_threshold": "statistics",
    "bootstrap": "statistics",
    "interval": "statistics",
    "resampling_weights": "statistics",
    "ExcitationBP": "attribution.excitation_bp",
    "contrastive_maps": "attribution.excitation_bp",
    "channel_contributions": "attribution.grad_cam",
    "grad_cam": "attribution.grad_cam",
    "peaks": "filter_activity",
    "torchvision": "torchvision_ops",
}

__all__ = [
    "Activations",
    "Batch",
    "Dataset",
    "ExcitationBP",
    "Explainer",
    "Explanation",
    "ImageSet",
    "InputError",
    "Metric",
    "NotApplicable",
    "Outputs",
    "PartLayer",
    "PartMarks",
    "PartSettings",
    "Performer",
    "PerformerPlugin",
    "ReceptiveField",
    "Register",
    "Scores",
    "Split",
    "Task",
    "__version__",
    "best_threshold",
    "bootstrap",
    "cache_folder",
    "channel_contributions",
    "contrastive_maps",
    "grad_cam",
    "hookimpl",
    "identity_of",
    "interval",
    "kept_seconds",
    "kept_weights",
    "peaks",
    "receptive_field",
    "resampling_weights",
    "torchvision",
    "write_weights",
]

if TYPE_CHECKING:
    from partbench.activations import Activations, cache_folder
    from partbench.attribution.excitation_bp import ExcitationBP, contrastive_maps
    from partbench.attribution.grad_cam import channel_contributions, grad_cam
    from partbench.errors import InputError
    from partbench.filter_activity import peaks
    from partbench.hookspecs import Register
    from partbench.kept import identity_of, kept_seconds, kept_weights, write_weights
    from partbench.nn.part_layer import PartLayer, PartSettings
    from partbench.nn.receptive_field import ReceptiveField, receptive_field
    from partbench.part_marks import PartMarks
    from partbench.performer import Performer, PerformerPlugin
    from partbench.statistics import best_threshold, bootstrap, interval, resampling_weights
    from partbench.task import Task
    from partbench.torchvision_ops import torchvision
    from partbench.types import (
        Batch,
        Dataset,
        Explainer,
        Explanation,
        ImageSet,
        Metric,
        NotApplicable,
        Outputs,
        Scores,
        Split,
    )


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'partbench' has no attribute '{name}'")
    return getattr(importlib.import_module(f"partbench.{_HOMES[name]}"), name)
