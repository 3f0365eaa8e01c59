"""A network of any form as a chain of stages, cut wherever one value is all that is carried on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from partbench.attribution.graph import operands, route_users_past_in_place
from partbench.errors import InputError
from partbench.nn.tracing import hidden_from_trace
from partbench.short_forms.chain_stage import ChainStage
from partbench.short_forms.grids import as_maps
from partbench.short_forms.operations import continues, flattens, is_padding, is_pool, never_negative
from partbench.short_forms.stages import carried_past, leave_inputs_alone, stage_between

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
    root = _OfImages(copy.deepcopy(network)).eval()
    if hidden := hidden_from_trace(root.network):
        raise InputError(f"the network cannot be cut into stages: {hidden}")
    tracer = CallTracer()
    graph = tracer.graph_of(root)
    route_users_past_in_place(graph, root)
    leave_inputs_alone(graph, root)
    values = _Shapes(fx.GraphModule(root, graph)).of(image)
    ends = {_end_of(tracer, name): name for name in named}
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


class CallTracer(fx.Tracer):
    """Follows a network into everything but layers of torch; remembers where each submodule began and what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.began: dict[str, int] = {}
        self.returned: dict[str, fx.Node] = {}  # when last called
        self._paths: dict[fx.Node, list[str]] = {}  # of the submodules that gave a value
        self._inside = 0
        self._called_within: set[fx.Node] = set()

    def graph_of(self, network: nn.Module) -> fx.Graph:
        """The graph of a network. Raises InputError where it cannot be traced."""
        try:
            graph = self.trace(network)
        except Exception as error:  # the network's own code runs here, on stand-ins for tensors
            reason = " ".join(str(error).split())
            raise InputError(f"the network cannot be traced: {reason:.300}") from error
        self._order = {node: place for place, node in enumerate(graph.nodes)}
        return graph

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call of a submodule."""
        path = self.path_of_module(m).removeprefix("network").removeprefix(".")
        self.began[path] = len(self.graph.nodes)
        self._inside += bool(path)
        value = super().call_module(m, forward, args, kwargs)
        self._inside -= bool(path)
        if isinstance(value, fx.Proxy) and path:
            self.returned[path] = value.node
            self._paths.setdefault(value.node, []).append(path)
        return value

    def create_node(self, *arguments: Any, **named: Any) -> fx.Node:
        """A call, noted where a submodule makes it."""
        node = super().create_node(*arguments, **named)
        if self._inside:
            self._called_within.add(node)
        return node

    def within(self, node: fx.Node) -> bool:
        """Whether a submodule computes the value on its way to another, which it returns."""
        return node in self._called_within and node not in self._paths

    def name_of(self, node: fx.Node, after: fx.Node) -> str:
        """The largest submodule that gives the value of `node` and began behind the node `after`.

        Where there is none: the smallest that gives it, or else the call.
        """
        paths = self._paths.get(node, [])
        later = [path for path in paths if self.began[path] > self._order[after]]
        return min(later, key=len) if later else max(paths, key=len, default=node.name)


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


def _end_of(tracer: CallTracer, name: str) -> fx.Node:
    if name not in tracer.returned:
        raise InputError(f"no layer named '{name}' that returns one tensor when the network runs")
    return tracer.returned[name]


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
