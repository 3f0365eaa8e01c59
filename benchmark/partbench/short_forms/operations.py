"""What the calls of a traced network do to a value, by the layer or function that is called."""

from __future__ import annotations

from torch import fx, nn

RECTIFIERS = frozenset({"ReLU", "ReLU6", "relu", "relu6", "Sigmoid", "sigmoid", "Hardsigmoid", "hardsigmoid"})
ACTIVATIONS = RECTIFIERS | {
    "LeakyReLU", "leaky_relu", "ELU", "elu", "SiLU", "silu", "GELU", "gelu", "GELUTanh", "Hardswish", "hardswish",
    "Mish", "mish", "Tanh", "tanh", "PReLU", "Hardtanh", "hardtanh",
}  # fmt: skip
NORMS = frozenset({
    "BatchNorm2d", "BatchNorm1d", "LayerNorm", "LayerNorm2d", "GroupNorm", "LocalResponseNorm", "batch_norm",
    "layer_norm",
})  # fmt: skip
UNCHANGING = frozenset({"Dropout", "Dropout2d", "dropout", "Identity", "contiguous", "stochastic_depth"})
POOLS = frozenset({
    "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "max_pool2d", "avg_pool2d",
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "mean",
})  # fmt: skip
PADDINGS = frozenset({"ZeroPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "pad"})
SHAPES = frozenset({"Flatten", "flatten", "reshape", "view", "squeeze", "permute", "transpose", "Permute"})
SUMS = frozenset({"add", "iadd", "cat", "concat", "mul", "imul"})  # of values >= 0 they make values >= 0


def kind(node: fx.Node, network: nn.Module) -> str:
    """The class of the layer that is called, or the name of the function or method; "" for anything else."""
    if node.op == "call_module":
        return type(network.get_submodule(str(node.target))).__name__
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name.rstrip("_") if node.op.startswith("call") else ""


def continues(node: fx.Node, network: nn.Module) -> bool:
    """Whether a call goes on with what the layer below began: a norm, an activation, a dropout."""
    return kind(node, network) in ACTIVATIONS | NORMS | UNCHANGING


def is_pool(node: fx.Node, network: nn.Module) -> bool:
    """Whether a call pools over cells."""
    return kind(node, network) in POOLS


def is_padding(node: fx.Node, network: nn.Module) -> bool:
    """Whether a call pads a map."""
    return kind(node, network) in PADDINGS


def flattens(node: fx.Node, network: nn.Module) -> bool:
    """Whether a call makes vectors of maps."""
    return kind(node, network) in ("Flatten", "flatten")


def never_negative(node: fx.Node, network: nn.Module) -> bool:
    """Whether, by the kind of the calls that made it, a value is >= 0 whatever the weights and the image."""
    name = kind(node, network)
    if name in RECTIFIERS:
        return True
    if name in UNCHANGING | POOLS | SHAPES | SUMS | {"LocalResponseNorm", "getitem"}:
        below = node.all_input_nodes
        constants = any(isinstance(value, int | float) and value < 0 for value in node.args[1:])
        return bool(below) and all(never_negative(each, network) for each in below) and not (name in SUMS and constants)
    return False
