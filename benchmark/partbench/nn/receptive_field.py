"""Where a cell of a convolutional map lies on the image.

Coordinates are in px of the image: pixel i spans [i, i + 1) and has its centre at i + 0.5 (docs/coordinates.md). Cell i
of a layer has its centre at `offset + i * stride`. The released MATLAB code puts the centre of the first pixel at 1, so
its offsets are ours plus 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from partbench.errors import NotApplicable
from partbench.nn.tracing import hidden_from_trace


class NoReceptiveField(ValueError, NotApplicable):
    """Raised for a network whose layers do not tell where its cells lie. It skips the cell of an explainer."""


@dataclass(frozen=True)
class ReceptiveField:
    """Geometry of a map in px of the image: centre of its first cell, step between cells, side of what a cell sees.

    `approximate` says in words what was left out or measured; "" for an exact geometry.
    """

    offset: float
    stride: float
    size: float
    approximate: str = ""

    @staticmethod
    def tiling(cells: int, pixels: int) -> ReceptiveField:
        """The geometry of `cells` that tile `pixels` evenly."""
        step = pixels / cells
        return ReceptiveField(offset=step / 2, stride=step, size=step)

    def centres(self, cells: int) -> Float[Tensor, "cells"]:
        """Image coordinate of the centre of each cell, in px."""
        return self.offset + self.stride * torch.arange(cells, dtype=torch.float32)

    def interpolation(self, cells: int, pixels: int) -> Float[Tensor, "pixels cells"]:
        """Matrix of linear interpolation from cells at their centres to pixels; constant beyond the outer cells."""
        position = (torch.arange(pixels, dtype=torch.float32) + 0.5 - self.offset) / self.stride
        distance = (position.clamp(0, cells - 1)[:, None] - torch.arange(cells)[None, :]).abs()
        return (1 - distance).clamp(min=0)


@dataclass(frozen=True)
class _Map:
    """A feature map on its way through a network: its geometry and its cells along a side."""

    field: ReceptiveField
    cells: int


@dataclass(frozen=True)
class _Gate:
    """What is computed from a map as a whole, to weigh its channels with."""

    source: str


@dataclass(frozen=True)
class _Window:
    """A window sliding along one axis, in cells of the map it slides over; `after` pads the far end only."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    def over(self, seen: _Map) -> _Map:
        """The map of what the window sees at each of its positions. Raises NoReceptiveField if it fits nowhere."""
        reach = self.dilation * (self.kernel - 1)
        free = seen.cells + self.before + self.after - reach - 1
        if free < 0:
            raise NoReceptiveField(f"a window of {reach + 1} cells does not fit in a map of {seen.cells} cells")
        steps = free // self.stride
        # a partial last window counts, unless it lies wholly in the padding
        if self.ceil and free % self.stride and (steps + 1) * self.stride < seen.cells + self.before:
            steps += 1
        below = seen.field
        offset = below.offset + (reach / 2 - self.before) * below.stride
        size = below.size + reach * below.stride
        return _Map(ReceptiveField(offset, below.stride * self.stride, size, below.approximate), steps + 1)


def receptive_field(module: nn.Module, input_size: int) -> ReceptiveField:
    """Geometry of the map that `module`, a network up to some conv layer, makes of square images of `input_size` px.

    Traces the module (torch.fx) through convolutions, pools, paddings, pointwise layers, residual sums and maps joined
    along channels. A sum or join sees what its widest branch sees. The border is ignored: the image goes on into the
    padding. Source: the recursion of getConvNetPara.m in the released code of interpretable CNNs.

    Three things are approximated, and said in `approximate`. Branches of one step that are centred apart: a cell sees
    what all of them see together, and is centred in its middle. Gates, which weigh the channels of a map by what is
    computed from all of it (squeeze and excitation): they are left out. Adaptive pools that do not divide a map evenly,
    such as those that enlarge it: their cells are evenly spaced, and see what the largest of their windows sees.

    Raises NoReceptiveField, a ValueError, naming the layer, for what has no such geometry (layers across the whole map,
    windows that are not square, branches of other steps) and for what a trace does not show (see `hidden_from_trace`).
    """
    if hidden := hidden_from_trace(module):
        raise NoReceptiveField(f"no receptive field: {hidden}")
    pixels = _Map(ReceptiveField(offset=0.5, stride=1.0, size=1.0), input_size)
    walk = _Walk(_traced(nn.Sequential(module)))
    walk.extra_traceback = False  # our errors say what is wrong in one line
    result = walk.run(pixels)
    if isinstance(result, _Gate):
        raise NoReceptiveField(f"no receptive field through {result.source}")
    if not isinstance(result, _Map):
        raise NoReceptiveField(f"no receptive field: the network returns {type(result).__name__}, expected one map")
    return result.field


