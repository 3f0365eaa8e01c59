"""The layers Excitation Backprop knows: each is run as the network runs it and returns its output and its rule.

Functions here have the parameters of the torch function they stand for, so a traced call binds by itself. Values that
are not maps (a size used by `view`) have no rule. In-place layers are run out of place, as rules keep their inputs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partbench.attribution import rules
from partbench.attribution.rules import Rule, pass_through

Run = tuple[Any, Rule | None]  # the value, a map where there is a rule
Size = int | tuple[int, ...]


def relu(input: Tensor, inplace: bool = False) -> Run:
    return F.relu(input), pass_through


def relu6(input: Tensor, inplace: bool = False) -> Run:
    return F.relu6(input), pass_through


def identity(input: Tensor, *_: Any, **__: Any) -> Run:
    return input, pass_through


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Run:
    return F.linear(input, weight, bias), rules.Dense(input, weight)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Run:
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return F.conv2d(input, weight, bias, **geometry), rules.Convolution(input, weight, **geometry)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Run:
    settings: dict[str, Any] = {"padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    output, indices = F.max_pool2d(input, kernel_size, stride or None, **settings, return_indices=True)
    return output, rules.winner(input, indices)


def adaptive_max_pool2d(input: Tensor, output_size: Size, return_indices: bool = False) -> Run:
    output, indices = F.adaptive_max_pool2d(input, output_size, return_indices=True)
    return output, rules.winner(input, indices)


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Run:
    stride = stride or kernel_size
    output = F.avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    kernel, step, pad = (rules.pair(value) for value in (kernel_size, stride, padding))
    settings: list[dict[str, Any]] = [{"kernel_size": kernel[i], "stride": step[i], "padding": pad[i]} for i in (0, 1)]
    pools = [partial(F.avg_pool1d, ceil_mode=ceil_mode, **setting) for setting in settings]
    return output, rules.Pooling(input, _windows(input, 2, pools[0]), _windows(input, 3, pools[1]))


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Run:
    output = F.adaptive_avg_pool2d(input, output_size)
    rows, columns = (partial(F.adaptive_avg_pool1d, output_size=output.shape[i]) for i in (2, 3))
    return output, rules.Pooling(input, _windows(input, 2, rows), _windows(input, 3, columns))


def _windows(input: Tensor, dim: int, pool: Callable[[Tensor], Tensor]) -> Tensor:
    """Which inputs along `dim` are in which window: 1 where pooling a one there gives anything. (out, in)"""
    eye = torch.eye(input.shape[dim], dtype=input.dtype, device=input.device)
    return (pool(eye[None])[0].T > 0).to(input.dtype)


def mean(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Run:
    dims = sorted(d % input.ndim for d in ([dim] if isinstance(dim, int) else dim or [0]))
    if 0 in dims:
        raise TypeError(f"excitation backprop expects a mean within each image, found one over dimensions {dim}")
    return input.mean(dims, keepdim), rules.Mean(input, dims)


def batch_norm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    source: Rule | None = None,
) -> Run:
    """`source` is the rule of the layer below: a convolution or linear layer takes the scale into its weights."""
    output = F.batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    gain = torch.rsqrt(running_var + eps) * (1 if weight is None else weight)
    if isinstance(source, rules.Weighted):
        source.scale(gain)
        return output, pass_through
    return output, rules.per_channel(gain, input.ndim)


def add(input: Tensor, other: Tensor, alpha: float = 1) -> Run:
    other = other * alpha if alpha != 1 else other
    if input.shape != other.shape:
        raise TypeError(f"excitation backprop adds maps of one shape, found {tuple(input.shape)}, {tuple(other.shape)}")
    return input + other, rules.sum_of(input, other)


def shift(input: Any, other: Any, alpha: float = 1) -> Run:
    """Addition of a constant, which is a bias."""
    return torch.add(torch.as_tensor(input), other, alpha=alpha), pass_through


def pad(input: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Run:
    if mode != "constant":
        raise TypeError(f"excitation backprop has no rule for padding mode '{mode}'; supported: constant")
    crop = [-size for size in pad]
    return F.pad(input, pad, value=value), lambda mass: (F.pad(mass, crop),)


def reshape(function: Callable[..., Tensor]) -> Callable[..., Run]:
    def run(input: Tensor, *args: Any, **kwargs: Any) -> Run:
        return function(input, *args, **kwargs), rules.reshaped(input.shape)

    return run


def size(function: Callable) -> Callable[..., Run]:
    """Something read off a map that is no map itself."""
    return lambda *args, **kwargs: (function(*args, **kwargs), None)


def _conv2d_module(m: nn.Conv2d, x: Tensor) -> Run:
    if m.padding_mode != "zeros":
        raise TypeError(f"excitation backprop has no rule for padding mode '{m.padding_mode}'; supported: zeros")
    return conv2d(x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)


def _batch_norm_module(m: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor, source: Rule | None = None) -> Run:
    if m.running_mean is None or m.running_var is None:
        raise TypeError("excitation backprop expects batch normalisation with running statistics, found none")
    return batch_norm(x, m.running_mean, m.running_var, m.weight, m.bias, eps=m.eps, source=source)


MODULES: dict[type[nn.Module], Callable[..., Run]] = {
    nn.Linear: lambda m, x: linear(x, m.weight, m.bias),
    nn.Conv2d: _conv2d_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.BatchNorm1d: _batch_norm_module,
    nn.ReLU: lambda m, x: relu(x),
    nn.ReLU6: lambda m, x: relu6(x),
    nn.Identity: lambda m, x: identity(x),
    nn.Dropout: lambda m, x: identity(x),
    nn.Dropout2d: lambda m, x: identity(x),
    nn.MaxPool2d: lambda m, x: max_pool2d(x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode),
    nn.AdaptiveMaxPool2d: lambda m, x: adaptive_max_pool2d(x, m.output_size),
    nn.AvgPool2d: lambda m, x: avg_pool2d(
        x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda m, x: adaptive_avg_pool2d(x, m.output_size),
    nn.ZeroPad2d: lambda m, x: pad(x, list(m.padding)),
    nn.Flatten: lambda m, x: reshape(torch.flatten)(x, m.start_dim, m.end_dim),
}

FUNCTIONS: dict[object, Callable[..., Run]] = {
    **dict.fromkeys([F.relu, torch.relu, torch.relu_, "relu", "relu_"], relu),
    F.relu6: relu6,
    **dict.fromkeys([F.dropout, F.dropout2d, torch.dropout, "contiguous"], identity),
    F.linear: linear,
    **dict.fromkeys([F.conv2d, torch.conv2d], conv2d),
    **dict.fromkeys([F.max_pool2d, torch.max_pool2d], max_pool2d),
    F.adaptive_max_pool2d: adaptive_max_pool2d,
    F.avg_pool2d: avg_pool2d,
    F.adaptive_avg_pool2d: adaptive_avg_pool2d,
    **dict.fromkeys([torch.mean, "mean"], mean),
    F.batch_norm: batch_norm,
    **dict.fromkeys([operator.add, operator.iadd, torch.add, "add", "add_"], add),
    F.pad: pad,
    **{call: reshape(torch.flatten) for call in (torch.flatten, "flatten")},
    **{call: reshape(torch.reshape) for call in (torch.reshape, "reshape")},
    "view": reshape(lambda x, *shape: x.reshape(*shape)),
    **{call: reshape(torch.squeeze) for call in (torch.squeeze, "squeeze")},
    **{call: reshape(torch.unsqueeze) for call in (torch.unsqueeze, "unsqueeze")},
    **{call: size(call) for call in (getattr, operator.floordiv, operator.mul)},
    "size": size(Tensor.size),
    operator.getitem: size(operator.getitem),
}
FOLDED = {batch_norm, _batch_norm_module}  # also take the rule of the layer below
SUPPORTED = sorted({module.__name__ for module in MODULES} | {"add", "flatten", "reshape", "view", "mean", "pad"})
