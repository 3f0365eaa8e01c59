"""Folding batch norm, an affine map in evaluation mode, into the layer before it."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval


def fold(model: nn.Module) -> None:
    """Fold each batch norm of a network in evaluation mode into the layer before it, in place.

    Counts where both stand in one nn.Sequential; the network computes the same up to rounding.
    """
    for parent in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        for at in range(len(parent) - 1, 0, -1):
            layer, norm = parent[at - 1], parent[at]
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent[at - 1] = fuse_conv_bn_eval(layer, norm)
                del parent[at]
            elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
                parent[at - 1] = fuse_linear_bn_eval(layer, norm)
                del parent[at]


def unfold(model: nn.Sequential, dropout: float) -> None:
    """For training: batch norm before the ReLU of each stage, and dropout after that of fully connected stages.

    `fold` undoes the batch norm; a dropout does nothing in evaluation mode and has no weights.
    """
    for stage in [stage for stage in model if isinstance(stage, nn.Sequential) and isinstance(stage[-1], nn.ReLU)]:
        layer = stage[-2]
        if isinstance(layer, nn.Conv2d) and any(weight.requires_grad for weight in layer.parameters()):
            stage.insert(len(stage) - 1, nn.BatchNorm2d(layer.out_channels))
        elif isinstance(layer, nn.Linear):
            stage.insert(len(stage) - 1, nn.BatchNorm1d(layer.out_features))
            stage.append(nn.Dropout(dropout))
