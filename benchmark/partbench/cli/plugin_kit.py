"""The contract of partbench.testing, run on a plugin of any kind with tasks that it can be tried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from partbench import options
from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.running.cell import outputs_of
from partbench.running.defaults import defaults
from partbench.running.scoring import describe, unmet
from partbench.task import Task
from partbench.testing import ContractError, check_dataset, check_explainer, check_metric, check_performer
from partbench.types import Batch, Explanation, NotApplicable, PerformerOutputs

IMAGES = 8
CONCEPTS = 4


@dataclass
class Trial:
    """Checks plugins on a workbench; `task` is the user's choice, `given` the options of explainers as texts."""

    workbench: Workbench
    task: str | None
    given: Mapping[str, str]

    def check(self, kind: str, name: str) -> list[str]:
        """Check a plugin and return notes on it, such as metrics that cannot score it.

        Raises ContractError if it does not, InputError where it cannot be tried.
        """
        if self.given and kind != "explainers":
            raise InputError(f"-o is for explainers; {name} is one of the {kind}")
        checks = {
            "explainers": self._explainer,
            "metrics": self._metric,
            "datasets": self._dataset,
            "performers": self._performer,
        }
        try:
            return checks[kind](name)
        except (ContractError, InputError, KeyboardInterrupt):
            raise
        except BaseException as error:  # of the plugin, which may call sys.exit
            raise ContractError(f"it raised {describe(error)}") from error

    def _explainer(self, name: str) -> list[str]:
        cls = self.workbench.registry.find("explainers", name).cls
        given = options.resolved(options.build(cls, self.given)) if self.given else {}
        task = self.workbench.task(self.task or defaults().check)
        explanation = check_explainer(cls, task, given={option: given[option] for option in self.given})
        if explanation is None:
            return [f"tried on {task.name}, which it does not explain (NotApplicable); choose another with --task"]
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
            size = registry.find("performers", cls.default_performer).cls.input_size
            dataset = cls(self.workbench.root_of(name), size)
            check_dataset(dataset)
            counts = f"{len(dataset.train)} train and {len(dataset.test)} test images"
            notes.append(f"{cls.__name__}: {counts}, tried at {size} px")
        return notes

    def _performer(self, name: str) -> list[str]:
        task = self.workbench.task(self.task or self._task_of(name))
        check_performer(task.performer, task.dataset)
        layers = ", ".join(f"{role} {layer}" for role, layer in task.performer.roles.items())
        return [f"tried on {task.name}: {layers}"]

    def _task_of(self, performer: str) -> str:
        """A task on data at hand that the performer is the default of, or the default task on it."""
        registry = self.workbench.registry
        for task in registry.tasks():
            name = task.partition("/")[0]
            at_hand = not registry.datasets[name].cls.needs_root or self.workbench.root_of(name)
            if at_hand and registry.default_performer(task) == performer:
                return task
        return f"{defaults().check}@{performer}"


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
