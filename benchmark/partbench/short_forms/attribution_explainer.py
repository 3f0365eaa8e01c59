"""An explainer from an attribution function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor

from partbench.errors import InputError
from partbench.plugin.explainer import Control, Explainer
from partbench.short_forms.arguments import expect, expect_declared, expect_text
from partbench.short_forms.network import Network, expect_layer, expect_map
from partbench.short_forms.options_of_function import expect_function, option_class, option_values, positional
from partbench.training_task import TrainingTask
from partbench.types import Explanation, Images, NotApplicable

Attribution = Callable[..., Tensor | Explanation]
CONTROLS = get_args(Control)


def attribution_explainer(
    function: Attribution | None = None, *, name: str = "", layer: str = "", control: Control = "",
    deterministic: bool = False,
) -> Any:  # fmt: skip
    """The explainer class of an attribution function `function(network, pixels, target, *, option=default)`.

    The function gets the performer as one module (`Network`), the pixels (n, 3, H, W) of n images, RGB in [0, 1] on the
    performer's device, and the index of the explained logit. It returns one map an image, (n, h, w) or (n, 1, h, w), or
    (n, k, h, w) for maps of k concepts; maps are >= 0. It may return an `Explanation` instead, with contributions,
    scores, logits or a grid. The attribution of an image must not depend on the others.

    Its keyword-only parameters are the options of the explainer, with types that hold their bounds. Its docstring is
    that of the explainer. `name` is what users type, by default the name of the function. `layer`: the layer (role or
    name) whose cells the maps are of; without it they tile the image evenly. `control` and `deterministic` are what
    the methods of `Explainer` return. Used as a decorator, with or without arguments.

    Tasks that explain all logits are skipped, and so are networks without the layer. Raises InputError for a function
    with other parameters, and for arguments of another type.
    """
    if function is None:
        return lambda given: attribution_explainer(
            given, name=name, layer=layer, control=control, deterministic=deterministic
        )
    expect_function(function, "attribution_explainer")
    title = name or function.__name__
    expect_text(title, name=name, layer=layer)
    expect(control in CONTROLS, title, "control", control, f"one of {', '.join(map(repr, CONTROLS))}")
    expect(isinstance(deterministic, bool), title, "deterministic", deterministic, "True or False")
    if len(positional(function)) != 3 or "*" in "".join(positional(function)):
        found = ", ".join(positional(function)) or "none"
        raise InputError(
            f"{title}: expected a function of network, pixels and target, then `*` and options; it has {found}"
        )
    attributes = {"_function": staticmethod(function), "_layer": layer, "_says": (control, deterministic)}
    made = option_class(AttributionExplainer, function, title, **attributes)
    expect_declared("explainers", made)
    return made


class AttributionExplainer(Explainer):
    """Base of the classes that `attribution_explainer` makes."""

    _function: ClassVar[Attribution]
    _layer: ClassVar[str]
    _says: ClassVar[tuple[Control, bool]]

    def fit(self, task: TrainingTask) -> None:
        """Nothing is learned.

        Raises NotApplicable where all logits are explained, and where the network lacks the layer or has no map there.
        """
        if task.target is None:
            raise NotApplicable(f"{self.name} explains one logit; this task explains all")
        if self._layer:
            expect_layer(task, self._layer)
            expect_map(task, self._layer)
        self._network, self._target = Network(task.performer), task.target
        self._device = task.device
        self._grid = task.performer.receptive_field(self._layer) if self._layer else None

    def explain(self, images: Images) -> Explanation:
        """What the function returns. Raises ValueError for maps of another shape."""
        pixels = images.pixels.clone().to(self._device)
        with torch.enable_grad():
            found = type(self)._function(self._network, pixels, self._target, **option_values(self, Explainer))
        if isinstance(found, Explanation):
            return found
        if not isinstance(found, Tensor) or found.ndim not in (3, 4):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"{self.name} returned {shape}, expected maps (n, h, w) or (n, k, h, w), or an Explanation"
            )
        return Explanation(found[:, None] if found.ndim == 3 else found, grid=self._grid)

    def control(self) -> Control:
        """As given to `attribution_explainer`."""
        return self._says[0]

    def deterministic(self) -> bool:
        """As given to `attribution_explainer`."""
        return self._says[1]
