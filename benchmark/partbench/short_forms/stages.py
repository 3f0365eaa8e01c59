"""A network of any form as a chain of stages, cut behind the layers that somebody names."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import fx, nn

from partbench.attribution.graph import operands
from partbench.errors import InputError, unknown
from partbench.short_forms.call_tracer import CallTracer

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
    tracer = CallTracer()
    graph = tracer.graph_of(network)
    return _cut(graph, network, [(layer, tracer.end_of(layer)) for layer in layers])


def expect_layers(network: nn.Module, layers: Sequence[str]) -> None:
    """Raise InputError for a path that is none of a submodule, with the nearest that is, and those of the first level.

    "" is no layer: it is the network itself.
    """
    known = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in known:
            outer = ", ".join(name for name, _ in network.named_children())
            raise InputError(f"{unknown('layer of the network', layer, known)}; on its first level are {outer:.300}")


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
