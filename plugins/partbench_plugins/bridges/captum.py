"""Attributions of Captum as explainers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge
from jaxtyping import Int
from torch import Tensor

from partbench import (
    Explainer,
    Explanation,
    Images,
    InputError,
    NotApplicable,
    TrainingTask,
    default_from,
    hookimpl,
    unknown,
)
from partbench_plugins.applicability import fitted, require_layers, require_one_logit
from partbench_plugins.bridges.library import (
    Library,
    NetworkCopy,
    Sign,
    at_once,
    expect_parameters,
    few_by_few,
    image_by_image,
    one_map,
    pixels_of,
)

CAPTUM = Library("Captum", "captum", "captum")
DEFAULT = "IntegratedGradients"
BUILT_FROM = {"forward_func", "model", "layer"}  # what partbench can build a method from
SET_HERE = ("inputs", "target", "additional_forward_args", "return_convergence_delta", "feature_mask",
            "sliding_window_shapes", "strides", "attribute_to_layer_input")  # fmt: skip
BASELINES = 16  # training images
MOST_SQUARES = 7  # with 5,040 orders
AMONG_IMAGES = ("FeaturePermutation", "LayerFeaturePermutation")  # swap features between the images of a batch


@dataclass
class Captum(Explainer):
    """One map: an attribution of the explained logit by Captum, summed over channels; the score is the logit.

    Source: Kokhlikyan et al., "Captum: A unified and generic model interpretability library for PyTorch", 2020, and
    the paper that Captum's documentation names for the method.

    method: any attribution of `captum.attr` of a logit to pixels or to a layer, such as Saliency, DeepLift, Occlusion,
        LRP, LayerGradCam or GuidedGradCam. Not those of a neuron, and none that mixes the images of a batch.
    parameters: of the method's `attribute`, as JSON: -o parameters='{"n_steps": 20}'.
    layer: role or name of the layer that `Layer...` methods and GuidedGradCam read; others do not use it.
    square: px; methods that remove features (Occlusion, FeatureAblation, KernelShap, Lime, ShapleyValueSampling)
        remove squares of this side.
    smooth: a kind of NoiseTunnel around the method, "" for none.
    smooth_samples: noisy copies of an image that NoiseTunnel attributes.
    smooth_std: standard deviation of their noise; pixels are in [0, 1].
    sign: maps are not negative: the absolute value of the sum over channels, or its positive part.
    release: of Captum, the one installed; it is part of what a result is of.

    Methods that need a set of baselines (GradientShap, DeepLiftShap) get 16 training images; others Captum's default,
    black. Methods that draw random numbers draw them for each image anew, by its id and the task's seed. LRP explains
    normalised pixels.
    """

    name: ClassVar[str] = "captum"
    method: str = DEFAULT
    layer: str = "target"
    square: Annotated[int, Ge(1)] = 8
    smooth: Literal["", "smoothgrad", "smoothgrad_sq", "vargrad"] = ""
    smooth_samples: Annotated[int, Ge(1)] = 8
    smooth_std: Annotated[float, Ge(0)] = 0.1
    sign: Sign = "absolute"
    parameters: dict[str, Any] = field(default_factory=dict)
    release: str = default_from(lambda given: CAPTUM.release)
    _fitted: _Attribution | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the options; Captum is imported only to check a method or parameters that were given."""
        super().__post_init__()
        CAPTUM.expect_release(self.name, self.release)
        if self.release and (self.method != DEFAULT or self.parameters):
            expect_parameters(self.method, method_of(self.method).attribute, self.parameters, SET_HERE)

    def fit(self, task: TrainingTask) -> None:
        """Draw baselines. Raises NotApplicable also where Captum is not installed."""
        target = require_one_logit(task)
        CAPTUM.module("captum.attr")
        if (
            self.method == "ShapleyValues"
            and (squares := math.ceil(task.performer.input_size / self.square) ** 2) > MOST_SQUARES
        ):
            raise NotApplicable(
                f"ShapleyValues tries all orders of {squares} squares; choose ShapleyValueSampling, or a larger square"
            )
        self._fitted = _Attribution(self, task, target)

    def deterministic(self) -> bool:
        """Whether the method draws nothing, neither samples nor baselines."""
        if self.smooth or self.method == DEFAULT or not self.release:
            return not self.smooth
        return "n_samples" not in _asked(self.method) and not _needs_baselines(self.method)

    def explain(self, images: Images) -> Explanation:
        """The logit and its map, on the pixels or on the cells of the layer."""
        attribution = fitted(self._fitted)
        maps = one_map(attribution.of(images), self.sign)
        logit = attribution.task.explained(images)
        grid = None if maps.shape[-2:] == images.size else attribution.task.performer.receptive_field(self.layer)
        return Explanation(maps, grid=grid, scores=logit[:, None])


