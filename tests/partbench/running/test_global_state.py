"""What plugins may change of the process, and that it is put right."""

from __future__ import annotations

import builtins
import gc
import hashlib
import io
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from partbench.functional import masking
from partbench.metrics.accuracy import Accuracy
from partbench.running.global_state import GlobalState
from partbench_plugins import lasso

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Mode(TorchFunctionMode):
    """Sees all calls of torch's functions while it is entered."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


CHANGES: dict[str, Callable[[], Any]] = {
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's anomaly mode": lambda: torch.autograd.set_detect_anomaly(True),
    "torch's autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "torch's deterministic flags": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's precision of float32 products": lambda: torch.set_float32_matmul_precision("medium"),
    "flags of cuDNN": lambda: setattr(torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark),
    "hooks of all modules": lambda: torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: None),
    "numpy's handling of errors": lambda: np.seterr(divide="raise"),
    "the standard streams": lambda: setattr(sys, "stdout", io.StringIO()),
    "torch's use of oneDNN": lambda: torch._C._set_mkldnn_enabled(not torch._C._get_mkldnn_enabled()),
    "torch's rounding of tiny numbers to 0": lambda: torch.set_flush_denormal(True),
    "modes of torch": lambda: Mode().__enter__(),
    "where modules are looked for": lambda: sys.path.clear(),
    "limits of the process": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, HARD)),
    "the modes of new files": lambda: os.umask(0o777),
    "the collection of garbage": gc.disable,
    "tracing": lambda: sys.setprofile(lambda *_: None),
    "the limit of recursion": lambda: sys.setrecursionlimit(sys.getrecursionlimit() - 100),
    "handlers of signals": lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN),
    "an alarm": lambda: signal.alarm(30),
    "$PARTBENCH_TEST": lambda: os.environ.update(PARTBENCH_TEST="changed"),
    "torch.nn.functional.relu": lambda: setattr(torch.nn.functional, "relu", lambda *_: None),
    "numpy.random.rand": lambda: setattr(np.random, "rand", lambda *_: 0.5),
    "Accuracy.compute": lambda: setattr(Accuracy, "compute", lambda self: {}),
    "Accuracy.higher_is_better": lambda: setattr(Accuracy, "higher_is_better", False),
    "partbench.functional.masking.RADIUS": lambda: setattr(masking, "RADIUS", 30),
    "partbench_plugins.lasso.Lasso": lambda: setattr(lasso, "Lasso", None),
    "Tensor.mean": lambda: setattr(torch.Tensor, "mean", lambda self: self),
    "ReLU.forward": lambda: setattr(torch.nn.ReLU, "forward", lambda self, x: x),
    "Conv2d.__call__": lambda: setattr(torch.nn.Conv2d, "__call__", lambda self, x: x),
    "torch.linalg.norm": lambda: setattr(torch.linalg, "norm", lambda x: x),
    "hashlib.sha256": lambda: setattr(hashlib, "sha256", hashlib.md5),
    "builtins.max": lambda: setattr(builtins, "max", lambda *_: 0),
}


@contextmanager
def kept() -> Iterator[GlobalState]:
    """The state as it is (pytest changes the environment between a fixture and its test)."""
    os.environ["PARTBENCH_TEST"] = "as it was"
    state = GlobalState.now()
    try:
        yield state
    finally:
        state.restore()
        del os.environ["PARTBENCH_TEST"]


def test_nothing_has_changed_where_nothing_was_done() -> None:
    with kept() as before:
        assert before.restore() == []
        assert not before.lasting()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named_and_put_right(name: str) -> None:
    with kept() as before:
        CHANGES[name]()
        assert before.restore() == [name]
        assert before.restore() == []
        assert not before.lasting()


def test_all_changes_at_once_are_put_right() -> None:
    with kept() as before:
        for change in CHANGES.values():
            change()
        assert set(before.restore()) == {*CHANGES}
        assert before.restore() == []


def test_a_working_directory_that_was_deleted_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept() as before:
        here = os.getcwd()
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert before.restore() == ["the working directory"]
        assert os.getcwd() == here


def test_a_mode_that_cannot_be_left_spoils_the_process() -> None:
    with kept() as before:
        mode = torch.inference_mode()
        mode.__enter__()
        try:
            assert "torch's inference mode" in before.restore()
            assert before.lasting()
        finally:
            mode.__exit__(None, None, None)


def test_new_variables_of_the_environment_are_removed_without_a_word() -> None:
    with kept() as before:
        os.environ["SET_BY_A_LIBRARY"] = "1"
        assert before.restore() == []
        assert "SET_BY_A_LIBRARY" not in os.environ


USUAL: dict[str, Callable[[], Any]] = {
    "setuptools is imported": lambda: sys.path.append("vendored"),
    "torch compiles": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 100),
    "the default device is put back": lambda: (torch.set_default_device("meta"), torch.set_default_device("cpu")),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_libraries_usually_do_is_no_change(name: str) -> None:
    limit, path = sys.getrecursionlimit(), sys.path[:]
    try:
        with kept() as before:
            USUAL[name]()
            assert before.restore() == []
            assert not before.lasting()
    finally:
        torch.set_default_device(None)
        sys.setrecursionlimit(limit)
        sys.path[:] = path


def test_a_folder_that_hides_others_is_a_change() -> None:
    with kept() as before:
        sys.path.insert(0, "hides")
        assert before.restore() == ["where modules are looked for"]
        assert "hides" not in sys.path


class Dispatch(TorchDispatchMode):
    """Sees all operations of torch while it is entered."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


def test_a_mode_of_operations_is_left() -> None:
    with kept() as before:
        Dispatch().__enter__()
        assert before.restore() == ["modes of torch"]
        assert before.restore() == []


def test_what_a_library_replaces_of_its_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept() as before:

        def replaced() -> None: ...

        replaced.__module__ = "torch.random"
        monkeypatch.setattr(torch, "manual_seed", replaced)
        assert before.restore() == []
        assert torch.manual_seed is replaced


def test_handlers_of_signals_can_be_read_in_other_threads() -> None:
    with kept() as before:
        found: list[list[str]] = []
        thread = threading.Thread(target=lambda: found.append(before.restore()))
        thread.start()
        thread.join()
        assert found == [[]]
