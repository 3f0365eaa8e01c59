"""Metrics from a function of one image: what it gets, what follows from it, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest
import torch
from annotated_types import Ge

from partbench import Explanation, InputError, NotApplicable, Task, check_metric, image_metric, open_task
from partbench.running.cell import outputs_of
from partbench.running.scoring import unmet


@pytest.fixture(scope="module")
def task() -> Task:
    return open_task("fauna/multi:bird")


def explanation_of(task: Task, n: int = 4) -> Explanation:
    maps = torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return Explanation(maps, scores=maps.amax((2, 3)), contributions=maps.sum((2, 3)), logits=torch.arange(n).float())


def test_values_are_those_of_the_function_image_by_image(task: Task) -> None:
    batch, explanation = task.batch("test", range(4)), explanation_of(task)

    @image_metric(higher_is_better=True, unit="logits", version="2")
    def sum_of_all(maps, scores, contributions, logits, pixels, masks, landmarks, boxes, explained, *, power: int = 1):
        """A sum."""
        read = (maps, scores, contributions, pixels, masks, landmarks.nan_to_num(), boxes)
        return (sum(value.sum() for value in read) + logits - explained) ** power

    check_metric(sum_of_all(), batch, explanation, outputs_of(task, batch))
    metric = sum_of_all(power=2)
    metric.update(batch, explanation, outputs_of(task, batch))
    found = metric.compute()["sum_of_all"]
    fields = (explanation.maps, explanation.scores, explanation.contributions, batch.pixels, batch.masks, batch.boxes)
    total = sum(field.flatten(1).sum(1) for field in (*fields, batch.landmarks.nan_to_num()))
    expected = (total + explanation.logits - task.explained(batch)) ** 2
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=1e-5)
    assert found.units == batch.ids
    assert (metric.unit, metric.version, metric.higher_is_better, metric.images) == ("logits", "2", True, "positive")


def test_heatmaps_and_predictions_of_other_images_are_at_hand(task: Task) -> None:
    batch, explanation = task.batch("test", range(3)), explanation_of(task, 3)
    seen = []

    @image_metric(higher_is_better=False)
    def looks(heatmaps, pixels, predict, explained, positive):
        """Nothing but a look."""
        seen.append((heatmaps, predict(torch.stack([pixels, pixels * 0])), explained, positive))
        return 0.0

    looks().update(batch, explanation, outputs_of(task, batch))
    blank = task.explained(replace(batch, pixels=batch.pixels * 0))
    torch.testing.assert_close(torch.stack([one[0] for one in seen]), explanation.heatmaps(64, 64))
    torch.testing.assert_close(torch.stack([one[1] for one in seen]), torch.stack([task.explained(batch), blank], 1))
    torch.testing.assert_close(torch.stack([one[2] for one in seen]), task.explained(batch))
    assert [one[3] for one in seen] == task.positive(batch.labels).tolist()


def test_the_parameters_are_what_the_metric_needs(task: Task) -> None:
    cls = image_metric(name="odd", higher_is_better=True)(lambda heatmaps, maps, part_boxes, pixels, explained: 0)
    assert cls.needs == ("maps", "part_boxes")
    assert unmet(cls.needs, Explanation(), task.batch("test", [0])) == "the explanation has no maps"
    assert unmet(cls.needs, explanation_of(task), task.batch("test", [0])) == "the dataset has no part_boxes"


def test_variants_and_images_without_value(task: Task) -> None:
    batch = task.batch("test", range(4))
    cls = image_metric(higher_is_better=True, name="two")(
        lambda logits: {"": logits if logits > 1 else math.nan, "@half": logits / 2}
    )
    metric = cls()
    metric.update(batch, explanation_of(task), outputs_of(task, batch))
    found = metric.compute()
    np.testing.assert_array_equal(found["two"].values, [math.nan, math.nan, 2, 3])
    np.testing.assert_array_equal(found["two@half"].values, [0, 0.5, 1, 1.5])


def test_other_parameters_options_out_of_bounds_and_changing_readings_are_refused(task: Task) -> None:
    with pytest.raises(InputError, match="no parameter of an image metric named 'map'; did you mean 'maps'"):
        image_metric(higher_is_better=True, name="odd")(lambda map: 0)

    def bounded(scores, *, least: Annotated[int, Ge(1)] = 1):
        """An option."""

    with pytest.raises(InputError, match="least is 0"):
        image_metric(higher_is_better=True)(bounded)(least=0)
    batch, readings = task.batch("test", range(2)), iter([{"": 1}, {"@a": 1}])
    metric = image_metric(higher_is_better=True, name="odd")(lambda scores: next(readings))()
    with pytest.raises(ValueError, match="other readings for some images"):
        metric.update(batch, explanation_of(task, 2), outputs_of(task, batch))


def test_one_logit_is_not_read_where_all_are_explained() -> None:
    task = open_task("fauna/multi")
    batch = task.batch("test", range(2))
    for function in (lambda explained: 0, lambda predict: 0, lambda logits: 0):
        metric = image_metric(higher_is_better=True, name="one")(function)()
        with pytest.raises(NotApplicable, match="all logits are explained"):
            metric.update(batch, Explanation(logits=torch.zeros(2, 6)), outputs_of(task, batch))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"higher_is_better": 1}, "its higher_is_better is 1, expected True or False"),
        ({"bounds": (1, 0)}, r"its bounds is \(1, 0\), expected two numbers, the lower first"),
        ({"images": "every"}, "its images is 'every', expected"),
        ({"unit": None}, "its unit is None, expected a text"),
        ({"version": 1}, "its version is 1, expected a text"),
        ({"name": 3}, "name is 3, expected a text"),
    ],
)
def test_other_arguments_are_refused_where_the_metric_is_defined(given: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        image_metric(**{"name": "odd", "higher_is_better": True, **given})(lambda maps: 0)


@pytest.mark.parametrize("function", [lambda: 0, lambda *maps: 0])
def test_a_function_that_names_nothing_to_read_is_refused(function: object) -> None:
    with pytest.raises(InputError, match=r"reads nothing of an image|named '\*maps'"):
        image_metric(function, name="odd", higher_is_better=True)


@pytest.mark.parametrize("value", [None, "much", torch.ones(2)])
def test_what_is_no_number_is_told(task: Task, value: object) -> None:
    metric, batch = image_metric(lambda pixels: value, name="odd", higher_is_better=True)(), task.batch("test", [0])
    with pytest.raises(ValueError, match=r"odd: the function returned .*, expected a number, or numbers by reading"):
        metric.update(batch, explanation_of(task, 1), outputs_of(task, batch))
