"""Opening tasks by name. Tasks of a run share one dataset and one performer object each."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from partbench.activations import Activations
from partbench.attribute_view import through_attribute
from partbench.errors import InputError, unknown
from partbench.nn.torch_setup import choose_device
from partbench.performer import Performer
from partbench.plugin import Dataset, Progress, silent
from partbench.registry import Registry, load
from partbench.task import ATTRIBUTE, MULTI, Task, TaskName

LATER = "a task of its own, with a binary performer, that is not there yet"


@dataclass
class Workbench:
    """Tasks by name, on one device, with data from one root folder."""

    registry: Registry
    data_root: Path | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent
    _opened: dict[tuple[str, str, str], Activations] = field(default_factory=dict, repr=False)
    _datasets: dict[tuple[type, int], Dataset] = field(default_factory=dict, repr=False)

    def task(self, name: str) -> Task:
        """Open a task. Raises InputError for an unknown dataset, category or performer, or broken data."""
        wanted = self.parse(name)
        view = wanted.category if wanted.form == "attribute" else ""
        key = (wanted.dataset, view, wanted.performer)
        if key not in self._opened:
            self._opened[key] = self._open(*key)
        cache = self._opened[key]
        if wanted.category not in (*cache.performer.targets, MULTI):
            known = ", ".join(cache.performer.targets)
            raise InputError(f"{wanted.performer} has no output for {wanted.category}, task {name}; it knows {known}")
        return Task(cache.dataset, cache.performer, wanted.category, cache)

    def parse(self, name: str) -> TaskName:
        """The parsed task name, with its performer filled in and every part checked against the registry.

        Raises InputError for a name that is wrong, and for one category against others, which is not there yet.
        """
        dataset = name.partition("/")[0]
        known = self.registry.tasks_of(dataset)
        if "/" not in name:
            raise InputError(f"task '{name}' does not say what is explained; one of: {', '.join(known)}")
        wanted = TaskName.parse(name)
        plain = str(replace(wanted, performer=""))
        if wanted.form in ("single", "others") and f"{dataset}/{MULTI}:{wanted.category}" in known:
            instead = f"{dataset}/{MULTI}:{wanted.category}"
            raise InputError(f"{name}, one category against other images, is {LATER}; {instead} explains one logit")
        if plain not in known:
            raise unknown("task", plain, known)
        performer = wanted.performer or self.registry.default_performer(plain)
        self.registry.find("performers", performer)
        return replace(wanted, performer=performer)

    def expand(self, names: Sequence[str]) -> list[str]:
        """Checked task names, with the globs `d/multi:*`, `d/attribute-*` and `d/**` (all tasks) expanded.

        `d/*` means the categories one at a time, which are not there yet: an InputError, unless a dataset has attribute
        tasks alone.
        """
        expanded: list[str] = []
        for name in names:
            plain, at, performer = name.partition("@")
            expanded += [f"{each}{at}{performer}" for each in self._matching(plain)] if "*" in plain else [name]
        for name in expanded:
            self.parse(name)
        return list(dict.fromkeys(expanded))

    def _matching(self, pattern: str) -> list[str]:
        dataset, _, what = pattern.partition("/")
        known = self.registry.tasks_of(dataset)
        if what == "**":
            return known
        if not what.startswith((MULTI, ATTRIBUTE)):
            hint = f"{dataset}/{MULTI}:*" if f"{dataset}/{MULTI}" in known else f"{dataset}/{ATTRIBUTE}*"
            raise InputError(f"{pattern} stands for each category against other images, {LATER}; try '{hint}'")
        matching = fnmatch.filter(known, pattern)
        if not matching:
            raise InputError(f"no task matches '{pattern}'; known: {', '.join(known)}")
        return matching

    def dataset(self, name: str, size: int, category: str = "") -> Dataset:
        """The dataset at an image size, opened once. If `category` is an attribute task, the view for that attribute.

        Attribute tasks may have images of their own, see `Dataset.attribute_images`.
        """
        registered = self.registry.find("datasets", name).cls
        attribute = category in registered.attribute_tasks
        cls = (registered.attribute_images or registered) if attribute else registered
        if (cls, size) not in self._datasets:
            self._datasets[cls, size] = dataset = cls(self.root_of(name), size)
            for split in (dataset.train, dataset.test):
                split.progress = self.progress
        opened = self._datasets[cls, size]
        return through_attribute(opened, category) if attribute else opened

    def resized(self, task: Task, size: int) -> Dataset:
        """The dataset of a task at another image size."""
        return self.dataset(task.dataset.name, size, task.category)

    def root_of(self, name: str) -> Path | None:
        """The folder of a dataset: DATA_ROOT/<name> where there is one (also written with -), else DATA_ROOT itself."""
        if self.data_root is None:
            return None
        candidates = (self.data_root / name, self.data_root / name.replace("_", "-"))
        return next((path for path in candidates if path.is_dir()), self.data_root)

    def _open(self, dataset_name: str, view: str, performer_name: str) -> Activations:
        plugin = self.registry.find("performers", performer_name).cls
        dataset = self.dataset(dataset_name, plugin.input_size, view)
        performer: Performer = plugin.open(dataset, self.device)
        cache = Activations(dataset, performer)
        cache.progress = self.progress
        return cache


def open_task(name: str, data_root: str | Path | None = None, device: str = "cpu") -> Task:
    """Open a task by name. `task.training` is what `Explainer.fit` takes.

    Raises InputError for a name that is wrong or data that are missing.
    """
    root = None if data_root is None else Path(data_root)
    return Workbench(load(), root, choose_device(device)).task(name)
