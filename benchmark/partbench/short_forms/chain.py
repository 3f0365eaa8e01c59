"""A network of any form as a chain of stages, cut wherever one value is all that is carried on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from partbench.attribution.graph import operands
from partbench.errors import InputError
from partbench.short_forms.call_tracer import CallTracer
from partbench.short_forms.chain_stage import ChainStage
from partbench.short_forms.grids import as_maps
from partbench.short_forms.operations import continues, flattens, is_padding, is_pool, never_negative
from partbench.short_forms.stages import carried_past, expect_layers, stage_between

BATCH = 2  # images that shapes are found with: the axis of images has this length


def chain_of(network: nn.Module, image: Float[Tensor, "3 H W"], named: Sequence[str] = ()) -> list[ChainStage]:
    """The stages of a copy of a network in evaluation mode; run one after the other they compute what it computes.

    The network is traced (torch.fx). A stage ends behind a convolution or linear layer with its norm, activation and
    dropout, behind a pool, or behind a block whose branches are joined again, and is named after the submodule, or
    after the call, that it ends with; `named` submodules end a stage whatever they are. Maps with channels last and
    grids of tokens become maps (c, h, w), and are turned back in front of the next stage; where other tokens stand
    before the grid, they are left as they are, see `ChainStage.prefix`.

    Raises InputError for a network that cannot be traced, and for a named layer that is not there or beside which
    other values are carried on.
    """
    expect_layers(network, named)
    root = _OfImages(copy.deepcopy(network)).eval()
    tracer = CallTracer("network")
    graph = tracer.graph_of(root)
    values = _Shapes(fx.GraphModule(root, graph)).of(image)
    ends = {tracer.end_of(name): name for name in named}
    cuts = _cuts(graph, values)
    if lost := [name for node, name in ends.items() if node not in cuts]:
        raise InputError(carried_past(lost[0]))
    nodes, start, stages = list(graph.nodes), _input(graph), []
    for node in cuts:
        if node not in ends and node is not cuts[-1] and (tracer.within(node) or _within_unit(node, root, values)):
            continue
        name = ends.get(node) or tracer.name_of(node, start)
        module = as_sequential(stage_between(root, nodes, start, node, name))
        stages.append(ChainStage(name, module, values[node][1:], never_negative(node, root), is_pool(node, root)))
        start = node
    return as_maps(_distinct(stages))


class _OfImages(nn.Module):
    """A network called with images alone: what else its forward takes has its default."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        """What the network returns."""
        return self.network(images)


def as_sequential(stage: nn.Module) -> nn.Module:
    """A traced stage as its one layer, or as nn.Sequential where layers simply follow each other; else as it is."""
    if not isinstance(stage, fx.GraphModule):
        return stage
    layers: list[nn.Module] = []
    below, *calls, output = stage.graph.nodes
    for node in calls:
        if node.all_input_nodes != [below] or node.args[:1] != (below,):
            return stage
        if node.op == "call_module" and len(node.args) == 1 and not node.kwargs:
            layers.append(stage.get_submodule(str(node.target)))
        elif node.target is torch.flatten and (node.args[1:], node.kwargs) in (((1,), {}), ((), {"start_dim": 1})):
            layers.append(nn.Flatten())
        else:
            return stage
        below = node
    if not layers or output.args[0] is not below:
        return stage
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


class _Shapes(fx.Interpreter):
    """Runs a graph and notes the shape of every tensor with an axis of images."""

    def of(self, image: Tensor) -> Mapping[fx.Node, tuple[int, ...]]:
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        with torch.no_grad():
            self.run(image[None].expand(BATCH, *image.shape))
        return self.shapes

    def run_node(self, n: fx.Node) -> Any:
        """A call, whose result is looked at."""
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.ndim > 1 and len(value) == BATCH and n.op != "get_attr":
            self.shapes[n] = tuple(value.shape)
        return value


def _input(graph: fx.Graph) -> fx.Node:
    return next(node for node in graph.nodes if node.op == "placeholder")


def _cuts(graph: fx.Graph, values: Mapping[fx.Node, tuple[int, ...]]) -> list[fx.Node]:
    """The nodes, in order, whose value is all that is carried on when they are done; the last makes the logits."""
    order = {node: place for place, node in enumerate(graph.nodes)}
    live, needed_until, cuts = {_input(graph)}, 0, []
    for node in graph.nodes:
        if node.op in ("placeholder", "output") or not live.intersection(operands((node.args, node.kwargs))):
            continue
        live.add(node)
        if node in values and needed_until <= order[node] and node.users:
            cuts.append(node)
        needed_until = max([needed_until, *(order[user] for user in node.users)])
    [output] = [node for node in graph.nodes if node.op == "output"]
    if not cuts or output.args[0] is not cuts[-1] or len(values[cuts[-1]]) != 2:
        raise InputError("the network does not return one tensor of logits (n, c)")
    first_users = [order[user] for user in _input(graph).users]
    return [node for node in cuts if order[node] >= max(first_users)]


def _within_unit(node: fx.Node, network: nn.Module, values: Mapping[fx.Node, tuple[int, ...]]) -> bool:
    """Whether a stage goes on behind a node: to its activation, from its padding, from a flattened map to vectors."""
    if is_padding(node, network):
        return True
    users = list(node.users)
    if flattens(node, network) and values[node.all_input_nodes[0]][2:] not in ((), (1, 1)):
        return users[0].op != "output"
    if len(users) != 1 or users[0].op == "output":
        return False
    follower = users[0]
    return continues(follower, network) or (flattens(follower, network) and values[node][2:] == (1, 1))


def _distinct(stages: Sequence[ChainStage]) -> list[ChainStage]:
    """Stages under names of their own: a submodule may be called several times."""
    seen: dict[str, int] = {}
    found = []
    for stage in stages:
        seen[stage.name] = seen.get(stage.name, 0) + 1
        again = f"{stage.name}#{seen[stage.name]}" if seen[stage.name] > 1 else stage.name
        found.append(replace(stage, name=again))
    return found
