"""Class activation maps of pytorch-grad-cam as explainers."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from partbench import Explainer, Explanation, Images, InputError, TrainingTask, default_from, hookimpl, unknown
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.bridges.library import (
    Library,
    NetworkCopy,
    expect_parameters,
    few_by_few,
    image_by_image,
    pixels_of,
)

GRAD_CAM = Library("pytorch-grad-cam", "grad-cam", "grad-cam")
DEFAULT = "GradCAM"
SET_HERE = ("model", "target_layers")
DRAWING = ("RandomCAM",)


@dataclass
class GradCam(Explainer):
    """One map: a class activation map of the explained logit by pytorch-grad-cam; the score is the logit.

    Source: Gildenblat et al., "PyTorch library for CAM methods", 2021, and the paper that it names for the method.
    The library scales the map of each image to [0, 1]; partbench places its cells where those of the layer see.

    method: any class activation map of the library, such as GradCAM, GradCAMPlusPlus, LayerCAM or ScoreCAM.
    parameters: of the method's class, as JSON.
    layer: role or name of the convolutional layer; FullGrad reads all layers.
    release: of pytorch-grad-cam, the one installed; it is part of what a result is of.
    """

    name: ClassVar[str] = "grad_cam"
    method: str = DEFAULT
    layer: str = "top_conv"
    parameters: dict[str, Any] = field(default_factory=dict)
    release: str = default_from(lambda given: GRAD_CAM.release)
    _fitted: _ActivationMap | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the options; the library is imported only to check a method or parameters that were given."""
        super().__post_init__()
        GRAD_CAM.expect_release(self.name, self.release)
        if self.release and (self.method != DEFAULT or self.parameters):
            expect_parameters(self.method, method_of(self.method).__init__, self.parameters, SET_HERE)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned. Raises NotApplicable also where the library is not installed."""
        target = require_one_logit(task)
        GRAD_CAM.module("pytorch_grad_cam")
        require_layers(task, self.layer)
        self._fitted = _ActivationMap(self, task, target)

    def deterministic(self) -> bool:
        """All methods but RandomCAM draw nothing."""
        return self.method not in DRAWING

    def explain(self, images: Images) -> Explanation:
        """The logit and its map."""
        cam = fitted(self._fitted)
        maps = cam.of(images)
        logit = cam.task.explained(images)
        grid = None if maps.shape[-2:] == images.size else cam.task.performer.receptive_field(self.layer)
        return Explanation(maps, grid=grid, scores=logit[:, None])


class _ActivationMap:
    """A method of pytorch-grad-cam on a copy of a performer."""

    def __init__(self, options: GradCam, task: TrainingTask, target: int) -> None:
        self.options, self.task = options, task
        network = NetworkCopy(task)
        layers = [network.stage(task, options.layer)]
        cls = on_cells(method_of(options.method))
        with redirect_stdout(io.StringIO()):  # FullGrad says that it reads all layers
            self._method = cls(model=network, target_layers=layers, **options.parameters)
        targets = GRAD_CAM.module("pytorch_grad_cam.utils.model_targets")
        self._target = targets.ClassifierOutputTarget(target)

    def of(self, images: Images) -> Float[Tensor, "n 1 h w"]:
        """Maps in [0, 1] of a batch; image by image where random numbers are drawn."""
        if self.options.deterministic():
            return few_by_few(images, self._mapped)
        return image_by_image(images, self.task, self.options.name, self._mapped)

    def _mapped(self, images: Images) -> Float[Tensor, "n 1 h w"]:
        silence = io.StringIO()  # some methods show a progress bar for each image
        with torch.enable_grad(), redirect_stdout(silence), redirect_stderr(silence):
            found = self._method(pixels_of(images, self.task), [self._target] * len(images))
        for held in (self._method.activations_and_grads.activations, self._method.activations_and_grads.gradients):
            held.clear()  # as large as the batch, and of FEM the library cannot release them
        return torch.from_numpy(found)[:, None].float().clamp(min=0).to(self.task.device)


def method_of(name: str) -> Any:
    """A class of pytorch-grad-cam. Raises InputError, with the nearest name, if it is no class activation map."""
    library = GRAD_CAM.module("pytorch_grad_cam")
    base = GRAD_CAM.module("pytorch_grad_cam.base_cam").BaseCAM
    found = {n: cls for n, cls in vars(library).items() if inspect.isclass(cls) and issubclass(cls, base)}
    if name not in found:
        if hasattr(library, name):
            raise InputError(f"grad_cam: {name} is no class activation map; {', '.join(sorted(found))} are")
        raise unknown("method of grad_cam", name, found)
    return found[name]


def on_cells(cls: Any) -> Any:
    """The class, with maps of the layer's cells in place of enlarged ones where it does not enlarge them itself."""
    base = GRAD_CAM.module("pytorch_grad_cam.base_cam").BaseCAM
    own = cls.compute_cam_per_layer is not base.compute_cam_per_layer or cls.forward is not base.forward
    return cls if own else type(cls.__name__, (cls,), {"get_target_width_height": lambda self, pixels: None})


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(GradCam)