class _Attribution:
    """A method of Captum on a copy of a performer."""

    def __init__(self, options: Captum, task: TrainingTask, target: int) -> None:
        self.options, self.task, self.target = options, task, target
        cls = method_of(options.method)
        network = NetworkCopy(task)
        self._propagates = options.method.endswith("LRP")
        self._normalise = network.split_normalisation() if self._propagates else torch.nn.Identity()
        self._asked, wanted = _asked(options.method), inspect.signature(cls).parameters
        named: dict[str, torch.nn.Module] = {n: network for n in ("forward_func", "model") if n in wanted}
        if "layer" in wanted:
            require_layers(task, options.layer)
            stage = network.stage(task, options.layer)
            named["layer"] = _weighted(stage) if self._propagates else stage
        self._method = cls(**named)
        self._network, self._alone = network, not options.deterministic()
        self._baselines = _baselines(task, options.name) if _needs_baselines(options.method) else None

    def of(self, images: Images) -> Tensor:
        """The attribution (n, c, h, w) of a batch, a few images at a time; one where random numbers are drawn."""
        if self._alone:
            return image_by_image(images, self.task, self.options.name, self._attributed)
        return few_by_few(images, self._attributed)

    def _attributed(self, images: Images) -> Tensor:
        given = {**self._chosen(images), **self.options.parameters}
        if self._propagates:
            _add_rules(self._network)  # Captum takes them away at the end of each call
        with torch.enable_grad():
            pixels = self._normalise(pixels_of(images, self.task)).detach().requires_grad_()
            if not self.options.smooth:
                return self._method.attribute(pixels, target=self.target, **given)
            tunnel = CAPTUM.module("captum.attr").NoiseTunnel(self._method)
            noise = {"nt_samples": self.options.smooth_samples, "stdevs": self.options.smooth_std}
            return tunnel.attribute(pixels, nt_type=self.options.smooth, **noise, target=self.target, **given)

    def _chosen(self, images: Images) -> dict[str, Any]:
        """The arguments that partbench gives, of those that the method asks for."""
        side, (height, width) = self.options.square, images.size
        window = (3, min(side, height), min(side, width))
        chosen = {
            "baselines": self._baselines, "sliding_window_shapes": window, "strides": window,
            "feature_mask": _squares(height, width, side).to(self.task.device), "internal_batch_size": at_once(images),
        }  # fmt: skip
        return {name: value for name, value in chosen.items() if name in self._asked and value is not None}


def _squares(height: int, width: int, side: int) -> Int[Tensor, "1 3 H W"]:
    """The number of the square that each pixel is in."""
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return (rows[:, None] * (int(columns.max()) + 1) + columns).repeat(1, 3, 1, 1)


def method_of(name: str) -> Any:
    """A class of `captum.attr`. Raises InputError if it is no attribution of a logit that partbench can call."""
    module = CAPTUM.module("captum.attr")
    usable = [n for n in dir(module) if _usable(n, getattr(module, n))]
    if name in usable:
        return getattr(module, name)
    if hasattr(module, name):
        raise InputError(
            f"captum: {name} is no attribution of a logit that partbench can call; {', '.join(usable)} are"
        )
    raise unknown("attribution of captum", name, usable)


def _usable(name: str, cls: Any) -> bool:
    if not (inspect.isclass(cls) and hasattr(cls, "attribute")) or name in AMONG_IMAGES:
        return False
    asked = inspect.signature(cls.attribute).parameters
    needed = {
        n for n, p in inspect.signature(cls).parameters.items() if p.default is p.empty and p.kind != p.VAR_KEYWORD
    }
    return {"inputs", "target"} <= {*asked} and "neuron_selector" not in asked and needed <= BUILT_FROM


def _asked(method: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(method_of(method).attribute).parameters)


def _needs_baselines(method: str) -> bool:
    asked = _asked(method).get("baselines")
    return asked is not None and asked.default is asked.empty


def _baselines(task: TrainingTask, name: str) -> Tensor:
    generator = torch.Generator().manual_seed(task.random_seed(name))
    drawn = torch.randperm(len(task.labels), generator=generator)[:BASELINES]
    return task.batch(sorted(drawn.tolist())).pixels.to(task.device)


def _weighted(stage: torch.nn.Module) -> torch.nn.Module:
    """The last module of a stage that has weights: Captum reads relevance at no other. What follows passes it on."""
    return [module for module in stage.modules() if isinstance(getattr(module, "weight", None), Tensor)][-1]


def _add_rules(network: NetworkCopy) -> None:
    """Captum has no rule for Flatten; its epsilon rule passes relevance through any layer without weights."""
    rules = CAPTUM.module("captum.attr._utils.lrp_rules")
    for module in network.modules():
        if isinstance(module, torch.nn.Flatten):
            module.rule = rules.EpsilonRule()


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Captum)
