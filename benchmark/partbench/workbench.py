"""Opening what a task name names: dataset and performer are opened once and shared by all tasks of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from partbench.activations import Activations, Progress, silent
from partbench.errors import InputError, unknown
from partbench.performer import Performer
from partbench.registry import Registry
from partbench.task import Task
from partbench.types import Dataset


@dataclass
class Workbench:
    """Tasks by name (`dataset/category[@performer]`), on one device, with data from one root folder."""

    registry: Registry
    data_root: Path | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent
    _opened: dict[tuple[str, str], Activations] = field(default_factory=dict, repr=False)
    _datasets: dict[tuple[str, int], Dataset] = field(default_factory=dict, repr=False)

    def task(self, name: str) -> Task:
        """Open a task. Raises InputError for an unknown dataset, category or performer, or broken data."""
        dataset, category, performer = self.parse(name)
        if (dataset, performer) not in self._opened:
            self._opened[dataset, performer] = self._open(dataset, performer)
        cache = self._opened[dataset, performer]
        return Task(cache.dataset, cache.performer, category, cache)

    def parse(self, name: str) -> tuple[str, str, str]:
        """Dataset, category and performer of a task name, each checked against what is registered."""
        path, _, performer = name.partition("@")
        dataset, slash, category = path.partition("/")
        entry = self.registry.find("datasets", dataset)
        known = (*entry.cls.categories, "multi")
        if not slash:
            raise InputError(f"task '{name}' names no category; write {dataset}/ and one of: {', '.join(known)}")
        if category not in known:
            raise unknown("task", path, (f"{dataset}/{c}" for c in known))
        performer = performer or entry.cls.default_performer
        self.registry.find("performers", performer)
        return dataset, category, performer

    def expand(self, names: Sequence[str]) -> list[str]:
        """Task names, each checked; `dataset/*` stands for all categories of the dataset."""
        expanded: list[str] = []
        for name in names:
            dataset, _, rest = name.partition("/")
            category, at, performer = rest.partition("@")
            everything = self.registry.find("datasets", dataset).cls.categories if category == "*" else ()
            expanded += [f"{dataset}/{each}{at}{performer}" for each in everything] or [name]
        for name in expanded:
            self.parse(name)
        return list(dict.fromkeys(expanded))

    def dataset(self, name: str, size: int) -> Dataset:
        """The dataset of that name at an image size, opened once."""
        if (name, size) not in self._datasets:
            self._datasets[name, size] = self.registry.find("datasets", name).cls(self.root_of(name), size)
        return self._datasets[name, size]

    def root_of(self, name: str) -> Path | None:
        """The folder of a dataset: DATA_ROOT/<name> where there is one (also written with -), else DATA_ROOT itself."""
        if self.data_root is None:
            return None
        candidates = (self.data_root / name, self.data_root / name.replace("_", "-"))
        return next((path for path in candidates if path.is_dir()), self.data_root)

    def _open(self, dataset_name: str, performer_name: str) -> Activations:
        plugin = self.registry.find("performers", performer_name).cls
        dataset = self.dataset(dataset_name, plugin.input_size)
        for split in (dataset.train, dataset.test):
            if hasattr(split, "progress"):
                split.progress = self.progress
        performer: Performer = plugin.open(dataset, self.device)
        cache = Activations(dataset, performer)
        cache.progress = self.progress
        return cache
