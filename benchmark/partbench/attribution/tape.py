"""One forward pass through a traced network, kept so that probability mass can be sent back through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from partbench.attribution import layers, rules
from partbench.attribution.layers import FUNCTIONS, MODULES, SUPPORTED, Run
from partbench.attribution.rules import Rule, pass_through


@dataclass(frozen=True)
class Layer:
    """One call of the traced network; `sources` are the calls whose values it takes, constants left out."""

    node: fx.Node
    run: Callable[..., Run]
    sources: tuple[fx.Node, ...]


class Trace:
    """A module as a list of layers with known rules; it reads the module's weights at every `record`.

    Raises TypeError, naming the layer, where a layer has no rule, where there are several inputs, or where the module
    cannot be traced by torch.fx (control flow that depends on values).
    """

    def __init__(self, module: nn.Module) -> None:
        # a bare torch layer is wrapped, so that it is traced as one layer
        self.root = nn.Sequential(module) if fx.Tracer().is_leaf_module(module, "") else module
        with _evaluating(self.root):
            try:
                graph = fx.Tracer().trace(self.root)
            except fx.proxy.TraceError as error:
                raise TypeError(f"{type(module).__name__} cannot be traced: {str(error).splitlines()[0]}") from error
        _route_users_past_in_place(graph, self.root)
        self.nodes = list(graph.nodes)
        inputs = [node for node in self.nodes if node.op == "placeholder"]
        if len(inputs) != 1:
            raise TypeError(f"excitation backprop expects a module with one input, found {len(inputs)}")
        self.input = inputs[0]
        self.layers = self._layers()
        last_use = {operand: node for node in self.nodes for operand in node.all_input_nodes}
        self._spent = {node: [value for value, last in last_use.items() if last is node] for node in self.nodes}

    def _layers(self) -> dict[fx.Node, Layer]:
        known = {self.input}
        found = {}
        for node in self.nodes:
            sources = tuple(operand for operand in _operands(node) if operand in known)
            if sources and node.op.startswith("call"):
                known.add(node)
                found[node] = Layer(node, self._run(node, len(sources)), sources)
        return found

    def _run(self, node: fx.Node, sources: int) -> Callable[..., Run]:
        if node.op == "call_module":
            module = self.root.get_submodule(str(node.target))
            if type(module) not in MODULES:
                raise TypeError(_no_rule(str(node.target), type(module).__name__))
            return partial(MODULES[type(module)], module)
        if node.target not in FUNCTIONS:
            raise TypeError(_no_rule(node.name, getattr(node.target, "__name__", str(node.target))))
        run = FUNCTIONS[node.target]
        return layers.shift if run is layers.add and sources == 1 else run

    @torch.no_grad()
    def record(self, x: Float[Tensor, "n *input"]) -> Tape:
        values: dict[fx.Node, Any] = {self.input: x}
        tape = Tape(self.input, x)
        for node in self.nodes:
            arguments = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            if node.op == "output":
                tape.finish(arguments[0][0], _operands(node))
            elif node.op == "get_attr":
                values[node] = _attribute(self.root, node.target)
            elif node in self.layers:
                values[node] = tape.add(self.layers[node], *arguments)
            elif node.op != "placeholder":
                raise TypeError(f"excitation backprop expects layers that act on the input; '{node.name}' does not")
            for operand in self._spent[node]:
                del values[operand]  # rules hold what they need
        return tape


class Tape:
    """The forward pass: `output`, and a rule per layer. Rules compute normalisers when first needed and keep them."""

    output: Tensor

    def __init__(self, source: fx.Node, x: Tensor) -> None:
        self._input, self._shape = source, x.shape
        self._steps: dict[fx.Node, tuple[tuple[fx.Node, ...], Rule]] = {}
        self.largest = x.numel()  # elements of the largest map of the batch

    def add(self, layer: Layer, args: tuple, kwargs: dict) -> object:
        """Run a layer, note its rule and return its output."""
        if getattr(layer.run, "func", layer.run) in layers.FOLDED:
            kwargs = {**kwargs, "source": self._sole_source(layer)}
        output, rule = layer.run(*args, **kwargs)
        if rule is not None:
            self._steps[layer.node] = (layer.sources, rule)
            self.largest = max(self.largest, output.numel())
        elif isinstance(output, Tensor):
            raise TypeError(_no_rule(layer.node.name, "a map computed by " + str(layer.node.target)))
        return output

    def _sole_source(self, layer: Layer) -> Rule | None:
        """The rule of the layer below, if that layer feeds this one only."""
        (below,) = layer.sources
        return self._steps[below][1] if below in self._steps and len(below.users) == 1 else None

    def finish(self, output: object, operands: list[fx.Node]) -> None:
        if not isinstance(output, Tensor):
            raise TypeError(f"excitation backprop expects a module with one output, found {type(output).__name__}")
        self.output, self._top = output, operands[0]

    @torch.no_grad()
    def backward(self, mass: Float[Tensor, "t n *output"], top: fx.Node | None = None) -> Float[Tensor, "t n *input"]:
        """Mass on the output (or on the output of `top`) of any sign, for t targets, sent back to the input.

        Linear in the mass. Its total is kept wherever every normaliser it meets is positive.
        """
        masses = {top or self._top: mass}
        for node, (sources, rule) in reversed(self._steps.items()):
            if node in masses:
                for source, share in zip(sources, rule(masses.pop(node)), strict=False):
                    masses[source] = masses[source] + share if source in masses else share
        return masses[self._input] if self._input in masses else mass.new_zeros(len(mass), *self._shape)

    def last_linear(self) -> tuple[fx.Node, rules.Dense]:
        """The linear layer that makes the output, alone or under layers that pass mass through, and the node below it.

        Raises TypeError where the output is made by anything else.
        """
        node = self._top
        while node in self._steps and self._steps[node][1] is pass_through:
            node = self._steps[node][0][0]
        sources, rule = self._steps.get(node, ((), None))
        if not isinstance(rule, rules.Dense):
            raise TypeError(f"the contrast expects a Linear layer, or Linear and ReLU, as last; found '{node.target}'")
        return sources[0], rule


def _no_rule(layer: str, kind: str) -> str:
    return f"excitation backprop has no rule for layer '{layer}' ({kind}); supported: {', '.join(SUPPORTED)}"


def _operands(node: fx.Node) -> list[fx.Node]:
    """The nodes among a node's arguments, in order; one used twice is there twice."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), found.append)
    return found


def _route_users_past_in_place(graph: fx.Graph, root: nn.Module) -> None:
    """Whoever reads a value after an in-place layer changed it reads that layer's output instead."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if _in_place(node, root):
            (before, *_) = _operands(node)
            for user in [user for user in before.users if order[user] > order[node]]:
                user.replace_input_with(before, node)


def _in_place(node: fx.Node, root: nn.Module) -> bool:
    if node.op == "call_module":
        return bool(getattr(root.get_submodule(str(node.target)), "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    changes = node.kwargs.get("inplace", False) or name == "iadd" or (name.endswith("_") and "__" not in name)
    return node.op.startswith("call") and bool(changes)


def _attribute(root: nn.Module, path: str) -> object:
    value: object = root
    for name in path.split("."):
        value = getattr(value, name)
    return value


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for the time of tracing; every submodule gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
