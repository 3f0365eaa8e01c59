"""A network of any form as a chain of stages, cut behind the layers that somebody names."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, fx, nn

from partbench.attribution.graph import operands, route_users_past_in_place
from partbench.errors import InputError, unknown
from partbench.nn.tracing import hidden_from_trace

LOGITS = "logits"  # the stage behind the last named layer


def stages_of(network: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    """The stages of a copy of a network, by the layer that each ends with; what follows the last one is "logits".

    `layers` are paths of submodules, as in `network.get_submodule(path)`, in any order; one that is called several
    times counts where it is called last. The network is traced (torch.fx) in evaluation mode. Stages change no
    activation in place. Raises InputError for a path that is not there, a network that cannot be traced, and a layer
    beside which other values are carried on, such as one within a residual block.
    """
    expect_layers(network, layers)
    network = copy.deepcopy(network).eval()
    if hidden := hidden_from_trace(network):
        raise InputError(f"the network cannot be cut into stages: {hidden}")
    tracer = _Tracer()
    try:
        graph = tracer.trace(network)
    except Exception as error:  # the network's own code runs here, on stand-ins for tensors
        reason = " ".join(str(error).split())
        raise InputError(f"the network cannot be traced: {reason}; write a PerformerPlugin with its stages") from error
    route_users_past_in_place(graph, network)
    leave_inputs_alone(graph, network)
    return _cut(graph, network, [(layer, _end(tracer, layer)) for layer in layers])


def expect_layers(network: nn.Module, layers: Sequence[str]) -> None:
    """Raise InputError for a path that is none of a submodule, with the nearest that is, and those of the first level.

    "" is no layer: it is the network itself.
    """
    known = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in known:
            outer = ", ".join(name for name, _ in network.named_children())
            raise InputError(f"{unknown('layer of the network', layer, known)}; on its first level are {outer:.300}")


class _Tracer(fx.Tracer):
    """Remembers what each submodule returned when it was last called."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, Any] = {}

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call of a submodule."""
        value = super().call_module(m, forward, args, kwargs)
        self.returned[self.path_of_module(m)] = value
        return value


def _end(tracer: _Tracer, layer: str) -> fx.Node:
    value = tracer.returned.get(layer)
    if not isinstance(value, fx.Proxy):
        found = "is not called" if value is None else "does not return one tensor"
        raise InputError(f"layer '{layer}' {found} when the network runs; name another")
    return value.node


def leave_inputs_alone(graph: fx.Graph, network: nn.Module) -> None:
    """Replace what works in place by what does the same elsewhere."""
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    for node in graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if node.op == "call_function" and getattr(node.target, "__module__", "") == "_operator":
            name = node.target.__name__
            node.target = getattr(operator, name[1:], node.target) if name.startswith("i") else node.target
        if node.op == "call_method" and node.target.endswith("_") and hasattr(Tensor, node.target[:-1]):
            node.target = node.target[:-1]


def _cut(graph: fx.Graph, network: nn.Module, ends: Sequence[tuple[str, fx.Node]]) -> dict[str, nn.Module]:
    nodes = list(graph.nodes)
    order = {node: place for place, node in enumerate(nodes)}
    [output] = [node for node in nodes if node.op == "output"]
    [start] = [node for node in nodes if node.op == "placeholder"][:1]
    stages: dict[str, nn.Module] = {}
    for layer, end in sorted(ends, key=lambda pair: order[pair[1]]):
        stages[layer] = stage_between(network, nodes, start, end, layer)
        start = end
    if start is not output.args[0]:
        stages[LOGITS] = stage_between(network, nodes, start, output.args[0], LOGITS)
    return stages


def stage_between(network: nn.Module, nodes: list[fx.Node], start: fx.Node, end: Any, layer: str) -> nn.Module:
    """The part of a graph that computes `end` from `start` alone."""
    if not isinstance(end, fx.Node):
        raise InputError(f"the network returns a {type(end).__name__}, expected a tensor of logits")
    graph = fx.Graph()
    copied = {start: graph.placeholder("value")}
    needed = _needed(start, end)
    for node in nodes:
        if node in needed and node is not start:
            if node.op == "placeholder":
                raise InputError(carried_past(_layer_of(start), layer))
            copied[node] = graph.node_copy(node, lambda before: copied[before])
    graph.output(copied[end])
    return fx.GraphModule(network, graph)


def carried_past(layer: str, to: str = "the output") -> str:
    """What is said of a layer beside which values are carried on, to a layer further up."""
    return f"values are carried past layer '{layer}' to '{to}'; name one that all pass through"


def _needed(start: fx.Node, end: fx.Node) -> set[fx.Node]:
    """All nodes that `end` is computed from, as far as `start`."""
    found, waiting = set(), [end]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += operands((node.args, node.kwargs)) if node is not start else []
    return found


def _layer_of(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name
