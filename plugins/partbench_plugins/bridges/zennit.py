"""Layer-wise relevance propagation by zennit as an explainer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

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
from partbench_plugins.bridges.library import Library, NetworkCopy, Sign, expect_parameters, few_by_few, one_map

ZENNIT = Library("zennit", "zennit", "zennit")
DEFAULT = "EpsilonPlus"
SET_HERE = ("canonizers", "layer_map", "first_map", "low", "high", "hooks", "name_map", "composites")
# composites that change a gradient: what they send back has no share of the logit to begin with
GRADIENTS = ("BetaSmooth", "DeconvNet", "ExcitationBackprop", "GuidedBackprop")


@dataclass
class Zennit(Explainer):
    """One map: the relevance of pixels or cells for the explained logit, summed over channels; the score is the logit.

    Source: Anders et al., "Software for dataset-wide XAI: from local explanations to global insights with Zennit,
    CoRelAy, and ViRelAy", 2021; Bach et al., "On pixel-wise explanations for non-linear classifier decisions by
    layer-wise relevance propagation", PLOS ONE 2015. Relevance begins with the logit; with 1 for the composites that
    change a gradient (BetaSmooth, DeconvNet, ExcitationBackprop, GuidedBackprop).

    composite: of `zennit.composites`, such as EpsilonPlus, EpsilonAlpha2Beta1Flat or EpsilonGammaBox (whose box is that
        of the pixels); or a rule of `zennit.rules` for all layers with weights, such as Epsilon or ZPlus.
    parameters: of the composite or rule, as JSON: -o parameters='{"epsilon": 0.25}'.
    layer: "images" for the pixels, normalised, or the role or name of a convolutional layer.
    sign: maps are not negative: the positive part of the sum over channels, or its absolute value.
    release: of zennit, the one installed; it is part of what a result is of.

    Batch norm is merged into the convolution before it. Zennit has no rules for attention and the norms of
    transformers: relevance can overflow there, and the cell is skipped.
    """

    name: ClassVar[str] = "zennit"
    composite: str = DEFAULT
    layer: str = "images"
    sign: Sign = "positive"
    parameters: dict[str, Any] = field(default_factory=dict)
    release: str = default_from(lambda given: ZENNIT.release)
    _fitted: _Relevance | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the options; zennit is imported only to check a composite or parameters that were given."""
        super().__post_init__()
        ZENNIT.expect_release(self.name, self.release)
        if self.release and (self.composite != DEFAULT or self.parameters):
            expect_parameters(self.composite, composite_of(self.composite).__init__, self.parameters, SET_HERE)

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned. Raises NotApplicable also where zennit is not installed."""
        target = require_one_logit(task)
        ZENNIT.module("zennit")
        if self.layer != "images":
            require_layers(task, self.layer)
        self._fitted = _Relevance(self, task, target)

    def deterministic(self) -> bool:
        """Nothing is drawn."""
        return True

    def explain(self, images: Images) -> Explanation:
        """The logit and its map."""
        relevance = fitted(self._fitted)
        maps = one_map(few_by_few(images, relevance.of), self.sign)
        logit = relevance.task.explained(images)
        grid = None if self.layer == "images" else relevance.task.performer.receptive_field(self.layer)
        return Explanation(maps, grid=grid, scores=logit[:, None])


class _Relevance:
    """A composite of zennit on a copy of the upper layers of a performer."""

    def __init__(self, options: Zennit, task: TrainingTask, target: int) -> None:
        self.options, self.task, self.target = options, task, target
        self._network = NetworkCopy(task, options.layer)
        self._normalise = self._network.split_normalisation()
        self._composite = self._built()

    def of(self, images: Images) -> Tensor:
        """The relevance (n, c, h, w) of pixels or of the cells of the layer.

        Raises NotApplicable where it is not finite: rules for layers with weights do not bound it in a transformer.
        """
        pixels = self.options.layer == "images"
        x = self._normalise(images.pixels.to(self.task.device)) if pixels else images.activations(self.options.layer)
        gradient = ZENNIT.module("zennit.attribution").Gradient
        with torch.enable_grad(), gradient(self._network, self._composite) as attributor:
            _, relevance = attributor(x.detach().clone().requires_grad_(), self._beginning)
        if not torch.isfinite(relevance).all():
            raise NotApplicable(
                f"the relevance by {self.options.composite} is not finite at layer '{self.options.layer}', as in "
                "transformers, where zennit has no rules for attention and norms; choose a higher layer or another "
                "composite"
            )
        return relevance

    def _beginning(self, logits: Tensor) -> Tensor:
        """What is sent back from the logits."""
        chosen = nn.functional.one_hot(torch.tensor(self.target), logits.shape[1]).to(logits)
        return chosen.expand_as(logits) if self.options.composite in GRADIENTS else chosen * logits.detach()

    def _built(self) -> Any:
        cls, given = composite_of(self.options.composite), dict(self.options.parameters)
        canonizers = [ZENNIT.module("zennit.canonizers").SequentialMergeBatchNorm()]
        if issubclass(cls, ZENNIT.module("zennit.core").Composite):
            if "low" in inspect.signature(cls).parameters:
                given |= self._box()
            return cls(canonizers=canonizers, **given)
        composites = ZENNIT.module("zennit.composites")
        layers = [(ZENNIT.module("zennit.types").Linear, cls(**given)), *composites.layer_map_base()]
        return composites.LayerMapComposite(layers, canonizers=canonizers)

    def _box(self) -> dict[str, Tensor]:
        """The lowest and the highest value of the inputs: of a pixel, normalised; of activations, 0 and infinity."""
        size = self.task.performer.input_size
        black = torch.zeros(1, 3, size, size, device=self.task.device)
        if self.options.layer != "images":
            raise InputError(f"zennit: {self.options.composite} needs the bounds of pixels; leave layer at images")
        return {"low": self._normalise(black), "high": self._normalise(black + 1)}


def composite_of(name: str) -> Any:
    """A composite, or a rule. Raises InputError, with the nearest name, if zennit has none of this name."""
    modules = [ZENNIT.module(f"zennit.{part}") for part in ("composites", "rules")]
    bases = ZENNIT.module("zennit.core").Composite, ZENNIT.module("zennit.core").BasicHook
    found = {
        n: cls
        for module, base in zip(modules, bases, strict=True)
        for n, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, base) and cls is not base and not _needs_more(n)
    }
    if name not in found:
        raise unknown("composite or rule of zennit", name, found)
    return found[name]


def _needs_more(name: str) -> bool:
    """Whether a class of zennit needs layers, or bounds of every layer, that a name cannot give."""
    return name.endswith("MapComposite") or name in ("MixedComposite", "ZBox")


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    register(Zennit)
