"""Excitation Backprop and its contrastive form, c-MWP: which cells of a map make one unit of a network win.

Source: Zhang et al., "Top-down neural attention by Excitation Backprop", ECCV 2016; as used for x-features in Qi,
Khorram and Li, "Embedding Deep Networks into Visual Explanations", section 2.4. Written from the formula; its open
choices are listed in `partbench.attribution.rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from partbench.attribution.rules import EPS
from partbench.attribution.tape import Tape, Trace, exactly

PASS_BYTES = {"cpu": 2**26, "cuda": 2**29}  # of the maps of one backward pass; a GPU is busy with many only
MAPS_ALIVE = 3  # at one layer: the mass above, its shares, the mass below

Units = Sequence[int] | Int[np.ndarray, "t"] | Int[Tensor, "t"]


class ExcitationBP:
    """Maps of the units of a module's output over the module's input, for an input that is a map (n, c, h, w).

    The module goes from the layer where maps are read to a vector of units, for instance the rest of a performer
    followed by an encoder. It is traced, not changed: weights are read anew for each batch, submodules and their plain
    attributes too, and it is run as in evaluation mode whatever its mode. Halves (float16, bfloat16) are computed in
    float32, which the maps are then, and autocast is off.

    Raises NoRule, a TypeError, naming the layer, where a layer has no rule or a call of the module differs from its
    trace: forward hooks, replaced methods, scripted or compiled modules, active dropout, and whatever else makes the
    output of the module another than that of its trace, which are compared for every new shape of input.
    """

    def __init__(self, modules: nn.Module | Sequence[nn.Module]) -> None:
        self._module = modules if isinstance(modules, nn.Module) else nn.Sequential(*modules)
        self._trace = Trace(self._module)

    def record(self, x: Float[Tensor, "n *input"]) -> Tape:
        """One forward pass, from which mass can be sent back for any number of targets.

        Raises ValueError for what is not floating point, and for NaN and infinity.
        """
        _check_values(x)
        if self._trace.outdated(self._module):
            self._trace = Trace(self._module)
        return self._trace.record(x)

    def contrastive_maps(
        self,
        x: Float[Tensor, "n c h w"],
        units: Units | None = None,
        *,
        clamp: bool = True,
        targets_per_pass: int | None = None,
    ) -> Float[Tensor, "n t h w"]:
        """c-MWP of `units` (all of them where None): >= 0, in the units of a probability, not normalised.

        The contrast is taken at the input of the module's last layer, a Linear, and sent down from there with positive
        weights. `clamp=False` keeps the sign of the sum over channels. Targets share the forward pass and the
        normalisers; they go back `targets_per_pass` at a time, by default as many as 64 MiB hold, on a GPU half a
        GiB. Without images there are no maps: (0, t, h, w).

        Raises NoContrast, a TypeError, where the last layer is no Linear, alone or with a ReLU; ValueError for `x` as
        in `record` or of another shape, for units that are no list of units of the last layer, and for
        `targets_per_pass` below 1.
        """
        _check_map(x)
        if targets_per_pass is not None and targets_per_pass < 1:
            raise ValueError(f"targets_per_pass is {targets_per_pass}, expected at least 1")
        if not len(x):
            return self.contrastive_maps(x.new_zeros(1, *x.shape[1:]), units)[:0]
        tape = self.record(x)
        node, linear = tape.last_linear()
        weight = linear.weight if units is None else linear.weight[_checked(units, len(linear.weight), x.device)]
        with exactly(x.device):
            maps = [
                tape.backward(contrast(rows, linear.inputs), node).sum(2)
                for rows in weight.split(targets_per_pass or _targets_per_pass(tape))
            ]
        signed = torch.cat(maps).transpose(0, 1).contiguous()
        return signed.clamp(min=0) if clamp else signed

    def maps(self, x: Float[Tensor, "n c h w"], units: Units | None = None) -> Float[Tensor, "n t h w"]:
        """Marginal winning probability of `units` (all where None) without contrast: >= 0, each sums to at most 1.

        Raises ValueError as `contrastive_maps`, and NoRule where the module gives no vector of units.
        """
        _check_map(x)
        if not len(x):
            return self.maps(x.new_zeros(1, *x.shape[1:]), units)[:0]
        tape = self.record(x)
        one_hot = torch.eye(tape.units(), dtype=tape.output.dtype, device=x.device)
        if units is not None:
            one_hot = one_hot[_checked(units, len(one_hot), x.device)]
        maps = [
            tape.backward(rows[:, None].expand(-1, len(x), -1)).sum(2)
            for rows in one_hot.split(_targets_per_pass(tape))
        ]
        return torch.cat(maps).transpose(0, 1).contiguous()


def contrastive_maps(
    modules: nn.Module | Sequence[nn.Module],
    x: Float[Tensor, "n c h w"],
    units: Units | None = None,
    *,
    clamp: bool = True,
    targets_per_pass: int | None = None,
) -> Float[Tensor, "n t h w"]:
    """`ExcitationBP(modules).contrastive_maps(...)`; modules in sequence are applied one after the other."""
    return ExcitationBP(modules).contrastive_maps(x, units, clamp=clamp, targets_per_pass=targets_per_pass)


@torch.no_grad()
def contrast(weight: Float[Tensor, "t f"], inputs: Float[Tensor, "n f"]) -> Float[Tensor, "t n f"]:
    """C = P+ - P-, the mass of t linear units on their inputs >= 0 less that of the units with weights negated.

    Each of P+ and P- sums to 1, so C sums to 0; a unit with no excitatory (inhibitory) input has P+ = 0 (P- = 0).
    """
    excitatory, inhibitory = (inputs * sign.clamp(min=0)[:, None] for sign in (weight, -weight))
    return _normalised(excitatory) - _normalised(inhibitory)


def _normalised(mass: Tensor) -> Tensor:
    return mass / (mass.sum(-1, keepdim=True) + EPS)


def _targets_per_pass(tape: Tape) -> int:
    most = PASS_BYTES.get(tape.output.device.type, PASS_BYTES["cpu"])
    return max(1, most // (MAPS_ALIVE * tape.largest * tape.output.element_size()))


def _check_map(x: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"the map to read is {tuple(x.shape)}, expected (n, c, h, w)")


def _check_values(x: Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"the map to read is {x.dtype}, expected floating point")
    if wrong := int((~torch.isfinite(x)).sum()):
        raise ValueError(f"the map to read holds {wrong} values that are NaN or infinite")


def _checked(units: Units, count: int, device: torch.device) -> Int[Tensor, "t"]:
    listed = units.tolist() if isinstance(units, Tensor | np.ndarray) else units
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not len(listed):
        raise ValueError(f"units are {units!r}, expected a list of units, or None for all")
    for unit in listed:
        if not isinstance(unit, Integral) or isinstance(unit, bool):
            raise ValueError(f"units hold {unit!r}, expected whole numbers")
        if not 0 <= int(unit) < count:
            raise ValueError(f"no unit {unit}; the last layer has units 0 to {count - 1}")
    return torch.as_tensor([int(unit) for unit in listed], dtype=torch.long, device=device)
