"""The contract, as checks that plugin authors run on their own classes.

Each raises `ContractError`, saying what was expected and found; an explainer or metric that passes can be trusted to
run in any campaign.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from partbench import options
from partbench.plugin import Metric
from partbench.running.cell import fit
from partbench.task import Task
from partbench.types import Batch, Explanation, NotApplicable, PerformerOutputs, Scores

FIELDS = ("scores", "contributions", "logits", "explained")
PER_IMAGE = (*FIELDS, "maps", "part_drops")
SAME_FOR_ALL = ("parts", "threshold")


class ContractError(AssertionError):
    """A plugin does not keep the contract."""


def expect(condition: bool, message: str) -> None:
    """Raise ContractError with the message unless the condition holds."""
    if not condition:
        raise ContractError(message)


def check_explainer(
    cls: type, task: Task, images: int = 6, given: Mapping[str, Any] | None = None
) -> Explanation | None:
    """Fit an explainer, with these options where its defaults take long, on a task and check what it returns.

    Shapes, finite values, maps >= 0; the same explanation for the same seed, and for an image alone or in a batch;
    options that are plain JSON; the performer's weights left as they were. An explainer that raises NotApplicable for
    the task passes. Returns the explanation of the images, or None where it raised NotApplicable.
    """
    check_declaration(cls)
    before = _weights(task)
    first = _fitted(cls, task, given)
    if first is None:
        return None
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()[:images].tolist()
    batch = task.batch("test", rows)
    explanation = first.explain(batch)
    check_explanation(explanation, batch)
    halves = [first.explain(batch[: images // 2]), first.explain(batch[images // 2 :])]
    for name in PER_IMAGE:
        if explanation.has(name):
            joined = torch.cat([getattr(half, name) for half in halves])
            _same(getattr(explanation, name), joined, f"{cls.__name__}: {name} depend on the other images of the batch")
    again = _fitted(cls, task, given)
    expect(again is not None, f"{cls.__name__} raised NotApplicable at the second fit only")
    repeat = again.explain(batch)
    for name in PER_IMAGE:
        if explanation.has(name):
            _same(getattr(explanation, name), getattr(repeat, name), f"{cls.__name__}: {name} differ for the same seed")
    for name in SAME_FOR_ALL:
        for other in (*halves, repeat):
            alike = _alike(getattr(explanation, name), getattr(other, name))
            expect(alike, f"{cls.__name__}: {name} differ between images, or for the same seed")
    _same_weights(before, _weights(task), cls)
    return explanation


def check_declaration(cls: type) -> None:
    """Name, docstring, dataclass, defaults, JSON options."""
    expect(isinstance(getattr(cls, "name", None), str), f"{cls.__name__} has no class attribute `name`")
    expect(bool(cls.__doc__), f"{cls.__name__} has no docstring")
    expect(dataclasses.is_dataclass(cls), f"{cls.__name__} is not a dataclass; its fields are its options")
    values = options.resolved(cls())
    try:
        json.dumps(values)
    except TypeError as error:
        raise ContractError(f"{cls.__name__}: options must be plain values; {error}") from error


def check_explanation(explanation: Explanation, batch: Batch) -> None:
    """Shapes, finiteness and sign of what an explainer returned for a batch."""
    given = [name for name in (*FIELDS, "maps") if explanation.has(name)]
    expect(bool(given), "the explanation is empty; give at least one of maps, scores, contributions, logits")
    try:
        if explanation.has("maps"):
            _ = explanation.maps
        _ = explanation.part_drops
        explanation.validate(len(batch))
    except ValueError as error:
        raise ContractError(str(error)) from error


def check_metric(metric: Metric, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
    """Feed a metric one batch, whole and image by image: the same scores, within its bounds, aggregates between units.

    The explanation and batch must hold what the metric needs.
    """
    cls = type(metric)
    for name in ("name", "version", "needs", "images", "higher_is_better", "bounds", "unit"):
        expect(hasattr(cls, name), f"metric {cls.__name__} has no class attribute `{name}`")
    expect(bool(cls.__doc__), f"{cls.__name__} has no docstring")
    whole, single = copy.deepcopy(metric), copy.deepcopy(metric)
    whole.update(batch, explanation, outputs)
    for i in range(len(batch)):
        single.update(batch[i : i + 1], _pick(explanation, i), _pick_outputs(outputs, i))
    scores, others = whole.compute(), single.compute()
    expect(scores.keys() == others.keys(), f"{metric.name} gives {set(scores)} at once, {set(others)} one by one")
    for name, score in scores.items():
        value, other = aggregate(score), aggregate(others[name])
        expect(
            bool(np.isclose(value, other, rtol=1e-4, atol=1e-5, equal_nan=True)),
            f"{name} is {value:.6g} for the batch, {other:.6g} image by image",
        )
        low, high = metric.bounds
        if "@" not in name and not np.isnan(value):
            expect(low - 1e-6 <= value <= high + 1e-6, f"{name} is {value:.6g}, outside its bounds {metric.bounds}")


def unmet(needs: Sequence[str], explanation: Explanation, batch: Batch) -> str:
    """Why a metric with these needs is skipped for this explanation of this batch; "" if it is not."""
    for name in needs:
        of_explanation = hasattr(explanation, "_maps" if name == "maps" else name)
        if of_explanation and not explanation.has(name):
            return f"the explanation has no {name}"
        if not of_explanation and getattr(batch, name) is None:
            return f"the dataset has no {name}"
    return ""


def aggregate(score: Scores) -> float:
    """The aggregate of scores: its own value, else the mean over units that have one."""
    if score.value is not None:
        return float(score.value)
    values = np.asarray(score.values, dtype=float)
    return float(np.nanmean(values)) if values.size and not np.isnan(values).all() else float("nan")


def _fitted(cls: type, task: Task, given: Mapping[str, Any] | None) -> Any:
    explainer = cls(**(given or {}))
    try:
        fit(explainer, task)
    except NotApplicable:
        return None
    return explainer


def _pick(explanation: Explanation, i: int) -> Explanation:
    values: dict[str, Any] = {
        name: getattr(explanation, name)[i : i + 1] for name in PER_IMAGE if explanation.has(name)
    }
    if explanation.is_classifier:
        values["explained"] = values["logits"]
    values |= {name: getattr(explanation, name) for name in SAME_FOR_ALL}
    return Explanation(grid=explanation.grid, **values)


def _pick_outputs(outputs: PerformerOutputs, i: int) -> PerformerOutputs:
    names = ("logits", "positive", "explained", "category", "category_logits")
    given = {name: value for name in names if (value := getattr(outputs, name)) is not None}
    effects = outputs.part_effects
    of_one = None if effects is None else lambda wanted: effects(wanted.expand(len(outputs.logits), -1))[i : i + 1]
    return dataclasses.replace(
        outputs, part_effects=of_one, **{name: value[i : i + 1] for name, value in given.items()}
    )


def _weights(task: Task) -> dict[str, Tensor]:
    stages = task.performer.stages.items()
    return {f"{stage}.{n}": v.clone() for stage, module in stages for n, v in module.state_dict().items()}


def _same_weights(before: dict[str, Tensor], after: dict[str, Tensor], cls: type) -> None:
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    expect(not changed, f"{cls.__name__} changed the performer: {', '.join(changed[:3])}")


def _alike(a: Tensor | float | None, b: Tensor | float | None) -> bool:
    if a is None or b is None:
        return a is b
    return torch.equal(torch.as_tensor(a).cpu(), torch.as_tensor(b).cpu())


def _same(a: Tensor, b: Tensor, message: str) -> None:
    expect(a.shape == b.shape, f"{message}: {tuple(a.shape)} and {tuple(b.shape)}")
    scale = float(a.abs().max().clamp(min=1e-12))
    worst = float((a - b).abs().max()) / scale
    expect(worst < 1e-3, f"{message}: by {worst:.1e} of the largest value")
