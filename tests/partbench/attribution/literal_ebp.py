"""Excitation Backprop written out: an explicit matrix for every linear layer, and loops over its entries."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


@torch.no_grad()
def literal_mass(module: nn.Module, x: Tensor, mass: Tensor) -> Tensor:
    """Mass on the output for one image x (1, ...), sent back to x."""
    if isinstance(module, nn.Sequential):
        steps = _fused(_flat(module))
        inputs = [x]
        for step in steps:
            inputs.append(step(inputs[-1]))
        for step, value in zip(reversed(steps), reversed(inputs[:-1]), strict=True):
            mass = _fused_mass(step, value, mass)
        return mass
    return _fused_mass(module, x, mass)


def literal_contrast(linear: nn.Linear, a: Tensor, unit: int) -> Tensor:
    """P+ - P- on the inputs a (f) of one linear unit."""
    weights, a = linear.weight[unit].tolist(), a.tolist()
    positive = sum(max(w, 0) * v for w, v in zip(weights, a, strict=True))
    negative = sum(max(-w, 0) * v for w, v in zip(weights, a, strict=True))
    pairs = zip(weights, a, strict=True)
    return torch.tensor(
        [v * max(w, 0) / (positive + 1e-20) - v * max(-w, 0) / (negative + 1e-20) for w, v in pairs],
        dtype=torch.float64,
    )


def _flat(module: nn.Module) -> list[nn.Module]:
    return [leaf for part in module for leaf in _flat(part)] if isinstance(module, nn.Sequential) else [module]


def _fused(modules: list[nn.Module]) -> list[nn.Module]:
    """A layer and the batch normalisation after it as one linear map."""
    fused: list[nn.Module] = []
    for module in modules:
        if isinstance(module, nn.BatchNorm2d) and fused and isinstance(fused[-1], nn.Conv2d):
            fused[-1] = nn.Sequential(fused[-1], module)
        else:
            fused.append(module)
    return fused


def _fused_mass(module: nn.Module, x: Tensor, mass: Tensor) -> Tensor:
    if isinstance(module, Residual):
        body = module.body(x)
        left, right = x.clamp(min=0), body.clamp(min=0)
        total = left + right
        skip = torch.where(total > 0, mass * left / total.clamp(min=1e-300), 0)
        through = torch.where(total > 0, mass * right / total.clamp(min=1e-300), 0)
        return skip + literal_mass(module.body, x, through)
    if isinstance(module, nn.MaxPool2d):
        return _winners(module, x, mass)
    if isinstance(module, nn.ReLU | nn.ReLU6 | nn.Dropout | nn.Flatten):
        return mass.reshape(x.shape)
    if isinstance(module, nn.BatchNorm2d):
        return mass * (module.weight > 0).view(1, -1, 1, 1)
    return _by_matrix(module, x, mass)


def _by_matrix(module: nn.Module, x: Tensor, mass: Tensor) -> Tensor:
    nothing = module(torch.zeros_like(x)).flatten()
    basis = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape[1:])
    matrix = (torch.stack([module(e[None]).flatten() for e in basis]) - nothing).T.tolist()  # [i][j]
    a = (x - min(x.min().item(), 0)).flatten().tolist()
    result = [0.0] * len(a)
    for p, row in zip(mass.flatten().tolist(), matrix, strict=True):
        positive = [(j, w) for j, w in enumerate(row) if w > 1e-12]  # below: rounding of a weight that is 0
        normaliser = sum(w * a[j] for j, w in positive)
        if normaliser > 0:
            for j, w in positive:
                result[j] += a[j] * w * p / (normaliser + 1e-20)
    return torch.tensor(result, dtype=x.dtype).view(x.shape)


def _winners(pool: nn.MaxPool2d, x: Tensor, mass: Tensor) -> Tensor:
    result = torch.zeros_like(x)
    _, channels, height, width = x.shape
    for c in range(channels):
        for i in range(mass.shape[2]):
            for j in range(mass.shape[3]):
                rows = range(i * pool.stride - pool.padding, i * pool.stride - pool.padding + pool.kernel_size)
                columns = range(j * pool.stride - pool.padding, j * pool.stride - pool.padding + pool.kernel_size)
                cells = [(r, k) for r in rows for k in columns if 0 <= r < height and 0 <= k < width]
                r, k = max(cells, key=lambda cell: x[0, c, cell[0], cell[1]].item())
                result[0, c, r, k] += mass[0, c, i, j]
    return result
