"""What a trace of a module (torch.fx) would not see of its call."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules import module as torch_module

_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")


def hidden_from_trace(module: nn.Module) -> str:
    """What makes a call of the module differ from its trace, naming the layer; "" where nothing of the kind is found.

    A trace takes a layer of torch for what its type says and runs no hooks. Looked for are forward hooks and pre-hooks
    (old-style weight norm, spectral norm and pruning are pre-hooks; parametrizations are not), methods replaced on a
    layer of torch, and modules that are scripted or compiled. Backward hooks change no value of a call.
    """
    if any(getattr(torch_module, name) for name in _GLOBAL_HOOKS):
        return "torch has forward hooks for all modules, which a trace does not run; remove them"
    for name, part in module.named_modules():
        if found := _hidden(part):
            where = f"layer '{name}'" if name else "the module"
            return f"{where} ({type(part).__name__}) {found}"
    return ""


def _hidden(part: nn.Module) -> str:
    if isinstance(part, torch.jit.ScriptModule):
        return "is scripted; give the module that it was made of"
    if type(part).__module__.startswith("torch._dynamo") or part._compiled_call_impl is not None:
        return "is compiled; give the module that it was made of"
    if part._forward_pre_hooks:
        return "has a forward pre-hook, which a trace does not run; remove it (a norm of weights: as a parametrization)"
    if part._forward_hooks:
        return "has a forward hook, which a trace does not run; remove it"
    replaced = [name for name, value in vars(part).items() if callable(value) and hasattr(type(part), name)]
    if replaced and type(part).__module__.startswith("torch.nn"):
        return f"has a {replaced[0]} of its own, which a trace does not see; make it a class of its own"
    return ""
