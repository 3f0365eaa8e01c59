"""Detects plugins that change the state of the process, such as torch's default dtype, and undoes the change."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

HOOKS = ("forward_hooks", "forward_pre_hooks", "backward_hooks", "backward_pre_hooks", "forward_hooks_always_called")
PATCHED = ("torch", "torch.nn", "torch.nn.functional", "torch.random", "random", "numpy", "numpy.random", "time")
DESCRIPTORS = (staticmethod, classmethod, property)
OWN = "partbench."  # whose functions and methods are compared too


class StateChanged(Exception):
    """A plugin changed the state of the process."""


class StateVariable(NamedTuple):
    """A setting of the process: how it is read, and how it is written."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _cudnn() -> tuple[bool, ...]:
    flags = torch.backends.cudnn
    return flags.enabled, flags.benchmark, flags.deterministic, flags.allow_tf32, torch.backends.cuda.matmul.allow_tf32


def _set_cudnn(values: tuple[bool, ...]) -> None:
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic, flags.allow_tf32 = values[:4]
    torch.backends.cuda.matmul.allow_tf32 = values[4]


def _global_hooks() -> list[dict[int, Any]]:
    return [dict(getattr(torch.nn.modules.module, f"_global_{name}", {})) for name in HOOKS]


def _set_global_hooks(values: list[dict[int, Any]]) -> None:
    for name, hooks in zip(HOOKS, values, strict=True):
        held = getattr(torch.nn.modules.module, f"_global_{name}", {})
        held.clear()
        held.update(hooks)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _enter(folder: str) -> None:
    with suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)


def _streams() -> tuple[Any, ...]:
    found = sys.stdin, sys.stdout, sys.stderr
    return *found, tuple(getattr(stream, "closed", False) for stream in found)


def _set_streams(streams: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams[:3]
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name).closed and not streams[3][number]:
            with suppress(OSError):
                setattr(sys, name, os.fdopen(number, "w", buffering=1, errors="backslashreplace", closefd=False))


def _signals() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}


def _set_signals(handlers: Mapping[int, Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _alarm() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _no_alarm(before: bool) -> None:
    if not before:
        signal.setitimer(signal.ITIMER_REAL, 0)


SETTINGS: dict[str, StateVariable] = {
    "torch's default dtype": StateVariable(torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": StateVariable(
        lambda: str(torch.get_default_device()), lambda name: torch.set_default_device(None if name == "cpu" else name)
    ),
    "torch's grad mode": StateVariable(torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's inference mode": StateVariable(torch.is_inference_mode_enabled, lambda value: None),  # cannot be written
    "torch's anomaly mode": StateVariable(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "torch's autocast": StateVariable(
        lambda: torch.is_autocast_enabled("cpu"), lambda value: torch.set_autocast_enabled("cpu", value)
    ),
    "torch's deterministic flags": StateVariable(
        _deterministic, lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1])
    ),
    "torch's number of threads": StateVariable(torch.get_num_threads, torch.set_num_threads),
    "torch's precision of float32 products": StateVariable(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    ),
    "flags of cuDNN": StateVariable(_cudnn, _set_cudnn),
    "hooks of all modules": StateVariable(_global_hooks, _set_global_hooks),
    "numpy's handling of errors": StateVariable(np.geterr, lambda value: np.seterr(**value)),
    "the working directory": StateVariable(_directory, _enter),
    "the standard streams": StateVariable(_streams, _set_streams),
    "the limit of recursion": StateVariable(sys.getrecursionlimit, sys.setrecursionlimit),
    "handlers of signals": StateVariable(_signals, _set_signals),
    "an alarm": StateVariable(_alarm, _no_alarm),
}


@dataclass(frozen=True)
class GlobalState:
    """The state of the process that plugins share: settings, the environment, and functions that may be patched."""

    settings: dict[str, Any]
    environment: dict[str, str]
    definitions: dict[tuple[int, str], tuple[Any, Any]]

    @staticmethod
    def now() -> GlobalState:
        """The state as it is."""
        settings = {name: setting.read() for name, setting in SETTINGS.items()}
        return GlobalState(settings, dict(os.environ), dict(_definitions()))

    def restore(self) -> list[str]:
        """Put everything back as it was; returns what had changed, in words.

        New variables of the environment are removed without a word: libraries set some when they are imported.
        """
        changed = []
        for name, value in self.settings.items():
            if SETTINGS[name].read() != value:
                changed.append(name)
                SETTINGS[name].write(value)
        changed += self._restore_environment()
        for (_, name), (owner, value) in self.definitions.items():
            now = vars(owner).get(name)
            if now is not value and not _of_library(owner, now):
                changed.append(f"{owner.__name__}.{name}")
                setattr(owner, name, value)
        return changed

    def lasting(self) -> bool:
        """Whether the state differs even after `restore`, so that no other cell may run in this process."""
        return any(SETTINGS[name].read() != value for name, value in self.settings.items())

    def _restore_environment(self) -> list[str]:
        changed = [f"${name}" for name, value in self.environment.items() if os.environ.get(name) != value]
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        return changed


def _of_library(owner: Any, value: Any) -> bool:
    """Whether a library replaced its own function, as torch does when parts of it are imported late."""
    library = str(getattr(owner, "__name__", "")).partition(".")[0]
    return library != OWN.rstrip(".") and str(getattr(value, "__module__", "")).partition(".")[0] == library


def _definitions() -> Iterator[tuple[tuple[int, str], tuple[Any, Any]]]:
    """Functions and classes of the modules that are watched, and the methods of the core's classes."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and (name in PATCHED or name.startswith(OWN)):
            yield from _defined(module)
            if name.startswith(OWN):
                for cls in [value for value in vars(module).values() if isinstance(value, type)]:
                    if cls.__module__ == name:
                        yield from _defined(cls)


def _defined(owner: Any) -> Iterator[tuple[tuple[int, str], tuple[Any, Any]]]:
    for name, value in list(vars(owner).items()):
        if (callable(value) or isinstance(value, DESCRIPTORS)) and not name.startswith("__"):
            yield (id(owner), name), (owner, value)
