"""Detects plugins that change the state of the process, such as torch's default dtype, and undoes the change."""

from __future__ import annotations

import gc
import operator
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

HOOKS = ("forward_hooks", "forward_pre_hooks", "backward_hooks", "backward_pre_hooks", "forward_hooks_always_called")
# Modules whose functions are compared, and classes whose methods are; of the modules of OWN all is, constants too.
PATCHED = (
    "builtins", "hashlib", "json", "math", "os", "random", "time", "numpy", "numpy.fft", "numpy.linalg", "numpy.random",
    "pandas", "pyarrow", "pyarrow.compute", "pyarrow.parquet", "torch", "torch.autograd", "torch.fft", "torch.linalg",
    "torch.nn", "torch.nn.functional", "torch.random", "torch.special",
)  # fmt: skip
CLASSES = (torch.Tensor, *(value for value in vars(torch.nn).values() if isinstance(value, type)))
Owner: TypeAlias = "ModuleType | type"
DESCRIPTORS = (staticmethod, classmethod, property)
OWN = ("partbench.", "partbench_plugins.")
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


class StateChanged(Exception):
    """A plugin changed the state of the process."""


class StateVariable(NamedTuple):
    """A setting of the process: how it is read, how it is written, and which (earlier, later) values are no change."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]
    allowed: Callable[[Any, Any], bool] = operator.eq


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


def _modes() -> tuple[int, int]:
    """How many modes of torch are entered that change what functions and operations do, but for default devices."""
    entered = [mode for mode in _get_current_function_mode_stack() if not isinstance(mode, DeviceContext)]
    return len(entered), torch._C._len_torch_dispatch_stack()


def _leave_modes(before: tuple[int, int]) -> None:
    while _modes()[0] > before[0]:
        torch._C._pop_torch_function_stack()
    while _modes()[1] > before[1]:
        torch._C._pop_torch_dispatch_stack(None)


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in LIMITS]


def _set_limits(values: list[tuple[int, int]]) -> None:
    for limit, value in zip(LIMITS, values, strict=True):
        with suppress(ValueError, OSError):  # a hard limit that was lowered cannot be raised
            resource.setrlimit(limit, value)


def _umask() -> int:
    os.umask(mask := os.umask(0o077))
    return mask


def _observe(values: tuple[Any, Any]) -> None:
    sys.settrace(values[0])
    sys.setprofile(values[1])


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
    "modes of torch": StateVariable(_modes, _leave_modes),  # first: a mode sees how others are read and written
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
    "torch's use of oneDNN": StateVariable(torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled),
    "torch's rounding of tiny numbers to 0": StateVariable(
        lambda: torch.full((1,), 1e-40, dtype=torch.float32, device="cpu").mul(1).item() == 0, torch.set_flush_denormal
    ),
    "flags of cuDNN": StateVariable(_cudnn, _set_cudnn),
    "hooks of all modules": StateVariable(_global_hooks, _set_global_hooks),
    "numpy's handling of errors": StateVariable(np.geterr, lambda value: np.seterr(**value)),
    "the working directory": StateVariable(_directory, _enter),
    "the standard streams": StateVariable(_streams, _set_streams),
    "where modules are looked for": StateVariable(  # libraries add folders at the end when they are imported
        lambda: tuple(sys.path),
        lambda value: sys.path.__setitem__(slice(None), value),
        lambda earlier, later: later[: len(earlier)] == earlier,
    ),
    "limits of the process": StateVariable(_limits, _set_limits),
    "the modes of new files": StateVariable(_umask, os.umask),
    "the collection of garbage": StateVariable(gc.isenabled, lambda value: (gc.disable, gc.enable)[value]()),
    "tracing": StateVariable(lambda: (sys.gettrace(), sys.getprofile()), _observe),
    "the limit of recursion": StateVariable(sys.getrecursionlimit, sys.setrecursionlimit, operator.le),  # torch.compile
    "handlers of signals": StateVariable(_signals, _set_signals),
    "an alarm": StateVariable(_alarm, _no_alarm),
}


@dataclass(frozen=True)
class GlobalState:
    """The state of the process that plugins share: settings, the environment, and what may be patched."""

    settings: dict[str, Any]
    environment: dict[str, str]
    definitions: list[tuple[Owner, dict[str, Any]]]

    @staticmethod
    def now() -> GlobalState:
        """The state as it is."""
        settings = {name: setting.read() for name, setting in SETTINGS.items()}
        return GlobalState(settings, dict(os.environ), [(owner, _defined(owner)) for owner in _watched()])

    def restore(self) -> list[str]:
        """Put everything back as it was; returns what had changed, in words.

        New variables of the environment are removed without a word: libraries set some when they are imported.
        """
        changed = []
        for name, value in self.settings.items():
            if _differs(name, value):
                changed.append(name)
                SETTINGS[name].write(value)
        return [*changed, *self._restore_environment(), *self._restore_definitions()]

    def lasting(self) -> bool:
        """Whether the state differs even after `restore`, so that no other cell may run in this process."""
        return any(_differs(name, value) for name, value in self.settings.items())

    def _restore_environment(self) -> list[str]:
        changed = [f"${name}" for name, value in self.environment.items() if os.environ.get(name) != value]
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        return changed

    def _restore_definitions(self) -> list[str]:
        changed = []
        for owner, known in self.definitions:
            now = vars(owner)
            for name, value in known.items():
                if now.get(name) is not value and not _of_library(owner, now.get(name)):
                    changed.append(f"{owner.__name__}.{name}")
                    setattr(owner, name, value)
            if isinstance(owner, type):  # a method that hides an inherited one
                for name in [name for name, value in now.items() if name not in known and _is_function(name, value)]:
                    if not _of_library(owner, now[name]):
                        changed.append(f"{owner.__name__}.{name}")
                        delattr(owner, name)
        return changed


def _differs(name: str, before: Any) -> bool:
    return not SETTINGS[name].allowed(before, SETTINGS[name].read())


def _of_library(owner: Owner, value: Any) -> bool:
    """Whether a library replaced its own function, as torch does when parts of it are imported late."""
    library = (owner.__module__ if isinstance(owner, type) else owner.__name__).partition(".")[0]
    never = library in sys.stdlib_module_names or f"{library}." in OWN
    return not never and str(getattr(value, "__module__", "")).partition(".")[0] == library


def _watched() -> Iterator[Owner]:
    """Modules of libraries and classes of torch, of which functions are watched, and the modules and classes of OWN."""
    yield from CLASSES
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and name.startswith(OWN):
            yield module
            classes = [value for value in vars(module).values() if isinstance(value, type)]
            yield from (cls for cls in classes if cls.__module__ == name)
        elif isinstance(module, ModuleType) and name in PATCHED:
            yield module


def _defined(owner: Owner) -> dict[str, Any]:
    """What is watched of a module or class: functions, and of OWN all that is no module."""
    own = (owner.__module__ if isinstance(owner, type) else f"{owner.__name__}.").startswith(OWN)
    return {name: value for name, value in list(vars(owner).items()) if _is_function(name, value) or (own and
            not name.startswith("__") and not isinstance(value, ModuleType))}  # fmt: skip


def _is_function(name: str, value: Any) -> bool:
    return isinstance(value, (FunctionType, *DESCRIPTORS)) or (callable(value) and not name.startswith("__"))
