"""Concepts by encode and decode: what follows from them, against networks and codes whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from partbench import ConceptExplainer, InputError, NotApplicable, Task, check_explainer, open_task
from partbench.declaration import fault
from partbench.testing.checks import misspelt


@pytest.fixture(scope="module")
def task() -> Task:
    return open_task("fauna/multi:bird")


@dataclass
class Rotated(ConceptExplainer):
    """An orthogonal code of all channels, which loses nothing: principal components."""

    name: ClassVar[str] = "rotated"
    most_cells: ClassVar[int] = 500
    layer: str = "target"

    def learn(self, activations, seed):
        self.learned = activations
        self.mean = activations.mean(0)
        self.axes = torch.linalg.svd(activations - self.mean, full_matrices=True)[2]

    def encode(self, activations):
        return (activations - self.mean) @ self.axes.T

    def decode(self, codes):
        return codes @ self.axes + self.mean


@dataclass
class Whole(ConceptExplainer):
    """The channels themselves, as whole maps."""

    name: ClassVar[str] = "whole"
    of: ClassVar = "map"
    layer: str = "target"

    def encode(self, activations):
        return activations

    def decode(self, codes):
        return codes


def fitted(cls: type, task: Task, **given: object):
    explainer = cls(**given)
    explainer.fit(task.training)
    return explainer


def test_codes_that_lose_nothing_give_the_logit_of_the_performer(task: Task) -> None:
    batch = task.batch("test", range(4))
    for explainer in (fitted(Rotated, task), fitted(Whole, task), fitted(Rotated, task, layer="fc1")):
        torch.testing.assert_close(
            task.explain(explainer, batch).logits, task.explained(batch), rtol=1e-3, atol=1e-3
        )  # fmt: skip


def test_the_channels_as_concepts_have_the_maps_and_contributions_of_the_channels(task: Task) -> None:
    from partbench import channel_contributions

    batch = task.batch("test", range(4))
    activations = batch.images.activations("target")
    found = task.explain(fitted(Whole, task), batch)
    torch.testing.assert_close(found.maps, activations.relu())
    torch.testing.assert_close(found.scores, activations.amax((2, 3)))
    expected = channel_contributions(task.performer.segment("target", "logits"), activations, task.target)
    torch.testing.assert_close(found.contributions, expected)
    assert found.grid == task.performer.receptive_field("target")


def test_where_all_above_is_linear_contributions_sum_to_the_logit_less_its_value_without_concepts(task: Task) -> None:
    explainer, batch = fitted(Rotated, task, layer="fc2"), task.batch("test", range(4))
    found = task.explain(explainer, batch)
    nothing = explainer.without(batch.images, list(range(found.scores.shape[1])))
    torch.testing.assert_close(found.contributions.sum(1), found.logits - nothing, rtol=1e-3, atol=1e-3)
    lacking = found.logits - explainer.without(batch.images, [2])
    torch.testing.assert_close(found.contributions[:, 2], lacking, rtol=1e-3, atol=1e-3)
    assert not found.has("maps")


def test_it_keeps_the_contract(task: Task) -> None:
    assert check_explainer(Rotated, task, images=2) is not None


def test_cells_to_learn_from_are_cells_of_the_layer_as_many_as_asked_for(task: Task) -> None:
    activations = task.training.activations("target")
    learned = fitted(Rotated, task).learned
    assert 400 < len(learned) <= 500
    cells = activations[:].movedim(1, -1).flatten(0, 2)
    assert all((cells == cell).all(1).any() for cell in learned[::100])


def test_concepts_may_be_learned_from_images_of_the_category_alone(task: Task) -> None:
    @dataclass
    class OfCategory(Rotated):
        """Cells of the explained category."""

        most_cells: ClassVar[int] = 10**6
        learns_from: ClassVar = "explained"

    found = fitted(OfCategory, task, layer="fc2").learned
    rows = torch.nonzero(task.training.positive(task.training.labels)).flatten()
    torch.testing.assert_close(found, task.training.activations("fc2")[rows])


def test_all_logits_are_explained_without_contributions() -> None:
    task = open_task("fauna/multi")
    batch = task.batch("test", range(2))
    found = task.explain(fitted(Whole, task), batch)
    torch.testing.assert_close(found.logits, task.category_logits(batch))
    assert found.contributions is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decode": lambda self, codes: codes.detach()}, "no gradient passes through decode"),
        ({"encode": lambda self, cells: cells[0]}, r"encode returned \(64,\), expected a tensor of \(m, k\)"),
        ({"decode": lambda self, codes: None}, "decode returned NoneType"),
    ],
)
def test_what_encode_and_decode_return_is_checked(task: Task, change: dict, said: str) -> None:
    explainer = fitted(type("Odd", (Rotated,), change), task)
    with pytest.raises(ValueError, match=said):
        explainer.explain(task.batch("test", [0, 1]).images)


def test_a_layer_that_is_not_there_or_has_no_maps_is_not_applicable(task: Task) -> None:
    with pytest.raises(NotApplicable, match=r"has no layer 'conv9'; did you mean 'conv\d'\? its layers: target"):
        fitted(Rotated, task, layer="conv9")
    with pytest.raises(NotApplicable, match=r"'fc1' of small_vgg is \(\d+, 256\), expected a map"):
        fitted(Whole, task, layer="fc1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"of": "cells"}, "Odd: of is 'cells', expected 'cell' or 'map'"),
        ({"learns_from": "category"}, "expected 'all' or 'explained'"),
        ({"most_cells": 1e5}, "Odd: most_cells is 100000.0, expected a number of cells above 0"),
        ({"layer": 3}, "Odd: layer is 3, expected the role or name of a layer"),
        ({"learn": lambda self, activations: None}, r"Odd.learn is learn\(self, activations\), expected \(self, activ"),
        ({"encode": lambda self: None}, r"expected \(self, activations\)"),
    ],
)
def test_a_class_with_other_attributes_or_parameters_is_refused_where_it_is_defined(change: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        type("Odd", (Rotated,), change)


def test_what_is_missing_is_told_when_the_class_is_registered_and_a_wrong_option_when_it_is_made() -> None:
    bare = dataclass(type("Bare", (ConceptExplainer,), {"name": "bare"}))
    assert fault("explainers", bare) == "class Bare: expected of explainers, and not there: decode(), encode()"
    with pytest.raises(InputError, match="layer is '', expected the role or name of a layer"):
        Rotated(layer="")


def test_a_misspelt_class_attribute_is_told_with_the_one_meant() -> None:
    assert misspelt(type("Odd", (Rotated,), {"learn_from": "explained"})) == [("learn_from", "learns_from")]
