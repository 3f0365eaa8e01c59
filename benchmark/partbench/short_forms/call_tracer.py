"""The trace of a network that is to be cut: its graph, and where each submodule began and what it gave."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn

from partbench.attribution.graph import route_users_past_in_place
from partbench.errors import InputError
from partbench.nn.tracing import hidden_from_trace


class CallTracer(fx.Tracer):
    """Follows a network into everything but layers of torch; remembers where each submodule began and what it gave.

    The network is the submodule `path` of what is traced, or, with "", what is traced itself. Its submodules are named
    as in `network.get_submodule(path)`.
    """

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path
        self._began: dict[str, int] = {}
        self._returned: dict[str, Any] = {}  # when last called
        self._paths: dict[fx.Node, list[str]] = {}  # of the submodules that gave a value
        self._inside = 0
        self._called_within: set[fx.Node] = set()

    def graph_of(self, root: nn.Module) -> fx.Graph:
        """The graph of a module in evaluation mode, in which no call changes in place what another one reads.

        Raises InputError where it cannot be traced, or does what a trace does not show.
        """
        if hidden := hidden_from_trace(root.get_submodule(self._path)):
            raise InputError(f"the network cannot be cut into stages: {hidden}")
        try:
            graph = self.trace(root)
        except Exception as error:  # the network's own code runs here, on stand-ins for tensors
            reason = " ".join(str(error).split())
            instead = "write a PerformerPlugin with its stages"
            raise InputError(f"the network cannot be traced: {reason:.300}; {instead}") from error
        self._order = {node: place for place, node in enumerate(graph.nodes)}
        route_users_past_in_place(graph, root)
        _leave_inputs_alone(graph, root)
        return graph

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call of a submodule."""
        path = self._name(m)
        self._began[path] = len(self.graph.nodes)
        self._inside += bool(path)
        value = super().call_module(m, forward, args, kwargs)
        self._inside -= bool(path)
        self._returned[path] = value
        if isinstance(value, fx.Proxy) and path:
            self._paths.setdefault(value.node, []).append(path)
        return value

    def create_node(self, *arguments: Any, **named: Any) -> fx.Node:
        """A call, noted where a submodule makes it."""
        node = super().create_node(*arguments, **named)
        if self._inside:
            self._called_within.add(node)
        return node

    def end_of(self, path: str) -> fx.Node:
        """The node whose value a submodule returns. Raises InputError where it is not called, or returns no tensor."""
        value = self._returned.get(path)
        if not isinstance(value, fx.Proxy):
            found = "is not called" if value is None else "does not return one tensor"
            raise InputError(f"layer '{path}' {found} when the network runs; name another")
        return value.node

    def within(self, node: fx.Node) -> bool:
        """Whether a submodule computes the value on its way to another, which it returns."""
        return node in self._called_within and node not in self._paths

    def name_of(self, node: fx.Node, after: fx.Node) -> str:
        """The largest submodule that gives the value of `node` and began behind the node `after`.

        Where there is none: the smallest that gives it, or else the call.
        """
        paths = self._paths.get(node, [])
        later = [path for path in paths if self._began[path] > self._order[after]]
        return min(later, key=len) if later else max(paths, key=len, default=node.name)

    def _name(self, module: nn.Module) -> str:
        """The path of a submodule from the network on; "" of the network itself."""
        path = self.path_of_module(module)
        return path.removeprefix(self._path).removeprefix(".") if self._path else path


def _leave_inputs_alone(graph: fx.Graph, network: nn.Module) -> None:
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
