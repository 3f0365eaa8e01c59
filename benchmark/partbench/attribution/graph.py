"""The graph of a module as Excitation Backprop reads it: which calls it makes, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from partbench.attribution.rules import NoRule
from partbench.nn.tracing import hidden_from_trace

SCALARS = (bool, int, float, str, type(None))


def traced(root: nn.Module, name: str) -> fx.Graph:
    """The graph of a module in evaluation mode; who reads a value after an in-place layer reads that layer's output.

    Raises NoRule, with this `name` for the module, where it cannot be traced.
    """
    with evaluating(root):
        try:
            graph = _Tracer().trace(root)
        except Exception as error:  # the module's own code runs here, on stand-ins for tensors
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise NoRule(f"{name} cannot be traced: {reason}") from error
    route_users_past_in_place(graph, root)
    return graph


def require_visible(root: nn.Module) -> None:
    """Raise NoRule, naming the layer, where the call of a module does what its graph does not show."""
    if hidden := hidden_from_trace(root):
        raise NoRule(f"excitation backprop follows the trace of a module; {hidden}")


def state_of(root: nn.Module) -> list[tuple[str, int, tuple]]:
    """What a graph may depend on beside weights: the submodules and their plain attributes, the mode left out."""
    return [(name, id(part), tuple(_plain(part))) for name, part in root.named_modules()]


def _plain(part: nn.Module) -> Iterator[tuple[str, object]]:
    for name, value in vars(part).items():
        several = isinstance(value, tuple | list)
        if name != "training" and all(isinstance(v, SCALARS) for v in (value if several else [value])):
            yield name, tuple(value) if several else value


class _Tracer(fx.Tracer):
    """Follows `forward`, not `__call__`, of modules that are no layers of torch: backward hooks are of no concern."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """A layer of torch, parametrized or not; a parametrized module of another kind is followed into."""
        kind = type_before_parametrizations(m)
        return kind.__module__.startswith(("torch.nn", "torch.ao.nn")) and not isinstance(m, nn.Sequential)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call of a submodule."""
        return super().call_module(m, m.forward, args, kwargs)


def name_of(node: fx.Node) -> str:
    """The layer as the user knows it: the path of the module, or the name of the call."""
    return str(node.target).removeprefix("0.") if node.op == "call_module" else node.name


def operands(arguments: Any) -> list[fx.Node]:
    """The nodes among arguments, in order; one used twice is there twice."""
    found: list[fx.Node] = []
    fx.map_arg(arguments, found.append)
    return found


def route_users_past_in_place(graph: fx.Graph, root: nn.Module) -> None:
    """Let who reads a value after a call that changes it in place read what this call returns."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if _in_place(node, root):
            before = operands((node.args, node.kwargs))[0]
            for user in [user for user in before.users if order[user] > order[node]]:
                user.replace_input_with(before, node)


def _in_place(node: fx.Node, root: nn.Module) -> bool:
    if node.op == "call_module":
        return bool(getattr(root.get_submodule(str(node.target)), "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    changes = node.kwargs.get("inplace", False) or name == "iadd" or (name.endswith("_") and "__" not in name)
    return node.op.startswith("call") and bool(changes)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every submodule gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