def _traced(root: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(root)
    except Exception as error:  # the module's own code runs here, on stand-ins for tensors
        raise NoReceptiveField(f"no receptive field: the network cannot be traced: {error}") from error


class _Walk(fx.Interpreter):
    """Runs a traced network on the geometry of its maps instead of on their values."""

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Map | _Gate:
        """The map after a layer of the network."""
        maps = _maps((args, kwargs))
        if not maps and args and isinstance(args[0], _Gate):
            return args[0]
        if len(maps) != 1:
            raise NoReceptiveField(f"no receptive field: layer '{target}' takes {len(maps)} maps, expected one")
        return _through(self.fetch_attr(target), maps[0])

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The map after a function of maps; functions of constants are evaluated."""
        maps, gates = _maps((args, kwargs)), _gates((args, kwargs))
        if gates:
            return _gated(target.__name__, maps, gates[0])
        if not maps:
            return super().call_function(target, args, kwargs)
        if target in (torch.cat, torch.concat):
            return _joined(maps, *args[1:], **{name: kwargs[name] for name in kwargs if name != "tensors"})
        if target.__name__ == "pad":
            return _padded(maps[0], args[1] if len(args) > 1 else kwargs["pad"])
        return _pointwise(target.__name__, maps)

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The map after a tensor method; methods of constants are evaluated."""
        maps, gates = _maps((args, kwargs)), _gates((args, kwargs))
        if gates:
            return _gated(target, maps, gates[0])
        if maps and target == "mean" and _over_cells(args[1:], kwargs):
            return _Gate("mean over all cells")
        return _pointwise(target, maps) if maps else super().call_method(target, args, kwargs)


_FUNCTIONS = frozenset(
    (
        *("add", "iadd", "sub", "isub", "mul", "imul", "truediv", "itruediv", "div"),
        *("relu", "relu6", "leaky_relu", "elu", "silu", "gelu", "hardswish", "hardtanh", "clamp", "dropout"),
        *("sigmoid", "hardsigmoid", "contiguous", "stochastic_depth", "batch_norm"),
    )
)
_LAYERS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardtanh, nn.Hardswish, nn.Sigmoid, nn.Tanh),
    *(nn.Hardsigmoid, nn.Mish, nn.PReLU),
    *(nn.BatchNorm2d, nn.LocalResponseNorm, nn.Dropout, nn.Dropout2d, nn.Identity),
)


def _maps(arguments: Any) -> list[_Map]:
    """The maps among arguments, also within lists of them."""
    found: list[_Map] = []
    fx.node.map_aggregate(arguments, lambda value: found.append(value) if isinstance(value, _Map) else None)
    return found


def _gates(arguments: Any) -> list[_Gate]:
    found: list[_Gate] = []
    fx.node.map_aggregate(arguments, lambda value: found.append(value) if isinstance(value, _Gate) else None)
    return found


def _gated(name: str, maps: Sequence[_Map], gate: _Gate) -> _Map | _Gate:
    """A map whose channels are weighed by a gate; without a map, what is made of the gate."""
    if not maps:
        return gate
    if name.strip("_") not in ("mul", "imul"):
        raise NoReceptiveField(f"no receptive field through {gate.source}, whose values go into {name}")
    seen = reduce(_summed, maps)
    return replace(seen, field=_noting(seen.field, "gates of whole maps are left out"))


def _noting(field: ReceptiveField, what: str) -> ReceptiveField:
    notes = [note for note in field.approximate.split("; ") if note]
    return replace(field, approximate="; ".join(dict.fromkeys([*notes, what])))


