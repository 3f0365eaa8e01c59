"""The contract, as checks that plugin authors run on their own classes.

Each raises `ContractError`, saying what was expected and found.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import inspect
import json
import typing
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from partbench import advice, options
from partbench.advice import Advice, advised
from partbench.plugin import Control, Explainer, ImageMetric, Metric
from partbench.running.cell import fit, report_rows
from partbench.running.integrity import PerformerChanged, unchanged
from partbench.running.scoring import MetricState
from partbench.task import Task
from partbench.types import FIELDS, LAZY, Batch, Explanation, NotApplicable, PerformerOutputs, Scores

PER_IMAGE = (*FIELDS, "maps", "part_drops")
SAME_FOR_ALL = ("parts", "threshold")
VALUE_OF = ("image", "concept", "part", "pair", "all")
FED = ("positive", "all")
CONTROLS = typing.get_args(Control)


class ContractError(AssertionError):
    """A plugin does not keep the contract."""


def expect(condition: bool, message: str, mending: Advice | None) -> None:
    """Raise ContractError with the message, and advice on how to mend it, unless the condition holds."""
    if not condition:
        raise advised(ContractError(message), mending)


def check_explainer(
    cls: type, task: Task, images: int = 6, given: Mapping[str, Any] | None = None
) -> Explanation | None:
    """Fit an explainer on a task and check what it returns. `given` are options, for explainers that train for long.

    Shapes, finite values, maps >= 0; the same explanation for the same seed, and for an image alone or in a batch;
    logits that move when the pixels are blanked, but for floors; options that are plain JSON; the performer left as it
    was. A public method whose name is nearly that of a capability is a warning. Returns the explanation of the images,
    or None where the explainer raised NotApplicable for the task; the reason is a warning.
    """
    check_declaration(cls)
    try:
        with unchanged(task.performer):
            return _check_explanations(cls, task, images, given)
    except PerformerChanged as error:
        raise advised(ContractError(f"{cls.__name__}: {error}"), advice.PERFORMER_CHANGED) from error


def _check_explanations(cls: type, task: Task, images: int, given: Mapping[str, Any] | None) -> Explanation | None:
    first = _fitted(cls, task, given)
    if first is None:
        return None
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten()[:images].tolist()
    batch = task.batch("test", rows)
    explanation = explained(first, task, batch)
    halves = [explained(first, task, half) for half in (batch[: images // 2], batch[images // 2 :])]
    for name in PER_IMAGE:
        if explanation.has(name):
            joined = torch.cat([getattr(half, name) for half in halves])
            _same(
                getattr(explanation, name),
                joined,
                f"{cls.__name__}: {name} depend on the other images of the batch",
                advice.ALONE,
            )
    again = _fitted(cls, task, given)
    expect(again is not None, f"{cls.__name__} raised NotApplicable at the second fit only", advice.SECOND_FIT)
    repeat = explained(again, task, batch)
    for name in PER_IMAGE:
        if explanation.has(name):
            _same(
                getattr(explanation, name),
                getattr(repeat, name),
                f"{cls.__name__}: {name} differ for the same seed",
                advice.SEED,
            )
    for name in SAME_FOR_ALL:
        for other in (*halves, repeat):
            alike = _alike(getattr(explanation, name), getattr(other, name))
            expect(alike, f"{cls.__name__}: {name} differ between images, or for the same seed", advice.SEED)
    check_blanked(first, batch, explanation)
    check_said(first)
    return explanation


def check_said(explainer: Explainer) -> None:
    """What a fitted explainer says of itself: `report`, `control` and `concept_names`."""
    try:
        report_rows(explainer, ())
    except ValueError as error:
        raise ContractError(str(error)) from error
    control, names = explainer.control(), explainer.concept_names()
    expect(
        control in CONTROLS,
        f"control() returned {control!r:.60}, expected one of {', '.join(map(repr, CONTROLS))}",
        advice.CONTROL,
    )
    texts = isinstance(names, (tuple, list)) and all(isinstance(name, str) for name in names)
    expect(texts, f"concept_names() returned {names!r:.60}, expected a tuple of texts", advice.CONCEPT_NAMES)


def check_needs(metric: Metric) -> None:
    """What a metric needs must be fields of Explanation or Batch."""
    known = ("maps", *FIELDS, "parts", "part_drops", *(f.name for f in dataclasses.fields(Batch) if f.name != "source"))
    for need in metric.needs:
        if need not in known:
            near = difflib.get_close_matches(str(need), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            text = f"{metric.name}.needs names '{need}', no field of Explanation or Batch; {hint}"
            raise advised(ContractError(text), advice.NEEDS)


def check_blanked(explainer: Explainer, batch: Batch, explanation: Explanation) -> None:
    """Logits that an explainer predicts must depend on the pixels it is given; those of a floor need not."""
    if explanation.logits is None or explainer.control() == "floor":
        return
    images = batch.images
    blank = explainer.explain(images.with_pixels(torch.zeros_like(images.pixels))).logits
    moved = blank is not None and not torch.allclose(blank.to(explanation.logits), explanation.logits)
    expect(
        moved,
        f"{explainer.name}: logits of blanked images are those of the images; does it look at the pixels?",
        advice.BLANKED,
    )


def expect_docstring(cls: type) -> None:
    """Raise ContractError for a class without a docstring of its own; dataclasses make one of their fields."""
    text = cls.__doc__ or ""
    expect(bool(text) and not text.startswith(f"{cls.__name__}("), f"{cls.__name__} has no docstring", advice.DOCSTRING)


def check_declaration(cls: type) -> None:
    """Name, docstring, a dataclass if there are options, defaults, JSON options."""
    expect(
        isinstance(getattr(cls, "name", None), str),
        f"{cls.__name__} has no class attribute `name`",
        advice.NAME_MISSING,
    )
    expect_docstring(cls)
    expect(
        dataclasses.is_dataclass(cls) or not _declares_options(cls),
        f"{cls.__name__} is not a dataclass; its fields are its options",
        advice.DATACLASS,
    )
    values = options.resolved(cls())
    try:
        json.dumps(values)
    except TypeError as error:
        text = f"{cls.__name__}: options must be plain values; {error}"
        raise advised(ContractError(text), advice.PLAIN_OPTIONS) from error
    for name, capability in misspelt(cls):
        what = "method" if callable(getattr(cls, name)) else "class attribute"
        warnings.warn(f"{cls.__name__} has a {what} `{name}`; did you mean `{capability}`?", stacklevel=2)


def _declares_options(cls: type) -> bool:
    """Whether a class has what would be fields of a dataclass, or an `__init__` of its own."""
    annotations = inspect.get_annotations(cls).values()  # classes, or texts
    return "__init__" in vars(cls) or any("ClassVar" not in str(annotation) for annotation in annotations)


def misspelt(cls: type) -> list[tuple[str, str]]:
    """Public methods and class attributes of an explainer, no options, named nearly as those of its base class are.

    Each comes with the name that it resembles.
    """
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "partbench"] or [Explainer]
    offered = [name for name in dir(bases[0]) if not name.startswith("_")]
    own = [
        name for name in dir(cls) if not name.startswith("_") and name not in [*offered, "name", *options.names(cls)]
    ]
    near = {name: difflib.get_close_matches(name, offered, n=1, cutoff=0.8) for name in own}
    return [(name, capabilities[0]) for name, capabilities in near.items() if capabilities]


def explained(explainer: Explainer, task: Task, batch: Batch) -> Explanation:
    """What an explainer makes of a batch, lazy fields too. Raises ContractError where it does not keep the contract."""
    try:
        explanation = task.explain(explainer, batch)
        given = [name for name in (*FIELDS, "maps") if explanation.has(name)]
        expect(
            bool(given),
            "the explanation is empty; give at least one of maps, scores, contributions, logits",
            advice.EMPTY,
        )
        for name in LAZY:
            if explanation.has(name):
                getattr(explanation, name)
    except ValueError as error:
        raise ContractError(str(error)) from error
    return explanation


def check_metric(metric: Metric, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
    """Feed a metric one batch, whole and image by image: the same scores, within its bounds, aggregates between units.

    Its rows must be such as a run accepts: the mean of the evidence of images is the aggregate. The explanation and
    batch must hold what the metric needs.
    """
    _check_metric_declaration(metric)
    if isinstance(metric, ImageMetric):
        check_readings(copy.deepcopy(metric), batch, explanation, outputs)
    whole, single = copy.deepcopy(metric), copy.deepcopy(metric)
    whole.update(batch, explanation, outputs)
    state = MetricState(whole, len(batch))
    refused = [row["reason"] for row in state.rows() if row["status"] == "failed"]
    expect(not refused, f"a run refuses its scores: {'; '.join(refused)}", state.advice or advice.REFUSED)
    for i in range(len(batch)):
        single.update(batch[i : i + 1], _pick(explanation, i), _pick_outputs(outputs, i))
    scores, others = whole.compute(), single.compute()
    expect(
        scores.keys() == others.keys(),
        f"{metric.name} gives {set(scores)} at once, {set(others)} one by one",
        advice.SAME_SCORES,
    )
    for name, score in scores.items():
        value, other = aggregate(score), aggregate(others[name])
        expect(
            bool(np.isclose(value, other, rtol=1e-4, atol=1e-5, equal_nan=True)),
            f"{name} is {value:.6g} for the batch, {other:.6g} image by image",
            advice.IMAGE_BY_IMAGE,
        )
        if "@" not in name:
            _check_bounds(name, value, metric.bounds)


def _check_metric_declaration(metric: Metric) -> None:
    """What a metric says of itself: its class attributes, its docstring, its needs."""
    cls = type(metric)
    expect(
        isinstance(metric, Metric),
        f"{cls.__name__} is no partbench.Metric; derive it from that class",
        advice.METRIC_BASE,
    )
    for name in ("name", "higher_is_better"):
        expect(hasattr(cls, name), f"metric {cls.__name__} has no class attribute `{name}`", advice.ABSENT)
    expect(
        metric.of in VALUE_OF,
        f"{cls.__name__}.of is '{metric.of}', expected one of {', '.join(VALUE_OF)}",
        advice.METRIC_OF,
    )
    expect(
        metric.images in FED,
        f"{cls.__name__}.images is '{metric.images}', expected one of {', '.join(FED)}",
        advice.METRIC_IMAGES,
    )
    expect_docstring(cls)
    check_needs(metric)


def _check_bounds(name: str, value: float, bounds: tuple[float, float]) -> None:
    """A value within bounds; a warning where there is none."""
    if np.isnan(value):
        warnings.warn(f"{name} has no value on the images tried: all are NaN", stacklevel=3)
        return
    low, high = bounds
    inside = low - 1e-6 <= value <= high + 1e-6
    expect(inside, f"{name} is {value:.6g}, outside its bounds {bounds}", advice.BOUNDS)


def check_readings(metric: ImageMetric, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
    """`readings` must return a value for each image, by reading; a metric with its own `compute` names them freely."""
    by_variant = type(metric).compute is ImageMetric.compute
    found = metric.readings(batch, explanation, outputs)
    expect(
        isinstance(found, dict),
        f"readings() returned a {type(found).__name__}, expected a dict of values by reading",
        advice.READINGS,
    )
    for reading, values in found.items():
        named = isinstance(reading, str) and (not by_variant or not reading or reading.startswith("@"))
        expect(named, f"readings() names a reading {reading!r:.60}, expected '' or '@variant'", advice.READINGS)
        shape = tuple(getattr(values, "shape", ()))
        expect(
            shape == (len(batch),),
            f"readings() gives {shape} as {reading!r}, expected ({len(batch)},)",
            advice.READINGS,
        )


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
    except NotApplicable as error:
        warnings.warn(f"{explainer.name} does not explain {task.name}: {error}", stacklevel=2)
        return None
    return explainer


def _pick(explanation: Explanation, i: int) -> Explanation:
    values: dict[str, Any] = {
        name: getattr(explanation, name)[i : i + 1] for name in PER_IMAGE if explanation.has(name)
    }
    if explanation.is_classifier:
        values["explained"] = values["logits"]
    values |= {name: getattr(explanation, name) for name in SAME_FOR_ALL}
    if explanation.unmasked is not None:
        values["unmasked"] = explanation.unmasked[i : i + 1]
    return Explanation(grid=explanation.grid, **values)


def _pick_outputs(outputs: PerformerOutputs, i: int) -> PerformerOutputs:
    names = ("logits", "positive", "explained", "category", "category_logits")
    given = {name: value for name in names if (value := getattr(outputs, name)) is not None}
    effects = outputs.part_effects
    of_one = None if effects is None else lambda wanted: effects(wanted.expand(len(outputs.logits), -1))[i : i + 1]
    return dataclasses.replace(
        outputs, part_effects=of_one, **{name: value[i : i + 1] for name, value in given.items()}
    )


def _alike(a: Tensor | float | None, b: Tensor | float | None) -> bool:
    if a is None or b is None:
        return a is b
    return torch.equal(torch.as_tensor(a).cpu(), torch.as_tensor(b).cpu())


def _same(a: Tensor, b: Tensor, message: str, mending: Advice) -> None:
    expect(a.shape == b.shape, f"{message}: {tuple(a.shape)} and {tuple(b.shape)}", mending)
    scale = float(a.abs().max().clamp(min=1e-12))
    worst = float((a - b).abs().max()) / scale
    expect(worst < 1e-3, f"{message}: by {worst:.1e} of the largest value", mending)
