"""A plugin file for tests of the engine: a tiny dataset and performer, and an explainer that does harm in many ways."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from partbench import (
    Batch,
    Dataset,
    Explainer,
    Explanation,
    Images,
    ImageSet,
    NotApplicable,
    Performer,
    PerformerPlugin,
    TrainingTask,
    cached_weights,
    hookimpl,
    training_identity,
)
from partbench.functional import masking
from partbench.metrics.accuracy import Accuracy

print("printed at import")
SIDE = 12
COLOURS = ("red", "green", "blue")


class Squares(ImageSet):
    """Noise with a bright square of the colour of the label."""

    def __init__(self, prefix: str, count: int) -> None:
        generator = torch.Generator().manual_seed(count)
        self.fingerprint = f"{prefix}-{count}"
        self.prefix = prefix
        self.labels = torch.arange(count) % len(COLOURS)
        self.images = torch.rand(count, 3, SIDE, SIDE, generator=generator) * 0.3
        for image, label in zip(self.images, self.labels, strict=True):
            image[label, 2:8, 2:8] += 0.6

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> Batch:
        rows = list(indices)
        return Batch(tuple(f"{self.prefix}/{i}" for i in rows), self.images[rows], self.labels[rows])


class HostileSquares(Dataset):
    """Coloured squares."""

    name: ClassVar[str] = "hostile_squares"
    default_performer: ClassVar[str] = "hostile_net"
    classes: tuple[str, ...] = COLOURS
    categories: tuple[str, ...] = COLOURS

    def __init__(self, root: Path | None = None, size: int = SIDE) -> None:
        super().__init__(root, size)
        self.train, self.test = Squares("train", 60), Squares("test", 24)


class HostileNet(PerformerPlugin):
    """Two convolutions and a linear layer with fixed random weights."""

    name: ClassVar[str] = "hostile_net"
    input_size: ClassVar[int] = SIDE

    @staticmethod
    def open(dataset: Dataset, device: torch.device) -> Performer:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            stages = {
                "conv1": nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
                "conv2": nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()),
                "fc1": nn.Sequential(nn.Flatten(), nn.Linear(6 * (SIDE // 2) ** 2, 24), nn.ReLU()),
                "logits": nn.Linear(24, 3),
            }
        roles = {"target": "conv1", "top_conv": "conv2", "fc1": "fc1", "logits": "logits"}
        targets = {name: place for place, name in enumerate(COLOURS)}
        return Performer("hostile_net", "1", SIDE, stages, roles, COLOURS, targets, "hostile", device)


class PrivateError(BaseException):
    """No Exception."""


@dataclass
class Hostile(Explainer):
    """Explains by the colours of an image, noisily; while it is fitted it does what `how` names."""

    name: ClassVar[str] = "hostile"
    how: str = ""

    def fit(self, task: TrainingTask) -> None:
        self.task = task
        self.noise = torch.rand(3) + float(np.random.rand())
        if self.how and self.how not in LATER:
            HARM[self.how](task)

    def explain(self, images: Images) -> Explanation:
        scores = images.pixels.mean((2, 3)) * self.noise
        return Explanation(images.pixels + 0 * torch.rand(1), scores=scores, contributions=scores, logits=scores.sum(1))

    def concept_names(self) -> tuple[str, ...]:
        if self.how in LATER:
            HARM[self.how](self.task)
        return COLOURS


@dataclass
class Trained(Explainer):
    """Counts in a file how often its network is trained; the network is random."""

    name: ClassVar[str] = "trained"
    log: str = ""

    def fit(self, task: TrainingTask) -> None:
        def make() -> dict[str, Tensor]:
            with open(self.log, "a") as file:
                file.write(f"{task.name} {task.seed}\n")
            time.sleep(1.0)
            return {"noise": torch.rand(3)}

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.random_seed(self.name))
            self.noise = cached_weights("trained", training_identity(self, task, "1"), make)["noise"]

    def explain(self, images: Images) -> Explanation:
        scores = images.pixels.mean((2, 3)) * self.noise
        return Explanation(images.pixels, scores=scores, contributions=scores, logits=scores.sum(1))


@dataclass
class Builds(Trained):
    """Explains by the network of `trained`."""

    name: ClassVar[str] = "builds"
    scale: float = 1.0

    def fit(self, task: TrainingTask) -> None:
        trained = Trained(self.log)
        trained.fit(task)
        self.noise = trained.noise * self.scale

    def builds_on(self, task: TrainingTask) -> list[tuple[str, dict[str, str]]]:
        return [("trained", {"log": self.log})]


def raising(error: BaseException) -> Callable[[TrainingTask], None]:
    def harm(task: TrainingTask) -> None:
        raise error

    return harm


def fill_memory(task: TrainingTask) -> None:
    held = []
    for _ in range(100):
        held.append(np.ones(50 << 17))  # 50 MB
        time.sleep(0.02)


def spin(task: TrainingTask) -> None:
    while True:
        pass


def print_garbage(task: TrainingTask) -> None:
    os.write(1, b"\xff\xfe\x00 binary garbage\n" * 20_000 + b'{"event": "done"}\n')
    os.write(2, b"\x1b[31m to stderr\n")
    print("text \ud800 that cannot be encoded")


def garbage_and_fail(task: TrainingTask) -> None:
    print_garbage(task)
    raise ValueError("after the garbage")


def leave_the_folder(task: TrainingTask) -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def write_events(task: TrainingTask) -> None:
    for descriptor in range(100, 110):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"no event\n")
    time.sleep(30)


def halve_weights(task: TrainingTask) -> None:
    for stage in task.performer.stages.values():
        for weight in stage.parameters():
            weight.data /= 2
    task.activations("fc1")


def fork_and_go_on(task: TrainingTask) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.fork()


def leave_a_process(task: TrainingTask) -> None:
    subprocess.Popen(["sleep", "300"], env={"PARTBENCH_LEFT": str(os.getppid())})


class Twice(nn.Conv2d):
    """A convolution whose outputs are twice as large."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Passing(TorchFunctionMode):
    """Sees all calls of torch's functions."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


HARM: dict[str, Callable[[TrainingTask], object]] = {
    "exits": lambda task: sys.exit("enough"),
    "exits_at_once": lambda task: os._exit(3),
    "kills_itself": lambda task: os.kill(os.getpid(), signal.SIGKILL),
    "spins": spin,
    "fills_memory": fill_memory,
    "generator_exit": raising(GeneratorExit()),
    "keyboard_interrupt": raising(KeyboardInterrupt()),
    "cancelled": raising(asyncio.CancelledError("never mind")),
    "private": raising(PrivateError("mine")),
    "inapplicable": raising(NotApplicable("not for squares")),
    "garbage": print_garbage,
    "garbage_and_fail": garbage_and_fail,
    "float64": lambda task: torch.set_default_dtype(torch.float64),
    "meta_device": lambda task: torch.set_default_device("meta"),
    "no_grad": lambda task: torch.set_grad_enabled(False),
    "inference": lambda task: HELD.append(torch.inference_mode()) or HELD[-1].__enter__(),  # type: ignore[func-returns-value]
    "anomaly": lambda task: torch.autograd.set_detect_anomaly(True),
    "deterministic": lambda task: torch.use_deterministic_algorithms(True),
    "threads": lambda task: torch.set_num_threads(3),
    "global_hook": lambda task: nn.modules.module.register_module_forward_hook(lambda *_: None),
    "performer_hook": lambda task: task.performer.stages["fc1"].register_forward_hook(lambda m, a, out: out * 2),
    "weights": halve_weights,
    "environment": lambda task: os.environ.update(HOME="/nowhere"),
    "numpy_errors": lambda task: np.seterr(all="raise"),
    "no_folder": leave_the_folder,
    "patch": lambda task: setattr(torch.nn.functional, "relu", lambda *_: None),
    "patch_core": lambda task: setattr(Explanation, "accepted", lambda self, *_: self),
    "patch_method": lambda task: setattr(torch.Tensor, "mean", torch.Tensor.sum),
    "patch_class": lambda task: setattr(nn.ReLU, "forward", lambda self, x: x),
    "patch_builtin": lambda task: setattr(builtins, "max", min),
    "patch_constant": lambda task: setattr(masking, "RADIUS", 30),
    "direction": lambda task: setattr(Accuracy, "higher_is_better", False),
    "another_class": lambda task: setattr(task.performer.stages["conv1"][0], "__class__", Twice),
    "function_mode": lambda task: Passing().__enter__(),
    "one_dnn": lambda task: torch.backends.mkldnn.set_flags(False),
    "few_files": lambda task: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)),
    "profile": lambda task: sys.setprofile(lambda *_: None),
    "closes_streams": lambda task: (sys.stdout.close(), sys.stderr.close()),
    "closes_everything": lambda task: os.closerange(0, 500),
    "writes_events": write_events,
    "alarm": lambda task: signal.alarm(1),
    "thread": lambda task: threading.Timer(1.0, os._exit, (4,)).start(),
    "forks": fork_and_go_on,
    "leaves_a_process": leave_a_process,
    "exits_in_a_picture": lambda task: os._exit(5),
    "fails_in_a_picture": raising(GeneratorExit("no picture")),
}
LATER = ("exits_in_a_picture", "fails_in_a_picture")
HELD: list[torch.inference_mode] = []


@hookimpl
def register_explainers(register: Callable[[type], None]) -> None:
    for cls in (Hostile, Trained, Builds):
        register(cls)


@hookimpl
def register_datasets(register: Callable[[type], None]) -> None:
    register(HostileSquares)


@hookimpl
def register_performers(register: Callable[[type], None]) -> None:
    register(HostileNet)
