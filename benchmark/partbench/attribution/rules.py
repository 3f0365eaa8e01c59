"""Excitation Backprop, layer by layer: the rule that sends probability mass back through each kind of layer.

Source of the rule: Zhang et al., "Top-down neural attention by Excitation Backprop", ECCV 2016. Through a layer with
weights w and input a >= 0,

    P_in[j] = a_j sum_i w+_ij P_out[i] / (sum_k w+_ik a_k + eps),    w+ = max(w, 0), eps = 1e-20, bias ignored.

Choices where that formula is silent:

* The mass of an output whose normaliser is 0 (no excitatory input) is lost.
* An input with negative values (an image, or a linear bottleneck) is shifted, image by image, so that its minimum is 0.
* ReLU, ReLU6, dropout and identity pass mass through; max-pooling hands it to the winner; padding drops the border.
* Average pooling and spatial means are linear layers with equal weights; addition is one with weights 1 and 1, over
  the non-negative parts of its summands. Maps joined along channels get the mass of their own channels.
* Batch normalisation is folded into the convolution or linear layer before it. Elsewhere it is one weight per channel:
  mass passes where that weight is positive and is lost where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from partbench.errors import NotApplicable
from partbench.nn.pooling import pair

EPS = 1e-20


class NoRule(TypeError, NotApplicable):
    """Raised for a module that Excitation Backprop cannot follow: a layer without a rule, a call unlike its trace.

    It skips the cell of an explainer.
    """


class NoContrast(TypeError):
    """Raised where the output of a module is not made by a Linear layer, so that there is nothing to contrast."""


Rule = Callable[[Tensor], tuple[Tensor, ...]]  # mass on the output (t, n, ...) -> mass on each input, in order


def full(values: Tensor) -> Tensor:
    """The tensor, in single precision if it is half: EPS is 0 in float16."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def pass_through(mass: Tensor) -> tuple[Tensor]:
    return (mass,)


def inverse(normaliser: Tensor) -> Tensor:
    """1 / (normaliser + eps), and 0 where the normaliser is 0: there the mass is lost."""
    return torch.where(normaliser > 0, 1 / (normaliser + EPS), 0.0)


class Proportional:
    """The rule above for one linear map with weights >= 0. Its normaliser is computed once, whatever the targets."""

    def __init__(self, inputs: Float[Tensor, "n *input"]) -> None:
        self._inputs = inputs

    def combine(self, inputs: Float[Tensor, "n *input"]) -> Float[Tensor, "n *output"]:
        """sum_k w+_ik a_k"""
        raise NotImplementedError

    def distribute(self, shares: Float[Tensor, "tn *output"]) -> Float[Tensor, "tn *input"]:
        """sum_i w+_ij s_i"""
        raise NotImplementedError

    @cached_property
    def inputs(self) -> Float[Tensor, "n *input"]:
        """The layer's input, shifted where an image's minimum is negative."""
        lowest = self._inputs.flatten(1).amin(1).clamp(max=0)
        return self._inputs - lowest.view(-1, *[1] * (self._inputs.ndim - 1)) if lowest.any() else self._inputs

    @cached_property
    def inverse(self) -> Float[Tensor, "n *output"]:
        return inverse(self.combine(self.inputs))

    def __call__(self, mass: Float[Tensor, "t n *output"]) -> tuple[Float[Tensor, "t n *input"]]:
        shares = self.distribute((mass * self.inverse).flatten(0, 1))
        return (shares.unflatten(0, mass.shape[:2]).mul_(self.inputs),)


class Weighted(Proportional):
    """A linear layer or a convolution: weights of either sign, outputs along dimension 0."""

    def __init__(self, inputs: Tensor, weight: Tensor) -> None:
        super().__init__(inputs)
        self.weight = weight

    def scale(self, gain: Float[Tensor, " output"]) -> None:
        """Fold a factor per output, which batch normalisation applies, into the weights."""
        self.weight = self.weight * gain.view(-1, *[1] * (self.weight.ndim - 1))

    @cached_property
    def positive(self) -> Tensor:
        return self.weight.clamp(min=0)


class Dense(Weighted):
    def combine(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.positive)

    def distribute(self, shares: Tensor) -> Tensor:
        return shares @ self.positive