def _over_cells(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether the arguments of a mean say that it is over both axes of cells, which stay, of length 1."""
    dims, keep = (*args, None, None)[:2]
    dims, keep = kwargs.get("dim", dims), kwargs.get("keepdim", keep)
    return bool(keep) and isinstance(dims, tuple | list) and {dim % 4 for dim in dims} == {2, 3}


def _joined(maps: Sequence[_Map], dim: int = 0) -> _Map:
    if dim not in (1, -3):
        raise NoReceptiveField(f"no receptive field through maps joined along dimension {dim}, expected channels (1)")
    return reduce(_summed, maps)


def _pointwise(name: str, maps: Sequence[_Map]) -> _Map:
    if name.strip("_") not in _FUNCTIONS:
        raise NoReceptiveField(f"no receptive field through {name}")
    return reduce(_summed, maps)


def _through(layer: nn.Module, seen: _Map) -> _Map | _Gate:
    if isinstance(layer, _LAYERS):
        return seen
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return _window(layer, seen.cells).over(seen)
    if isinstance(layer, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        cells = _square(layer, "output_size") or seen.cells  # None: as many as there are
        return _Gate(f"{layer} on a map of {seen.cells} cells") if cells == 1 else _adaptive(cells, seen)
    if isinstance(layer, nn.ZeroPad2d | nn.ConstantPad2d | nn.ReflectionPad2d | nn.ReplicationPad2d):
        return _padded(seen, layer.padding)
    raise NoReceptiveField(f"no receptive field through the layer {layer}")


def _window(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, cells: int) -> _Window:
    kernel, stride = _square(layer, "kernel_size"), _square(layer, "stride")
    dilation = _square(layer, "dilation") if hasattr(layer, "dilation") else 1
    if layer.padding == "same":
        total = dilation * (kernel - 1)
        return _Window(kernel, stride, total // 2, total - total // 2, dilation)
    padding = 0 if layer.padding == "valid" else _square(layer, "padding")
    return _Window(kernel, stride, padding, padding, dilation, getattr(layer, "ceil_mode", False))


def _adaptive(cells: int, seen: _Map) -> _Map:
    """A map pooled to `cells`: window i is that of cells from floor(i * step) up to ceil((i + 1) * step)."""
    if seen.cells % cells == 0:
        return _Window(seen.cells // cells, seen.cells // cells).over(seen)
    step, below = seen.cells / cells, seen.field
    largest = max(-(-(i + 1) * seen.cells // cells) - i * seen.cells // cells for i in range(cells))
    offset = below.offset + (step - 1) / 2 * below.stride
    field = replace(below, offset=offset, stride=step * below.stride, size=below.size + (largest - 1) * below.stride)
    return _Map(_noting(field, f"windows of the pool from {seen.cells} to {cells} cells are of uneven size"), cells)


def _padded(seen: _Map, padding: Sequence[int]) -> _Map:
    left, right, top, bottom = padding
    if (left, right) != (top, bottom):
        raise NoReceptiveField(f"padding is {tuple(padding)}, expected the same for rows and columns")
    return _Window(1, before=left, after=right).over(seen)


def _square(layer: nn.Module, name: str) -> int:
    value = getattr(layer, name)
    sides = set(value) if isinstance(value, tuple | list) else {value}
    if len(sides) != 1:
        raise NoReceptiveField(f"{name} of {layer} is {value}, expected the same for rows and columns")
    return sides.pop()


def _summed(a: _Map, b: _Map) -> _Map:
    if (a.cells, a.field.stride) != (b.cells, b.field.stride):
        raise NoReceptiveField(
            f"branches have other steps: {a.field} of {a.cells} cells and {b.field} of {b.cells} cells"
        )
    wide = max(a, b, key=lambda branch: branch.field.size)
    field = wide.field
    if a.field.offset != b.field.offset:
        low = min(each.field.offset - each.field.size / 2 for each in (a, b))
        high = max(each.field.offset + each.field.size / 2 for each in (a, b))
        field = ReceptiveField((low + high) / 2, a.field.stride, high - low)
    for note in [note for each in (a, b) for note in each.field.approximate.split("; ") if note]:
        field = _noting(field, note)
    if a.field.offset != b.field.offset:
        field = _noting(field, "branches are centred apart")
    return replace(wide, field=field)
