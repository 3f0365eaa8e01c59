"""Detects explainers that change the performer, and undoes the change; the cell of such an explainer fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from partbench.performer import Performer

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs",
)  # fmt: skip


class PerformerChanged(Exception):
    """A plugin changed the performer: its weights, hooks, mode or structure."""


@dataclass(frozen=True)
class ModuleState:
    """A snapshot of a module without its children: tensors, their copies, hooks and all other attributes."""

    module: nn.Module
    kind: type[nn.Module]
    tensors: dict[str, Tensor]
    copies: dict[str, Tensor]
    wanted_gradients: dict[str, bool]
    hooks: dict[str, dict[int, Any]]
    children: dict[str, nn.Module | None]
    rest: dict[str, Any]


@dataclass(frozen=True)
class PerformerState:
    """A performer as it was: its own attributes, copies of those that are mappings, and its modules by place."""

    performer: Performer
    own: dict[str, Any]
    mappings: dict[str, dict[Any, Any]]
    modules: dict[str, ModuleState]

    @staticmethod
    def of(performer: Performer) -> PerformerState:
        """The performer as it is now."""
        own = dict(vars(performer))
        mappings = {name: dict(value) for name, value in own.items() if isinstance(value, Mapping)}
        modules = {
            f"{stage}.{name}".rstrip("."): state_of(module)
            for stage, root in performer.stages.items()
            for name, module in root.named_modules()
        }
        return PerformerState(performer, own, mappings, modules)

    def restore(self) -> list[str]:
        """Put the performer back as it was; returns what had changed, in words."""
        changed = [f"{name} ({what})" for name, state in self.modules.items() for what in restore(state)]
        now = vars(self.performer)
        changed += [f"its {name}" for name in {**self.own, **now} if not self._same(name, now)]
        now.clear()
        now.update(self.own)
        for name, items in self.mappings.items():
            if dict(now[name]) != items:
                now[name] = items.copy()
        return changed

    def check(self) -> None:
        """Raise PerformerChanged, once it is undone, if the performer is not as it was."""
        if changed := self.restore():
            raise PerformerChanged(f"the explainer changed the performer: {', '.join(changed[:3])}")

    def _same(self, name: str, now: Mapping[str, Any]) -> bool:
        if name not in self.own or name not in now:
            return False
        known = self.mappings.get(name)
        return now[name] is self.own[name] and (known is None or dict(now[name]) == known)


@contextmanager
def unchanged(performer: Performer) -> Iterator[Callable[[], None]]:
    """On leaving, restore the performer and raise PerformerChanged if it was changed.

    Gives a function that does so at once.
    """
    before = PerformerState.of(performer)
    error: Exception | None = None
    try:
        yield before.check
    except Exception as raised:  # raised again after the performer is restored
        error = raised
    finally:
        changed = before.restore()
    if changed:
        raise PerformerChanged(f"the explainer changed the performer: {', '.join(changed[:3])}") from error
    if error is not None:
        raise error


def state_of(module: nn.Module) -> ModuleState:
    """A snapshot of a module."""
    tensors = {n: v for n, v in (*module._parameters.items(), *module._buffers.items()) if v is not None}
    return ModuleState(
        module, type(module), tensors,
        copies={name: value.detach().clone() for name, value in tensors.items()},
        wanted_gradients={name: value.requires_grad for name, value in tensors.items()},
        hooks={name: dict(getattr(module, name)) for name in HOOKS},
        children=dict(module._modules),
        rest={name: value for name, value in vars(module).items() if not name.startswith("_")},
    )  # fmt: skip


def restore(state: ModuleState) -> list[str]:
    """Restore a module; returns descriptions of what had changed."""
    module, changed = state.module, []
    if type(module) is not state.kind:
        changed.append("class")
        module.__class__ = state.kind
    if any(dict(getattr(module, name)) != hooks for name, hooks in state.hooks.items()):
        changed.append("hooks")
        for name, hooks in state.hooks.items():
            getattr(module, name).clear()
            getattr(module, name).update(hooks)
    if dict(module._modules) != state.children:
        changed.append("modules")
        module._modules.clear()
        module._modules.update(state.children)
    if any(not same(state, name) for name in state.tensors) or set(state.tensors) != set(state_names(module)):
        changed.append("weights")
        restore_tensors(state)
    rest = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    if rest.keys() != state.rest.keys() or any(rest[name] is not value for name, value in state.rest.items()):
        changed.append("mode" if rest.get("training") != state.rest.get("training") else "attributes")
        for name in rest.keys() - state.rest.keys():
            delattr(module, name)
        vars(module).update(state.rest)
    return changed


def state_names(module: nn.Module) -> list[str]:
    """Names of a module's own tensors."""
    return [n for n, v in (*module._parameters.items(), *module._buffers.items()) if v is not None]


def same(state: ModuleState, name: str) -> bool:
    """Whether a tensor of a module is the same object with the same values and `requires_grad`."""
    module = state.module
    now: Tensor | None = module._parameters.get(name)
    now = module._buffers.get(name) if now is None else now
    if now is None or now is not state.tensors[name] or now.requires_grad != state.wanted_gradients[name]:
        return False
    return now.dtype == state.copies[name].dtype and torch.equal(now.detach(), state.copies[name])


def restore_tensors(state: ModuleState) -> None:
    """Put the tensors of a module back, with their values."""
    module = state.module
    for held in (module._parameters, module._buffers):
        for name in [name for name, value in held.items() if value is not None and name not in state.tensors]:
            del held[name]
    for name, value in state.tensors.items():
        value.requires_grad_(False)
        value.data = state.copies[name].clone()
        value.requires_grad_(state.wanted_gradients[name])
        held = module._parameters if isinstance(value, nn.Parameter) else module._buffers
        held[name] = value  # type: ignore[assignment]
