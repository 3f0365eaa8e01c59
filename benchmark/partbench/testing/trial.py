"""Checks of a plugin of any kind, on a task that is opened for it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from partbench import advice, options
from partbench.advice import advised
from partbench.declaration import BASES
from partbench.errors import InputError, unknown
from partbench.opening import Workbench
from partbench.plugin.dataset import Dataset
from partbench.registry import Entry, Registry, load, offered
from partbench.running.cell import outputs_of
from partbench.running.defaults import defaults
from partbench.running.global_state import GlobalState
from partbench.running.layers import task_of
from partbench.running.scoring import describe, unmet
from partbench.task import Task
from partbench.testing.checks import ContractError, check_explainer, check_metric, check_needs, expect
from partbench.testing.dataset import check_dataset
from partbench.testing.performer import check_performer
from partbench.types import Batch, Explanation, NotApplicable, PerformerOutputs

IMAGES = 8
CONCEPTS = 4


def check_plugin(
    cls: type, task: str | None = None, given: Mapping[str, Any] | None = None, data_root: str | Path | None = None
) -> list[str]:
    """Check a plugin class of any kind as `bench check` does, on a task that is built for it.

    `task` is the name of the task, by default one on embedded data; `given` are options of an explainer, such as
    `{"epochs": 1}`. What else the module of the class registers can be used: a dataset may name a performer beside it.
    Returns notes, such as which metrics cannot score an explainer. Raises ContractError for the first rule that is
    broken, InputError for a task or an option that does not exist.
    """
    kinds = [kind for kind, base in BASES.items() if isinstance(cls, type) and issubclass(cls, base)]
    bases = ", ".join(base.__name__ for base in BASES.values())
    expect(bool(kinds), f"{cls!r:.60} is no plugin, expected a subclass of {bases}", advice.BASE_CLASS)
    registry = load()
    for kind, other in _registered_beside(cls):
        _enter(registry, kind, other)
    _enter(registry, kinds[0], cls)
    workbench = Workbench(registry, None if data_root is None else Path(data_root))
    return Trial(workbench, task, options.as_texts(given or {})).check(kinds[0], cls.name)  # type: ignore[attr-defined]


def _registered_beside(cls: type) -> list[tuple[str, Any]]:
    """What the hooks of the module of a class register."""
    module = sys.modules.get(cls.__module__)
    hooks = [name for name in vars(module or object()) if name.startswith("register_")] if module else []
    return offered(module) if hooks else []


def _enter(registry: Registry, kind: str, cls: Any) -> None:
    name = getattr(cls, "name", None)
    if not isinstance(name, str):
        text = f"class {cls.__name__}: expected a class attribute `name`, a text"
        raise advised(ContractError(text), advice.NAME_MISSING)
    getattr(registry, kind)[name] = Entry(name, cls, cls.__module__, cls.__module__, "0")


@dataclass
class Trial:
    """Checks plugins on a workbench; `task` is the user's choice, `given` the options of explainers as texts."""

    workbench: Workbench
    task: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)

    def check(self, kind: str, name: str) -> list[str]:
        """Check a plugin and return notes on it, such as metrics that cannot score it.

        Raises ContractError if it does not keep the contract, InputError where it cannot be tried.
        """
        if self.given and kind != "explainers":
            raise InputError(f"-o is for explainers; {name} is one of the {kind}")
        checks: dict[str, Callable[[str], list[str]]] = {
            "explainers": self._explainer,
            "metrics": self._metric,
            "datasets": self._dataset,
            "performers": self._performer,
        }
        try:
            with _same_process():
                return checks[kind](name)
        except (ContractError, InputError, KeyboardInterrupt):
            raise
        except BaseException as error:  # of the plugin, which may call sys.exit
            raise ContractError(f"it raised {describe(error)}") from error

    def _explainer(self, name: str) -> list[str]:
        cls = self.workbench.registry.find("explainers", name).cls
        given = options.resolved(options.build(cls, self.given)) if self.given else {}
        task = self.workbench.task(self.task or defaults().check)
        try:
            explanation = check_explainer(cls, task, given={option: given[option] for option in self.given})
        except InputError as error:  # such as a layer that the performer lacks
            raise ContractError(str(error)) from error
        if explanation is None:
            return [f"not tried on {task.name}, which it does not explain; choose another with --task"]
        return [f"tried on {task.name}", *self._skipped(explanation, task)]

    def _skipped(self, explanation: Explanation, task: Task) -> list[str]:
        """A line for each reason for which metrics are skipped."""
        batch = task.batch("test", [0])
        reasons: dict[str, list[str]] = {}
        for metric, entry in sorted(self.workbench.registry.metrics.items()):
            if reason := unmet(entry.cls.needs, explanation, batch):
                reasons.setdefault(reason, []).append(metric)
        return [f"skipped, since {reason}: {', '.join(names)}" for reason, names in reasons.items()]

    def _metric(self, name: str) -> list[str]:
        metric = self.workbench.registry.find("metrics", name).cls()
        task = self.workbench.task(self.task or defaults().check)
        check_needs(metric)
        rows = _rows(task, metric.images)
        batch = task.batch("test", rows)
        outputs = outputs_of(task, batch)
        drops = torch.rand(len(batch), len(task.dataset.part_names), generator=torch.Generator().manual_seed(0))
        if task.target is not None:
            outputs = _with_effects(outputs, drops.to(task.device))
        explanation = invented_explanation(task, batch, outputs, drops)
        if reason := unmet(metric.needs, explanation, batch):
            return [f"not tried on {task.name}, since {reason}; choose another with --task"]
        try:
            check_metric(metric, batch, explanation, outputs)
        except NotApplicable as error:
            return [f"not tried on {task.name}, since {error}; choose another with --task"]
        return [f"tried on {len(batch)} images of {task.name} with an invented explanation"]

    def _dataset(self, name: str) -> list[str]:
        registry, notes = self.workbench.registry, []
        registered = registry.find("datasets", name).cls
        for cls in dict.fromkeys((registered, registered.attribute_images, registered.single_images)):
            if cls is None:
                continue
            if cls.default_performer not in registry.performers:
                reason = unknown("performer", cls.default_performer, registry.performers)
                text = f"{reason}; it is the default_performer of {cls.__name__}"
                raise advised(ContractError(text), advice.DEFAULT_PERFORMER)
            size = registry.performers[cls.default_performer].cls.input_size
            dataset = cls(self.workbench.root_of(name), size)
            check_dataset(dataset)
            counts = f"{len(dataset.train)} train and {len(dataset.test)} test images"
            notes.append(f"{cls.__name__}: {counts}, tried at {size} px")
            notes += self._missing_annotations(dataset)
        return notes

    def _missing_annotations(self, dataset: Dataset) -> list[str]:
        """A line for each annotation that the dataset lacks and metrics need."""
        batch = dataset.test.batch([0])
        lacking: dict[str, list[str]] = {}
        for metric, entry in sorted(self.workbench.registry.metrics.items()):
            for need in entry.cls.needs:
                if hasattr(batch, need) and getattr(batch, need) is None:
                    lacking.setdefault(need, []).append(metric)
        return [f"skipped, since the dataset has no {need}: {', '.join(names)}" for need, names in lacking.items()]

    def _performer(self, name: str) -> list[str]:
        try:
            task = self.workbench.task(self.task or task_of(self.workbench, name))
        except InputError as error:
            if "cannot be opened" in str(error):  # it raised no InputError of its own
                raise ContractError(str(error)) from error
            raise
        check_performer(task.performer, task.dataset)
        layers = ", ".join(f"{role} {layer}" for role, layer in task.performer.roles.items())
        return [f"tried on {task.name}: {layers}", *_unknown_receptive_field(task)]