class Convolution(Weighted):
    def __init__(self, inputs: Tensor, weight: Tensor, **geometry: Any) -> None:
        super().__init__(inputs, weight)
        self.geometry = geometry

    def combine(self, inputs: Tensor) -> Tensor:
        return F.conv2d(inputs, self.positive, **self.geometry)

    def distribute(self, shares: Tensor) -> Tensor:
        stride, dilation, before = (self._axes(name) for name in ("stride", "dilation", "padding"))
        height, width = sizes = self._inputs.shape[2:]
        uncovered = [
            sizes[i] - ((shares.shape[2 + i] - 1) * stride[i] + dilation[i] * (self.weight.shape[2 + i] - 1) + 1)
            for i in (0, 1)
        ]
        geometry = {**self.geometry, "padding": before}
        geometry["output_padding"] = [max(0, uncovered[i] + 2 * before[i]) for i in (0, 1)]
        # padding="same" may add one more cell after than before: that one is cropped
        return F.conv_transpose2d(shares, self.positive, **geometry)[..., :height, :width]

    def _axes(self, name: str) -> tuple[int, int]:
        """stride, dilation or the padding before the map, along height and width"""
        value = self.geometry[name]
        if value == "valid":
            return 0, 0
        if value == "same":
            kernel, dilation = self.weight.shape[2:], self._axes("dilation")
            return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
        return pair(value)


class Pooling(Proportional):
    """Average pooling; `rows` and `columns` tell which inputs (dimension 1) are in which windows (dimension 0)."""

    def __init__(self, inputs: Tensor, rows: Float[Tensor, "h h_in"], columns: Float[Tensor, "w w_in"]) -> None:
        super().__init__(inputs)
        self.rows, self.columns = rows, columns

    def combine(self, inputs: Tensor) -> Tensor:
        return self.rows @ (inputs @ self.columns.T)

    def distribute(self, shares: Tensor) -> Tensor:
        return self.rows.T @ (shares @ self.columns)


class Mean(Proportional):
    """Mean over some dimensions, none of them the batch's."""

    def __init__(self, inputs: Tensor, dims: list[int]) -> None:
        super().__init__(inputs)
        self.dims = dims

    def combine(self, inputs: Tensor) -> Tensor:
        return inputs.sum(self.dims, keepdim=True)

    def distribute(self, shares: Tensor) -> Tensor:
        return shares.expand(-1, *self.inputs.shape[1:]).clone()

    def __call__(self, mass: Tensor) -> tuple[Tensor]:
        return super().__call__(mass.reshape(len(mass), *self.inverse.shape))


def winner(inputs: Float[Tensor, "n c h_in w_in"], indices: Tensor) -> Rule:
    """Max-pooling: all mass of an output goes to its winner; `indices` (n, c, h, w) count along h_in * w_in."""
    shape, indices = inputs.shape, indices.flatten(2)

    def rule(mass: Tensor) -> tuple[Tensor]:
        routed = mass.new_zeros(*mass.shape[:3], shape[2] * shape[3])
        routed.scatter_add_(3, indices.expand(len(mass), -1, -1, -1), mass.flatten(3))
        return (routed.view(len(mass), *shape),)

    return rule


def sum_of(left: Tensor, right: Tensor) -> Rule:
    """Addition of two maps of one shape: mass in proportion to their non-negative parts."""
    left, right = left.clamp(min=0), right.clamp(min=0)
    normaliser = inverse(left + right)
    return lambda mass: (mass * (left * normaliser), mass * (right * normaliser))


def per_channel(gain: Float[Tensor, " c"], dimensions: int) -> Rule:
    """One weight per channel (batch normalisation that no layer takes in): a constant other than 1 cancels."""
    passes = (gain > 0).view(1, 1, -1, *[1] * (dimensions - 2))
    return lambda mass: (mass * passes,)


def joined(sizes: list[int], dim: int) -> Rule:
    """Maps joined along one dimension, not that of images; `dim` counts from the dimension of images, 0."""
    return lambda mass: mass.split(sizes, dim + 1)


def reshaped(shape: torch.Size) -> Rule:
    return lambda mass: (mass.reshape(len(mass), *shape),)
