"""Excitation Backprop and its contrastive form, c-MWP: which cells of a map make one unit of a network win.

Source: Zhang et al., "Top-down neural attention by Excitation Backprop", ECCV 2016; as used for x-features in Qi,
Khorram and Li, "Embedding Deep Networks into Visual Explanations", section 2.4. Written from the formula; its open
choices are listed in `partbench.attribution.rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partbench.attribution.rules import EPS
from partbench.attribution.tape import Tape, Trace

PASS_BYTES = 2**29  # what the maps of one backward pass may take
MAPS_ALIVE = 3  # at one layer: the mass above, its shares, the mass below


class ExcitationBP:
    """Maps of the units of a module's output over the module's input, for an input that is a map (n, c, h, w).

    The module goes from the layer where maps are read to a vector of units, for instance the rest of a performer
    followed by an encoder. It is traced, not changed: no hooks, weights read anew for each batch, and run as in
    evaluation mode whatever its mode.

    Raises TypeError, naming the layer, where a layer has no rule.
    """

    def __init__(self, modules: nn.Module | Sequence[nn.Module]) -> None:
        self._trace = Trace(modules if isinstance(modules, nn.Module) else nn.Sequential(*modules))

    def record(self, x: Float[Tensor, "n *input"]) -> Tape:
        """One forward pass, from which mass can be sent back for any number of targets."""
        return self._trace.record(x)

    def contrastive_maps(
        self,
        x: Float[Tensor, "n c h w"],
        units: Sequence[int] | None = None,
        *,
        clamp: bool = True,
        targets_per_pass: int | None = None,
    ) -> Float[Tensor, "n t h w"]:
        """c-MWP of `units` (all of them where None): >= 0, in the units of a probability, not normalised.

        The module's last layer must be Linear, alone or with a ReLU: the contrast is taken at its input, and sent
        down from there with positive weights. `clamp=False` keeps the sign of the sum over channels. Targets share
        the forward pass and the normalisers; they go back `targets_per_pass` at a time, by default as many as about
        half a GiB holds.
        """
        _check_map(x)
        tape = self.record(x)
        node, linear = tape.last_linear()
        weight = linear.weight if units is None else linear.weight[_checked(units, len(linear.weight), x.device)]
        maps = [
            tape.backward(contrast(rows, linear.inputs), node).sum(2)
            for rows in weight.split(targets_per_pass or _targets_per_pass(tape))
        ]
        signed = torch.cat(maps).transpose(0, 1).contiguous()
        return signed.clamp(min=0) if clamp else signed

    def maps(self, x: Float[Tensor, "n c h w"], units: Sequence[int] | None = None) -> Float[Tensor, "n t h w"]:
        """Marginal winning probability of `units` (all where None) without contrast: >= 0, each sums to at most 1."""
        _check_map(x)
        tape = self.record(x)
        one_hot = torch.eye(tape.output.shape[1], dtype=x.dtype, device=x.device)
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
    units: Sequence[int] | None = None,
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
    return max(1, PASS_BYTES // (MAPS_ALIVE * tape.largest * tape.output.element_size()))


def _check_map(x: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"the map to read is {tuple(x.shape)}, expected (n, c, h, w)")


def _checked(units: Sequence[int], count: int, device: torch.device) -> Tensor:
    wrong = [unit for unit in units if not 0 <= unit < count]
    if wrong:
        raise ValueError(f"no unit {wrong[0]}; the last layer has units 0 to {count - 1}")
    return torch.as_tensor(list(units), dtype=torch.long, device=device)
