"""An explainer from concepts of a layer: codes of its activations, from which the activations are rebuilt."""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from partbench.options import LeftOut
from partbench.plugin.explainer import Explainer
from partbench.short_forms.arguments import expect, expect_parameters
from partbench.short_forms.network import Network, expect_layer, expect_map
from partbench.training_task import TrainingTask
from partbench.types import Explanation, Images

BATCH = 64  # images whose activations are read at once
MOST_CELLS = 20_000  # that `learn` gets: NMF of 64 channels takes seconds on them
METHODS = {
    "learn": ("self", "activations", "seed"), "encode": ("self", "activations"), "decode": ("self", "codes"),
}  # fmt: skip
ATTRIBUTES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "layer": (lambda value: isinstance(value, str) and value != "", "the role or name of a layer"),
    "of": (lambda value: value in ("cell", "map"), "'cell' or 'map'"),
    "learns_from": (lambda value: value in ("all", "explained"), "'all' or 'explained'"),
    "most_cells": (lambda value: type(value) is int and value > 0, "a number of cells above 0"),
}


class ConceptExplainer(Explainer, ABC):
    """Base of explainers whose concepts are codes of the activations of one layer: NMF, PCA, sparse auto-encoders.

    A subclass is a dataclass with a field or class attribute `layer` (a role or a name) and three methods. With
    `of = "cell"`, the default, they see the C activations of a cell (and those of an image at a vector layer), with
    `of = "map"` whole maps:

    | method | "cell" | "map" |
    |---|---|---|
    | `learn(activations, seed)` | (m, C), at most `most_cells` cells of training images | (N, C, h, w) |
    | `encode(activations)` | (m, C) to (m, k) | (n, C, h, w) to (n, k, h, w) |
    | `decode(codes)` | (m, k) to (m, C) | (n, k, h, w) to (n, C, h, w) |

    `decode` consists of torch operations, so that gradients pass. What follows: maps are the codes where they are
    positive (an `encode` that gives both signs as two concepts loses nothing), scores their maxima over cells. Logits
    are what the network makes of the rebuilt activations. Contributions are, to first order, codes times the gradients
    of this logit, summed over cells: exact, but for the bias, where `decode` and the network above are linear. A
    subclass may compute others from `codes` and `logits_of`. A removed concept has the code 0. No gradient passes
    through `encode`: it and `learn` may use any library.

    Where a task explains all logits there are no contributions. At vector layers there are no maps. Defining or making
    a subclass raises InputError for methods with other parameters and for attributes with other values.
    """

    layer: str = "target"
    of: ClassVar[Literal["cell", "map"]] = "cell"
    learns_from: ClassVar[Literal["all", "explained"]] = "all"  # training images, or those of the explained category
    most_cells: ClassVar[int] = MOST_CELLS

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        for method, names in METHODS.items():
            if inspect.isfunction(vars(cls).get(method)):
                expect_parameters(getattr(cls, method), f"{cls.__name__}.{method}", *names)
        _expect_attributes(cls.__name__, vars(cls))

    def __post_init__(self) -> None:
        """Check options and attributes."""
        super().__post_init__()
        _expect_attributes(type(self).__name__, {name: getattr(self, name) for name in ATTRIBUTES})

    def learn(self, activations: Tensor, seed: int) -> None:
        """Learn the concepts from activations on the CPU. `seed` is that of all random numbers to be drawn."""

    @abstractmethod
    def encode(self, activations: Tensor) -> Tensor:
        """The codes of activations."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """The activations that codes stand for."""

    def fit(self, task: TrainingTask) -> None:
        """Learn from the activations of training images. Raises NotApplicable where the network lacks the layer."""
        expect_layer(task, self.layer)
        if self.of == "map":
            expect_map(task, self.layer)
        self._task, self._above = task, Network(task.performer).above(self.layer)
        found = task.activations(self.layer)
        rows = torch.arange(len(found))
        if self.learns_from == "explained":
            rows = torch.nonzero(task.positive(task.labels)).flatten()
        self._grid = task.performer.receptive_field(self.layer) if found.ndim == 4 else None
        seed = task.random_seed(self.name)
        self.learn(found[rows] if self.of == "map" else self._sampled(found, rows, seed), seed)

    def _sampled(self, activations: Tensor, rows: Tensor, seed: int) -> Float[Tensor, "m C"]:
        """Cells of the images at `rows`, all or drawn evenly from each image."""
        generator = torch.Generator().manual_seed(seed)
        places = activations[0, 0].numel()
        each = max(1, min(places, self.most_cells // max(1, len(rows))))
        rows = rows[torch.randperm(len(rows), generator=generator)[: self.most_cells // each]].sort().values
        cells = []
        for some in rows.split(BATCH):
            flat = activations[some].flatten(2) if activations.ndim == 4 else activations[some][:, :, None]
            chosen = torch.rand(len(some), places, generator=generator).argsort(1)[:, :each]
            cells.append(flat.gather(2, chosen[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2).flatten(0, 1))
        return torch.cat(cells)

    def explain(self, images: Images) -> Explanation:
        """Codes, what the network makes of the activations rebuilt from them, and the share of each code in it."""
        codes = self.codes(images).requires_grad_()
        with torch.enable_grad():
            logits = self.logits_of(codes)
        contributions = self.contributions(codes, logits) if logits.ndim == 1 else None
        flat = codes.detach()
        scores = flat.amax((2, 3)) if flat.ndim == 4 else flat
        maps = flat.relu() if flat.ndim == 4 else None
        return Explanation(maps, grid=self._grid, scores=scores, contributions=contributions, logits=logits)

    def without(self, images: Images, concepts: list[int]) -> Float[Tensor, "n *c"]:
        """The logit where the codes of these concepts are 0."""
        codes = self.codes(images)
        codes[:, concepts] = 0
        with torch.no_grad():
            return self.logits_of(codes)

    def deterministic(self) -> bool:
        """False: `learn` may draw random numbers. Override it where it does not, and no cells are drawn."""
        return False

    def codes(self, images: Images) -> Tensor:
        """The codes of images: (n, k, h, w), or (n, k) of vector layers.

        Raises ValueError where `encode` returns a tensor of another shape.
        """
        found = images.activations(self.layer)
        with torch.no_grad():
            codes = self.encode(found if self.of == "map" else _cells(found))
        self._expect(codes, "encode")
        codes = codes.detach().to(found)
        return codes.clone() if self.of == "map" else _arranged(codes, found)

    def logits_of(self, codes: Tensor) -> Float[Tensor, "n *c"]:
        """The explained logit (n,), or the logits of the categories (n, c), of what codes stand for."""
        rebuilt = self.decode(codes if self.of == "map" else _cells(codes))
        self._expect(rebuilt, "decode")
        logits = self._above(rebuilt if self.of == "map" else _arranged(rebuilt, codes))
        return logits[:, list(self._task.targets)] if self._task.target is None else logits[:, self._task.target]

    def contributions(self, codes: Tensor, logits: Float[Tensor, "n"]) -> Float[Tensor, "n k"]:
        """Codes times the gradients of `logits_of(codes)`, summed over cells. Override it for another importance."""
        if not logits.requires_grad:
            raise ValueError(f"{self.name}: no gradient passes through decode; write it with torch operations")
        (gradient,) = torch.autograd.grad(logits.sum(), codes)
        shares = (gradient * codes).detach()
        return shares.sum((2, 3)) if shares.ndim == 4 else shares

    def _expect(self, found: object, method: str) -> None:
        wanted = 4 if self.of == "map" else 2
        if not isinstance(found, Tensor) or found.ndim != wanted:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            axes = "(n, k, h, w)" if self.of == "map" else "(m, k)"
            raise ValueError(f"{self.name}: {method} returned {shape}, expected a tensor of {axes}")


def _expect_attributes(title: str, values: Mapping[str, Any]) -> None:
    """Raise InputError for an attribute of another value. What is no value yet is checked when an explainer is made."""
    for name, (right, expected) in ATTRIBUTES.items():
        value = values.get(name)
        if value is not None and not isinstance(value, dataclasses.Field | LeftOut | property):
            expect(right(value), title, name, value, expected)


def _cells(values: Float[Tensor, "n c *hw"]) -> Float[Tensor, "m c"]:
    """The cells of maps one below the other; the rows of vectors as they are."""
    return values.movedim(1, -1).flatten(0, -2)


def _arranged(cells: Float[Tensor, "m c"], like: Float[Tensor, "n d *hw"]) -> Float[Tensor, "n c *hw"]:
    """Cells at their places in maps of the size of others."""
    return cells.reshape(len(like), *like.shape[2:], -1).movedim(-1, 1).contiguous()
