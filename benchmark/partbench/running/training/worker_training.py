"""A performer trained in a worker; `bench performer train` gets plain data."""

from __future__ import annotations

import errno
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from partbench import __version__
from partbench.declaration import fault_of_name
from partbench.errors import InputError
from partbench.names import look
from partbench.nn.torchvision_ops import torchvision
from partbench.opening import Workbench, one_line
from partbench.performer import Performer
from partbench.plugin.dataset import Dataset
from partbench.plugin.performer import PerformerPlugin
from partbench.running.cell_job import Setting
from partbench.running.training.accuracy import accuracy, balanced_accuracy
from partbench.running.training.card import Classified, Results, card
from partbench.running.training.checkpoint import FILE, Checkpoint
from partbench.running.training.images import Pixels, seed_of, split_rows
from partbench.running.training.kept import keep
from partbench.running.training.loop import Learned, Training, frozen_stages, predicted, rank
from partbench.running.training.recipe import Recipe
from partbench.running.training.request import EPOCH, TrainingRequest
from partbench.running.training.space import expect_space, held

FORMS = ("multi", "single", "others")
EXHAUSTED = (errno.ENOSPC, errno.EDQUOT)


def trained(worker: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Train what `request["training"]` asks for, from its checkpoint where there is one, and keep it.

    Raises InputError for a mistake of the user, before anything is written, and where the disk is full.
    """
    asked = TrainingRequest.of(request["training"])
    _same_bits(asked.threads)
    workbench = worker.workbench(Setting.of(request["setting"]))
    worker.say("started")
    prepared = Prepared.of(asked, workbench)
    with held(asked.unfinished), _in_one_line(asked):
        return prepared.run(worker.progress), False


def _same_bits(threads: int) -> None:
    """Let this process compute the same bits whenever it computes the same."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA begins
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


@dataclass
class Prepared:
    """A training before its first step: what was asked for, checked, with the data and the network opened."""

    asked: TrainingRequest
    dataset: Dataset
    network: type[PerformerPlugin]
    performer: Performer
    recipe: Recipe
    frozen: frozenset[str]
    rows: tuple[torch.Tensor, torch.Tensor]  # to train on, and held out
    checkpoint: Checkpoint | None

    @staticmethod
    def of(asked: TrainingRequest, workbench: Workbench) -> Prepared:
        """Open what a request names. Raises InputError for a mistake of the user."""
        _expect_free_name(asked, workbench)
        workbench.registry.find("performers", asked.network)
        task = workbench.parse(f"{asked.task}@{asked.network_name}")
        if task.form not in FORMS:
            instead = f"{task.dataset}/multi, whose network tells all categories apart" if task.form == "logit" else (
                f"{task.dataset}/multi or {task.dataset}/CATEGORY")  # fmt: skip
            raise InputError(f"no network is trained on {asked.task} alone; train on {instead}")
        network = workbench.registry.find("performers", asked.network_name).cls
        if network.__module__.startswith("partbench_file"):
            raise InputError(
                f"{asked.network} is a plugin in a file; install it to train it: what is kept names its module"
            )
        dataset = workbench.dataset(task.dataset, network.input_size, "" if task.form == "multi" else task.what)
        torch.manual_seed(seed_of(asked.seed, "last layer"))
        with one_line(f"performer {asked.network_name} for {task.dataset}"):
            performer = network.to_train(dataset, workbench.device)
        recipe = Recipe.of(asked, len(performer.outputs), bool(dataset.negatives))
        if asked.mixed_precision and workbench.device.type != "cuda":
            warnings.warn("mixed precision is for CUDA; on the CPU --mixed-precision is ignored", stacklevel=2)
        rows = split_rows(dataset.train.labels.cpu(), names_of_labels(dataset))
        if recipe.batch_size > len(rows[0]):
            size = f"--batch-size is {recipe.batch_size}"
            raise InputError(f"{size}, expected at most the {len(rows[0])} images that are trained on")
        frozen = frozen_stages(performer, asked.frozen)
        found = Prepared(asked, dataset, network, performer, recipe, frozen, rows, None)
        found.checkpoint = Checkpoint.read(asked.unfinished / FILE, found.description())
        expect_space(asked.unfinished, sum(value.nbytes for value in performer.weights().values()))
        return found

    @property
    def precision(self) -> torch.dtype | None:
        """What matrix products are computed in; None for float32."""
        if self.performer.device.type != "cuda" or self.asked.mixed_precision is False:
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16

    def description(self) -> dict[str, Any]:
        """What performer.toml holds; the same for a training that goes on."""
        roles = {role: layer for role, layer in self.performer.roles.items() if role != "logits"}
        own_roles = "layers=" in self.asked.network
        how = {
            "weights": self.asked.weights, "given": self.asked.network, "schedule": self.recipe.schedule,
            "epochs": self.recipe.epochs, "batch_size": self.recipe.batch_size, "lr": self.recipe.lr,
            "frozen": sorted(self.frozen), "seed": self.asked.seed, "threads": self.asked.threads,
            "device": self.performer.device.type, "precision": str(self.precision or torch.float32).partition(".")[2],
        }  # fmt: skip
        versions = {
            "partbench": __version__, "torch": torch.__version__,
            "torchvision": torchvision().__version__, "python": platform.python_version(),
        }  # fmt: skip
        return {
            "name": self.asked.name, "network": self.asked.kept_name,
            "class": f"{self.network.__module__}:{self.network.__name__}", "input_size": self.network.input_size,
            "task": self.asked.task, "data": self.dataset.train.fingerprint, "test_data": self.dataset.test.fingerprint,
            "outputs": list(self.performer.outputs), "own_roles": own_roles, "roles": roles, "training": how,
            "versions": versions,
        }  # fmt: skip

    def run(self, progress: Any) -> dict[str, Any]:
        """Train and keep; what is told of it."""
        description, images = self.description(), self.dataset.train
        learned = Learned(Pixels(images, self.network.input_size), images.labels.cpu(), *self.rows)
        training = Training(self.performer, self.recipe, learned, self.frozen, self.precision, self.asked.seed)
        if self.checkpoint is not None:
            training.go_on_from(self.checkpoint)
        for row in training.epochs(progress):
            training.checkpoint().write(self.asked.unfinished / FILE, description)
            told = f"loss {row['loss']:.3f}, held-out accuracy {row['held_out_accuracy']:.3f}"
            progress(EPOCH + told, row["epoch"], self.recipe.epochs)
        return self._kept(training, description, progress)

    def _kept(self, training: Training, description: Mapping[str, Any], progress: Any) -> dict[str, Any]:
        training.load(training.best)
        learned, test = training.images, self.dataset.test
        held_out = _classified(training.logits(learned.pixels, learned.held), learned.labels[learned.held])
        read = Pixels(test, self.network.input_size, memory=0)
        tested = _classified(training.logits(read, torch.arange(len(test)), progress), test.labels.cpu())
        names, best = names_of_labels(self.dataset), max(training.curve, key=rank)["epoch"]
        counts = [int((learned.labels[learned.rows] == label).sum()) for label in range(len(names))]
        results = Results(names, counts, held_out, tested, training.curve, best)
        text = card(description, results)
        keep(self.asked.folder, self.asked.unfinished, description, training.best, text)
        return {
            "held_out": str(balanced_accuracy(held_out.right, held_out.labels)),
            "test": str(accuracy(tested.right)), "test_balanced": str(balanced_accuracy(tested.right, tested.labels)),
            "epoch": best, "epochs": self.recipe.epochs, "device": self.performer.device.type,
        }  # fmt: skip


def names_of_labels(dataset: Dataset) -> list[str]:
    """What the labels of the images mean."""
    if dataset.negatives:
        return [f"not {dataset.categories[0]}", *dataset.categories]
    return list(dataset.classes)


def _classified(logits: torch.Tensor, labels: torch.Tensor) -> Classified:
    return Classified((predicted(logits) == labels).numpy(), labels.numpy())


def _expect_free_name(asked: TrainingRequest, workbench: Workbench) -> None:
    if wrong := fault_of_name("performers", asked.name):
        raise InputError(f"--name {asked.name}: {wrong.removeprefix('its ')}")
    taken = [name for name in workbench.registry.performers if look(name) == look(asked.name)]
    if taken:
        raise InputError(f"--name {asked.name}: there is a performer {taken[0]}; choose another name")
    asked.expect_new_folder()


@contextmanager
def _in_one_line(asked: TrainingRequest) -> Iterator[None]:
    """Turn what the disk refuses into an InputError."""
    try:
        yield
    except OSError as error:
        what = "no space is left" if error.errno in EXHAUSTED else f"cannot write ({error.strerror or error})"
        raise InputError(f"{asked.unfinished}: {what}; the same command goes on from the last checkpoint") from error
