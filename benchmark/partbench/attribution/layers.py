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
from partbench.attribution.rules import NoRule, Rule, full, pass_through
from partbench.nn.pooling import pair

Run = tuple[Any, Rule | None]  # the value, a map where there is a rule
Size = int | tuple[int, ...]
MAPS = ("input", "other", "tensors")  # parameters that take maps; rules return mass for them, in this order


def relu(input: Tensor, inplace: bool = False) -> Run:
    return F.relu(input), pass_through


def relu6(input: Tensor, inplace: bool = False) -> Run:
    return F.relu6(input), pass_through


def identity(input: Tensor, *_: Any, **__: Any) -> Run:
    return input, pass_through


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Run:
    if training and p:
        raise NoRule("excitation backprop expects dropout that rests in evaluation mode, found it active")
    return input, pass_through


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Run:
    weight, bias = full(weight), bias if bias is None else full(bias)
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
    weight, bias = full(weight), bias if bias is None else full(bias)
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
    _one_output(return_indices)
    settings: dict[str, Any] = {"padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    output, indices = F.max_pool2d(input, kernel_size, stride or None, **settings, return_indices=True)
    return output, rules.winner(input, indices)


def adaptive_max_pool2d(input: Tensor, output_size: Size, return_indices: bool = False) -> Run:
    _one_output(return_indices)
    output, indices = F.adaptive_max_pool2d(input, output_size, return_indices=True)
    return output, rules.winner(input, indices)


def _one_output(return_indices: bool) -> None:
    if return_indices:
        raise NoRule("excitation backprop expects max-pooling without return_indices")


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
    kernel, step, pad = (pair(value) for value in (kernel_size, stride, padding))
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
        raise NoRule(f"excitation backprop expects a mean within each image, found one over dimensions {dim}")
    return input.mean(dims, keepdim), rules.Mean(input, dims)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    source: Rule | None = None,
) -> Run:
    """`source` is the rule of the layer below: a convolution or linear layer takes the scale into its weights."""
    if training or running_mean is None or running_var is None:
        raise NoRule("excitation backprop expects batch normalisation with running statistics, found those of a batch")
    running_mean, running_var = full(running_mean), full(running_var)
    weight, bias = (value if value is None else full(value) for value in (weight, bias))
    output = F.batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    gain = torch.rsqrt(running_var + eps) * (1 if weight is None else weight)
    if isinstance(source, rules.Weighted):
        source.scale(gain)
        return output, pass_through
    return output, rules.per_channel(gain, input.ndim)


def add(input: Tensor, other: Tensor, alpha: float = 1) -> Run:
    if alpha <= 0:
        raise NoRule(f"excitation backprop has no rule for maps that are subtracted; alpha is {alpha}")
    other = other * alpha if alpha != 1 else other
    if input.shape != other.shape:
        raise NoRule(f"excitation backprop adds maps of one shape, found {tuple(input.shape)}, {tuple(other.shape)}")
    return input + other, rules.sum_of(input, other)


def shift(input: Any, other: Any, alpha: float = 1, *, first: bool = True) -> Run:
    """Addition of a constant, which is a bias; `first` says that `input` is the map, else `other` is."""
    output, maps = torch.add(torch.as_tensor(input), other, alpha=alpha), input if first else other
    if not first and alpha <= 0:
        raise NoRule(f"excitation backprop has no rule for maps that are subtracted; alpha is {alpha}")
    if output.shape != maps.shape:
        found = f"{tuple(maps.shape)} to {tuple(output.shape)}"
        raise NoRule(f"excitation backprop expects a constant that leaves the map its shape, found {found}")
    return output, pass_through


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Run:
    dim = dim % tensors[0].ndim
    if dim == 0:
        raise NoRule("excitation backprop expects maps joined within each image, found images joined")
    return torch.cat(list(tensors), dim), rules.joined([part.shape[dim] for part in tensors], dim)


def pad(input: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Run:
    if mode != "constant":
        raise NoRule(f"excitation backprop has no rule for padding mode '{mode}'; supported: constant")
    crop = [-size for size in pad]
    return F.pad(input, pad, value=value), lambda mass: (F.pad(mass, crop),)


def reshape(function: Callable[..., Tensor]) -> Callable[..., Run]:
    def run(input: Tensor, *args: Any, **kwargs: Any) -> Run:
        return function(input, *args, **kwargs), rules.reshaped(input.shape)

    return run


def size(function: Callable) -> Callable[..., Run]:
    """Something read off a map that is no map itself."""
    return lambda input, *args, **kwargs: (function(input, *args, **kwargs), None)


def _conv2d_module(m: nn.Conv2d, input: Tensor) -> Run:
    if m.padding_mode != "zeros":
        raise NoRule(f"excitation backprop has no rule for padding mode '{m.padding_mode}'; supported: zeros")
    return conv2d(input, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)


def _batch_norm_module(m: nn.BatchNorm1d | nn.BatchNorm2d, input: Tensor, source: Rule | None = None) -> Run:
    return batch_norm(input, m.running_mean, m.running_var, m.weight, m.bias, m.training, eps=m.eps, source=source)


MODULES: dict[type[nn.Module], Callable[..., Run]] = {
    nn.Linear: lambda m, input: linear(input, m.weight, m.bias),
    nn.Conv2d: _conv2d_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.BatchNorm1d: _batch_norm_module,
    nn.ReLU: lambda m, input: relu(input),
    nn.ReLU6: lambda m, input: relu6(input),
    nn.Identity: lambda m, input: identity(input),
    nn.Dropout: lambda m, input: dropout(input, m.p, m.training),
    nn.Dropout2d: lambda m, input: dropout(input, m.p, m.training),
    nn.MaxPool2d: lambda m, input: max_pool2d(
        input, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.AdaptiveMaxPool2d: lambda m, input: adaptive_max_pool2d(input, m.output_size, m.return_indices),
    nn.AvgPool2d: lambda m, input: avg_pool2d(
        input, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda m, input: adaptive_avg_pool2d(input, m.output_size),
    nn.ZeroPad2d: lambda m, input: pad(input, list(m.padding)),
    nn.Flatten: lambda m, input: reshape(torch.flatten)(input, m.start_dim, m.end_dim),
}

FUNCTIONS: dict[object, Callable[..., Run]] = {
    **dict.fromkeys([F.relu, torch.relu, torch.relu_, "relu", "relu_"], relu),
    F.relu6: relu6,
    **dict.fromkeys([F.dropout, F.dropout2d, torch.dropout], dropout),
    "contiguous": identity,
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
    **dict.fromkeys([torch.cat, torch.concat], cat),
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
SUPPORTED = sorted(
    {module.__name__ for module in MODULES} | {"add", "cat", "flatten", "reshape", "view", "mean", "pad"}
)
