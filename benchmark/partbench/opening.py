"""Opening tasks by name. Tasks of a run share one dataset and one performer object each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from partbench.activations import Activations
from partbench.advice import NO_PERFORMER, advised
from partbench.attribute_view import through_attribute
from partbench.cache.folder import check_cache_writable
from partbench.category_view import RandomImages, through_category
from partbench.data_folders import folder_of_config, folder_of_environment
from partbench.errors import InputError, in_one_line, unknown
from partbench.names import before_performer
from partbench.nn.torch_setup import choose_device
from partbench.performer import Performer
from partbench.plugin.dataset import OTHER, Dataset, Negatives, Progress, silent
from partbench.registry import Registry, load
from partbench.task import SINGLE_VERSION, Task
from partbench.task_globs import matches
from partbench.task_name import MULTI, TaskName
from partbench.types import NotApplicable

OTHERS = ":others"
VIEWS = ("attribute", "single", "others")  # forms of tasks that see a dataset in their own way
NO_RANDOM = "has no random images to tell a category from; name a folder of them with --other FOLDER"
NO_USE_OF_OTHER = "only single tasks (d/CATEGORY) of a dataset without random images of its own read it"


@dataclass
class Workbench:
    """Tasks by name, on one device, with data from one root folder.

    `other` is a folder of random photographs, for single tasks of datasets that have none. Raises InputError if the
    cache folder cannot be written to.
    """

    registry: Registry
    data_root: Path | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent
    other: Path | None = None
    _opened: dict[tuple[str, str, str], Activations] = field(default_factory=dict, repr=False)
    _datasets: dict[tuple[type, int], Dataset] = field(default_factory=dict, repr=False)
    _random: dict[tuple[type, int], RandomImages] = field(default_factory=dict, repr=False)
    _present: dict[tuple[type, Path], tuple[str, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_cache_writable()

    def task(self, name: str) -> Task:
        """Open a task. Raises InputError for an unknown dataset, category or performer, or broken data.

        Only the activations of this task's performer stay in memory: those of others are mapped again when needed.
        """
        wanted = self.parse(name)
        key = (wanted.dataset, wanted.what if wanted.form in VIEWS else "", wanted.performer)
        if key not in self._opened:
            self._opened[key] = self._open(*key)
        cache = self._opened[key]
        for other in self._opened.values():
            if other is not cache:
                other.release()
        if wanted.category not in (*cache.performer.targets, MULTI):
            known = ", ".join(cache.performer.targets)
            raise InputError(f"{wanted.performer} has no output for {wanted.category}, task {name}; it knows {known}")
        version = SINGLE_VERSION if cache.dataset.negatives else "1"
        return Task(cache.dataset, cache.performer, wanted.category, cache, version=version)

    def outline(self, name: str) -> Performer:
        """The performer of a task for what is said of its layers: its weights may be random, see `PerformerPlugin`.

        Raises InputError as `task`.
        """
        wanted = self.parse(name)
        plugin = self.registry.find("performers", wanted.performer).cls
        dataset = self.dataset(wanted.dataset, plugin.input_size, wanted.what if wanted.form in VIEWS else "")
        with one_line(f"performer {wanted.performer} for {wanted.dataset}"):
            performer: Performer = plugin.outline(dataset, self.device)
        return performer

    def parse(self, name: str) -> TaskName:
        """The parsed task name, with its performer filled in and every part checked against the registry.

        Raises InputError for a name that is wrong, and for a single task of a dataset without random images.
        """
        dataset = name.partition("/")[0]
        known = self.registry.tasks_of(dataset)
        if "/" not in name:
            raise InputError(f"task '{name}' does not say what is explained; one of: {', '.join(known)}")
        wanted = TaskName.parse(name)
        plain = str(replace(wanted, performer=""))
        if plain not in (*known, *self.registry.tasks_with_others(dataset)):
            raise unknown("task", plain, known)
        if self.lacks_negatives(wanted):
            raise InputError(f"task {name}: {dataset} {NO_RANDOM}")
        if self.lacks_images(wanted):
            there = self.categories_in(dataset)
            raise InputError(f"task {name}: {self.root_of(dataset)} has no images of it; it has {', '.join(there)}")
        performer = wanted.performer or self.registry.default_performer(plain)
        return replace(wanted, performer=self.registry.find("performers", performer).name)

    def lacks_negatives(self, task: TaskName) -> bool:
        """Whether a task tells a category from random images, and there are none."""
        return self.other is None and self.reads_other(task)

    def lacks_images(self, task: TaskName) -> bool:
        """Whether a task explains a category that the folder of its dataset has no images of."""
        own = self.registry.opened_for(task.dataset, task.what) is self._class(task.dataset)
        one = task.form in ("logit", "single", "others")
        return own and one and task.category not in self.categories_in(task.dataset)

    def categories_in(self, name: str) -> tuple[str, ...]:
        """The categories that the folder of a dataset has images of; all where none is named. Raises InputError."""
        cls, root = self._class(name), self.root_of(name)
        if root is None:
            return tuple(cls.categories)
        if (cls, root) not in self._present:
            with one_line(f"dataset {name}"):
                self._present[cls, root] = tuple(cls.categories_in(root))
        return self._present[cls, root]

    def _class(self, name: str) -> type[Dataset]:
        cls: type[Dataset] = self.registry.find("datasets", name).cls
        return cls

    def reads_other(self, task: TaskName) -> bool:
        """Whether the random images of a task come from the folder `other`: its dataset has none."""
        if task.form not in ("single", "others"):
            return False
        with one_line(f"dataset {task.dataset}"):
            return not self._class(task.dataset).has_random_images(self.root_of(task.dataset))

    def expand(self, names: Sequence[str]) -> list[str]:
        """Task names, each checked. Patterns stand for what they match.

        `d/*` means single tasks (`d/*:others` those with the other categories among the negatives), `d/multi:*` logits,
        `d/attribute-*` attributes, `d/**` all of these without `:others`. Of a pattern, single tasks that lack
        random images are left out with a warning.
        """
        expanded: list[str] = []
        for name in names:
            plain, at, performer = before_performer(name)
            expanded += [f"{each}{at}{performer}" for each in self._matching(plain)] if "*" in plain else [name]
        parsed = [self.parse(name) for name in expanded]
        if self.other is not None and not any(map(self.reads_other, parsed)):
            warnings.warn(f"--other {self.other} is not used: {NO_USE_OF_OTHER}", stacklevel=2)
        return list(dict.fromkeys(expanded))

    def _matching(self, pattern: str) -> list[str]:
        dataset = pattern.partition("/")[0]
        known = self.registry.tasks_of(dataset)
        every = (*known, *self.registry.tasks_with_others(dataset))
        matching = [name for name in every if matches(name, pattern) and not self.lacks_images(TaskName.parse(name))]
        lacking = [name for name in matching if self.lacks_negatives(TaskName.parse(name))]
        found = [name for name in matching if name not in lacking]
        if not found:
            reason = f"{dataset} {NO_RANDOM}" if lacking else f"known: {', '.join(known)}"
            raise InputError(f"no task matches '{pattern}'; {reason}")
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            warnings.warn(f"skipped {lacking[0]}{more}: {dataset} {NO_RANDOM}", stacklevel=3)
        return found

    def dataset(self, name: str, size: int, what: str = "") -> Dataset:
        """The dataset of that name at an image size, opened once; as the task `what` sees it (see TaskName).

        The images of attribute tasks and of single ones may be others than those of the other tasks.
        """
        cls = self.registry.opened_for(name, what)
        if (cls, size) not in self._datasets:
            with one_line(f"dataset {name}"):
                dataset = cls(self.root_of(name), size)
                for split in (dataset.train, dataset.test):
                    split.progress = self.progress
            self._datasets[cls, size] = dataset
        opened, category = self._datasets[cls, size], what.removesuffix(OTHERS)
        if what in opened.attribute_tasks:
            return through_attribute(opened, what)
        if category not in opened.categories:
            return opened
        negatives: Negatives = "others" if what.endswith(OTHERS) else "random"
        return through_category(opened, category, negatives, self._random_images(opened))

    def _random_images(self, dataset: Dataset) -> RandomImages | None:
        """Random images of a dataset or from the folder `other`, opened once; None for those of a class of its own."""
        key = type(dataset), dataset.size
        if OTHER in dataset.classes:
            return None
        if key not in self._random:
            self._random[key] = self._opened_random_images(dataset)
            for split in self._random[key]:
                split.progress = self.progress
        return self._random[key]

    def _opened_random_images(self, dataset: Dataset) -> RandomImages:
        if dataset.offers_random_images:
            return dataset.random_images()
        if self.other is None:
            raise InputError(f"{dataset.name} {NO_RANDOM}")
        return random_photographs(self.other, dataset.size)

    def resized(self, task: Task, size: int) -> Dataset:
        """The dataset of a task at another image size."""
        wanted = TaskName.parse(task.name)
        return self.dataset(wanted.dataset, size, wanted.what if wanted.form in VIEWS else "")

    def root_of(self, name: str) -> Path | None:
        """The folder of a dataset, None where none is named.

        DATA_ROOT/<name> where there is one (also written with -), else DATA_ROOT itself. DATA_ROOT is `data_root`, or
        else $PARTBENCH_DATA; without either it is what the config file says (`bench data add`).
        """
        root = self.data_root or folder_of_environment()
        if root is None:
            return folder_of_config(name) if self._class(name).needs_root else None
        candidates = (root / name, root / name.replace("_", "-"))
        return next((path for path in candidates if path.is_dir()), root)

    def _open(self, dataset_name: str, what: str, performer_name: str) -> Activations:
        plugin = self.registry.find("performers", performer_name).cls
        dataset = self.dataset(dataset_name, plugin.input_size, what)
        with one_line(f"performer {performer_name} for {dataset_name}"):
            performer = plugin.open(dataset, self.device)
            if not isinstance(performer, Performer):
                found = f"open() returned a {type(performer).__name__}, expected a Performer"
                raise advised(TypeError(found), NO_PERFORMER)
            performer.layer("logits")
        if dataset.negatives and len(performer.outputs) != 1:
            raise InputError(
                f"{performer_name} has {len(performer.outputs)} outputs, expected one for {dataset_name}/{what}, the "
                f"log-odds of the category; use a binary performer, such as {dataset.default_performer}"
            )
        cache = Activations(dataset, performer)
        cache.progress = self.progress
        return cache


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn what a plugin raises while it opens data or networks into an InputError."""
    try:
        yield
    except (InputError, NotApplicable):
        raise
    except Exception as error:
        raise InputError(f"{what} cannot be opened: {in_one_line(error)}") from error


def random_photographs(folder: Path, size: int) -> RandomImages:
    """The photographs of a folder, half for training and half for testing. Raises InputError if it holds none."""
    from partbench.datasets.random_photographs import halves  # reads images as datasets of photographs do

    return halves(folder, size)


def open_task(
    name: str, data_root: str | Path | None = None, device: str = "cpu", other: str | Path | None = None
) -> Task:
    """A task by its name: its dataset and performer, and as `.training` what explainers are fitted on.

    `other` is a folder of random photographs, for a single task of a dataset that has none. Raises InputError for a
    name that is wrong or data that are missing.
    """
    roots = [None if folder is None else Path(folder) for folder in (data_root, other)]
    return Workbench(load(), roots[0], choose_device(device), other=roots[1]).task(name)
