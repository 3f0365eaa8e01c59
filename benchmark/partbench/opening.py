"""Opening what a task name names: dataset and performer are opened once and shared by all tasks of a run."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from partbench.activations import Activations, Progress, silent
from partbench.attribute_view import through_attribute
from partbench.errors import InputError, unknown
from partbench.performer import Performer
from partbench.plugin import Dataset
from partbench.registry import Registry, attribute_tasks
from partbench.task import MULTI, Task


@dataclass
class Workbench:
    """Tasks by name (`dataset/category[@performer]`), on one device, with data from one root folder."""

    registry: Registry
    data_root: Path | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent
    _opened: dict[tuple[str, str, str], Activations] = field(default_factory=dict, repr=False)
    _datasets: dict[tuple[type, int], Dataset] = field(default_factory=dict, repr=False)

    def task(self, name: str) -> Task:
        """Open a task. Raises InputError for an unknown dataset, category or performer, or broken data."""
        dataset, category, performer = self.parse(name)
        view = category if self._is_attribute(dataset, category) else ""
        if (dataset, view, performer) not in self._opened:
            self._opened[dataset, view, performer] = self._open(dataset, view, performer)
        cache = self._opened[dataset, view, performer]
        if category not in (*cache.performer.targets, MULTI):
            known = ", ".join(cache.performer.targets)
            raise InputError(f"{performer} has no output for {dataset}/{category}; it knows {known}")
        return Task(cache.dataset, cache.performer, category, cache)

    def parse(self, name: str) -> tuple[str, str, str]:
        """Dataset, category and performer of a task name, each checked against what is registered."""
        path, _, performer = name.partition("@")
        dataset, slash, category = path.partition("/")
        known = self.registry.categories(dataset)
        if not slash:
            raise InputError(f"task '{name}' names no category; write {dataset}/ and one of: {', '.join(known)}")
        if category not in known:
            raise unknown("task", path, (f"{dataset}/{c}" for c in known))
        performer = performer or self.registry.default_performer(path)
        self.registry.find("performers", performer)
        return dataset, category, performer

    def expand(self, names: Sequence[str]) -> list[str]:
        """Task names, each checked; see `_matching` for `dataset/*`."""
        expanded: list[str] = []
        for name in names:
            dataset, _, rest = name.partition("/")
            category, at, performer = rest.partition("@")
            expanded += [f"{dataset}/{each}{at}{performer}" for each in self._matching(dataset, category)] or [name]
        for name in expanded:
            self.parse(name)
        return list(dict.fromkeys(expanded))

    def _matching(self, dataset: str, pattern: str) -> list[str]:
        """`*` stands for all categories, of a dataset without any for its attributes; `attribute-*` for attributes."""
        cls = self.registry.find("datasets", dataset).cls
        attributes = list(attribute_tasks(cls))
        if pattern == "*":
            return list(cls.categories) or attributes
        return fnmatch.filter(attributes, pattern) if "*" in pattern else []

    def _is_attribute(self, dataset: str, category: str) -> bool:
        return category in attribute_tasks(self.registry.find("datasets", dataset).cls)

    def dataset(self, name: str, size: int, category: str = "") -> Dataset:
        """The dataset of that name at an image size, opened once; seen through `category` where that is an attribute.

        Then the images may be others than those of the other tasks.
        """
        attribute = self._is_attribute(name, category)
        cls = self.registry.categories(name)[category] if attribute else self.registry.find("datasets", name).cls
        if (cls, size) not in self._datasets:
            self._datasets[cls, size] = dataset = cls(self.root_of(name), size)
            for split in (dataset.train, dataset.test):
                if hasattr(split, "progress"):
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
