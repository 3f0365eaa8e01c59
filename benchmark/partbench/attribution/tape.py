"""One forward pass through a traced network, kept so that probability mass can be sent back through it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from partbench.attribution import layers, rules
from partbench.attribution.graph import evaluating, name_of, operands, require_visible, state_of, traced
from partbench.attribution.layers import FUNCTIONS, MAPS, MODULES, SUPPORTED, Run
from partbench.attribution.rules import NoContrast, NoRule, Rule, full, pass_through

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9}  # of the largest output; a GPU may round to 10 bits


@dataclass(frozen=True)
class Layer:
    """One call of the traced network: `sources` are the calls whose maps it takes, constants left out.

    `sizes` are calls that depend on the input and stand where a layer takes no map; they must not be maps.
    """

    node: fx.Node
    run: Callable[..., Run]
    sources: tuple[fx.Node, ...]
    sizes: tuple[fx.Node, ...]


class Trace:
    """A module as a list of layers with known rules; it reads the module's weights at every `record`.

    Raises NoRule, a TypeError, naming the layer, where a layer has no rule or where the module cannot be traced by
    torch.fx (control flow that depends on values, several inputs).
    """

    def __init__(self, module: nn.Module) -> None:
        require_visible(module)
        self.root = nn.Sequential(module)  # traced from within, so that the module's own call is followed
        self.nodes = list(traced(self.root, type(module).__name__).nodes)
        self.input = self.nodes[0]
        self.layers = self._layers()
        last_use = {operand: node for node in self.nodes for operand in node.all_input_nodes}
        self._spent = {node: [value for value, last in last_use.items() if last is node] for node in self.nodes}
        self._state, self._checked = state_of(module), set[object]()

    def outdated(self, module: nn.Module) -> bool:
        """Whether submodules, or attributes that a graph may depend on, have changed since the trace."""
        return state_of(module) != self._state

    def _layers(self) -> dict[fx.Node, Layer]:
        known = {self.input}
        found = {}
        for node in self.nodes:
            if node.op.startswith("call") and known.intersection(operands((node.args, node.kwargs))):
                known.add(node)
                found[node] = self._layer(node, known)
        return found

    def _layer(self, node: fx.Node, known: set[fx.Node]) -> Layer:
        run = self._run(node)
        try:
            arguments = inspect.signature(run).bind(*node.args, **node.kwargs).arguments
        except TypeError as error:
            raise NoRule(f"excitation backprop cannot follow the call of layer '{name_of(node)}': {error}") from None
        maps = [value for name, value in arguments.items() if name in MAPS]
        sources = tuple(operand for operand in operands(maps) if operand in known)
        others = [value for name, value in arguments.items() if name not in MAPS]
        if run is layers.add and len(sources) == 1:
            run = partial(layers.shift, first=arguments["input"] is sources[0])
        if run is layers.cat and len(sources) != len(arguments["tensors"]):
            raise NoRule(f"excitation backprop joins maps of the input; '{name_of(node)}' joins some with constants")
        return Layer(node, run, sources, tuple(operand for operand in operands(others) if operand in known))

    def _run(self, node: fx.Node) -> Callable[..., Run]:
        if node.op == "call_module":
            module = self.root.get_submodule(str(node.target))
            kind = type_before_parametrizations(module)
            if kind not in MODULES:
                raise NoRule(_no_rule(name_of(node), kind.__name__))
            return partial(MODULES[kind], module)
        if node.target not in FUNCTIONS:
            raise NoRule(_no_rule(node.name, getattr(node.target, "__name__", str(node.target))))
        return FUNCTIONS[node.target]

    @torch.no_grad()
    def record(self, x: Float[Tensor, "n *input"]) -> Tape:
        """The forward pass. Raises NoRule where it does not end at what the module itself gives for `x`.

        The module is called for that comparison once for every new shape, type and device of `x`.
        """
        require_visible(self.root[0])
        with evaluating(self.root), exactly(x.device):
            tape = self._run_through(full(x))
            key = (x.shape, x.dtype, x.device)
            if key not in self._checked:
                _check(self._call(full(x)), tape.output, type(self.root[0]).__name__)
                self._checked.add(key)
        return tape

    def _run_through(self, x: Tensor) -> Tape:
        values: dict[fx.Node, Any] = {self.input: x}
        tape = Tape(self.input, x)
        for node in self.nodes:
            arguments = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            if node.op == "output":
                tape.finish(arguments[0][0], operands(node.args))
            elif node.op == "get_attr":
                values[node] = _attribute(self.root, str(node.target))
            elif node in self.layers:
                if any(isinstance(values[size], Tensor) for size in self.layers[node].sizes):
                    raise NoRule(_no_rule(name_of(node), f"{node.target} with a map in place of a constant"))
                values[node] = tape.add(self.layers[node], *arguments)
            elif node.op != "placeholder":
                raise NoRule(f"excitation backprop expects layers that act on the input; '{name_of(node)}' does not")
            for operand in self._spent[node]:
                del values[operand]  # rules hold what they need
        return tape

    def _call(self, x: Tensor) -> object:
        """What the module itself gives, in single precision where its weights are halves."""
        tensors = dict(chain(self.root.named_parameters(), self.root.named_buffers()))
        halves = {name: full(value) for name, value in tensors.items() if full(value) is not value}
        return torch.func.functional_call(self.root, halves, (x.clone(),))  # it may begin with a layer in place


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
        try:
            output, rule = layer.run(*args, **kwargs)
        except NoRule as error:
            raise NoRule(f"layer '{name_of(layer.node)}': {error}") from None
        if rule is not None:
            self._steps[layer.node] = (layer.sources, rule)
            self.largest = max(self.largest, output.numel())
        elif isinstance(output, Tensor):
            raise NoRule(_no_rule(name_of(layer.node), f"a map computed by {layer.node.target}"))
        return output

    def _sole_source(self, layer: Layer) -> Rule | None:
        """The rule of the layer below, if that layer feeds this one only."""
        (below,) = layer.sources
        return self._steps[below][1] if below in self._steps and len(below.users) == 1 else None

    def finish(self, output: object, found: list[fx.Node]) -> None:
        if not isinstance(output, Tensor):
            raise NoRule(f"excitation backprop expects a module with one output, found {type(output).__name__}")
        self.output, self._top = output, found[0]

    @torch.no_grad()
    def backward(self, mass: Float[Tensor, "t n *output"], top: fx.Node | None = None) -> Float[Tensor, "t n *input"]:
        """Mass on the output (or on the output of `top`) of any sign, for t targets, sent back to the input.

        Linear in the mass. Its total is kept wherever every normaliser it meets is positive.
        """
        mass = mass.to(self.output.dtype)
        masses = {top or self._top: mass}
        with exactly(mass.device):
            for node, (sources, rule) in reversed(self._steps.items()):
                if node in masses:
                    for source, share in zip(sources, rule(masses.pop(node)), strict=True):
                        masses[source] = masses[source] + share if source in masses else share
        return masses[self._input] if self._input in masses else mass.new_zeros(len(mass), *self._shape)

    def units(self) -> int:
        """How many units the output has. Raises NoRule where it is no vector of units for each image."""
        if self.output.ndim != 2 or len(self.output) != self._shape[0]:
            found = f"{tuple(self.output.shape)} for {self._shape[0]} images"
            raise NoRule(f"excitation backprop expects a module that gives units (n, u), found {found}")
        return self.output.shape[1]

    def last_linear(self) -> tuple[fx.Node, rules.Dense]:
        """The linear layer that makes the output, alone or under layers that pass mass through, and the node below it.

        Raises NoContrast where the output is made by anything else.
        """
        self.units()
        node = self._top
        while node in self._steps and self._steps[node][1] is pass_through:
            node = self._steps[node][0][0]
        sources, rule = self._steps.get(node, ((), None))
        if not isinstance(rule, rules.Dense):
            found = name_of(node)
            raise NoContrast(f"the contrast expects a Linear layer, or Linear and ReLU, as last; found '{found}'")
        return sources[0], rule


def exactly(device: torch.device) -> AbstractContextManager:
    """Without autocast, whose halves have no room for normalisers."""
    return torch.autocast(device.type, enabled=False) if torch.is_autocast_enabled(device.type) else nullcontext()


def _check(called: object, found: Tensor, name: str) -> None:
    """Raise NoRule unless a module's own output is the one that its trace gives."""
    if not isinstance(called, Tensor) or called.shape != found.shape:
        shape = tuple(called.shape) if isinstance(called, Tensor) else type(called).__name__
        raise NoRule(f"{name} gives {shape}, its trace {tuple(found.shape)}: torch.fx does not see all that it does")
    limit = TOLERANCE.get(found.dtype, 1e-3)
    scale = float(called.abs().nan_to_num(0, 0, 0).max()) if called.numel() else 0.0
    if not torch.allclose(found, called.to(found), rtol=limit, atol=limit * scale, equal_nan=True):
        away = float((found - called).abs().max())
        raise NoRule(
            f"the output of {name} differs by {away:.3g} from that of its trace: torch.fx does not see all that it "
            "does (random numbers, code that asks for the type of its input, values changed through a view)"
        )


def _no_rule(layer: str, kind: str) -> str:
    return f"excitation backprop has no rule for layer '{layer}' ({kind}); supported: {', '.join(SUPPORTED)}"


def _attribute(root: nn.Module, path: str) -> object:
    value: object = root
    for name in path.split("."):
        value = getattr(value, name)
    return full(value) if isinstance(value, Tensor) else value