@contextmanager
def _same_process() -> Iterator[None]:
    """Raise ContractError where the state of the process was changed meanwhile; it is put right."""
    before = GlobalState.now()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        changed = before.restore()
    expect(
        not changed, f"it changed {', '.join(changed[:3])}, which belongs to the whole process", advice.PROCESS_CHANGED
    )


def _unknown_receptive_field(task: Task) -> list[str]:
    """A line where the receptive field of the target layer is unknown, which most explainers with maps ask for."""
    try:
        task.performer.receptive_field("target")
    except ValueError as error:
        return [f"explainers that ask where cells of the target layer lie will fail: {error}"]
    return []


def _rows(task: Task, images: str) -> list[int]:
    """Test images that a metric is fed: of the explained category, or half of them of others."""
    positive = task.positive(task.labels("test"))
    own, others = (torch.nonzero(positive == wanted).flatten().tolist() for wanted in (True, False))
    return sorted(own[: IMAGES // 2] + others[: IMAGES // 2]) if images == "all" else own[:IMAGES]


def _with_effects(outputs: PerformerOutputs, effects: torch.Tensor) -> PerformerOutputs:
    return replace(outputs, part_effects=lambda wanted: torch.where(wanted, effects, torch.nan))


def invented_explanation(task: Task, batch: Batch, outputs: PerformerOutputs, drops: torch.Tensor) -> Explanation:
    """Random numbers in every field: maps and contributions of 4 concepts, logits near the performer's."""
    generator = torch.Generator().manual_seed(1)
    cells = task.performer.activations(batch.pixels[:1], ["target"])["target"].shape[-2:]

    def drawn(*shape: int) -> Any:
        return torch.rand(*shape, generator=generator).to(task.device)

    maps = drawn(len(batch), CONCEPTS, *cells)
    explained = outputs.explained if outputs.explained is not None else outputs.category_logits
    assert explained is not None
    parts = max(1, len(task.dataset.part_names))
    return Explanation(
        maps,
        grid=task.performer.receptive_field("target"),
        scores=maps.amax((2, 3)),
        contributions=drawn(len(batch), CONCEPTS),
        logits=explained + 0.1 * drawn(*explained.shape),
        parts=torch.arange(CONCEPTS) % parts,
        part_drops=drops.to(task.device),
        threshold=0.0,
    )
