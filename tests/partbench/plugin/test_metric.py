"""The base classes of metrics: options checked against their types, values of images gathered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
import torch
from annotated_types import Ge, Gt, MinLen

from partbench import Batch, Explanation, ImageMetric, InputError, Metric, PerformerOutputs
from partbench.testing import ContractError, check_metric


@dataclass
class Shares(ImageMetric):
    """The value given for each image, over all images and over those above a limit."""

    name = "shares"
    higher_is_better = True

    limit: Annotated[float, Gt(0)] = 0.5
    weights: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (1,)
    kind: Literal["plain", "fancy"] = "plain"

    def readings(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> dict[str, np.ndarray]:
        values = explanation.scores[:, 0].numpy()
        return {"": values, "@high": np.ma.masked_array(values, values <= self.limit)}


def batch_of(values: list[float], first: int = 0) -> tuple[Batch, Explanation, PerformerOutputs]:
    n = len(values)
    ids = tuple(f"image {first + i}" for i in range(n))
    outputs = PerformerOutputs(torch.zeros(n, 2), torch.ones(n, dtype=torch.bool), 0, torch.zeros(n), None)
    batch = Batch(ids, torch.zeros(n, 3, 4, 4), torch.zeros(n, dtype=torch.long))
    return batch, Explanation(scores=torch.tensor(values)[:, None]), outputs


def test_values_of_images_are_gathered_over_batches_and_those_that_do_not_count_are_left_out() -> None:
    metric = Shares()
    metric.update(*batch_of([0.25, 0.75]))
    metric.update(*batch_of([1.0, math.nan, 0.5], first=2))
    found = metric.compute()
    assert list(found) == ["shares", "shares@high"]
    assert list(found["shares"].units) == [f"image {i}" for i in range(5)]
    np.testing.assert_array_equal(found["shares"].values, [0.25, 0.75, 1, math.nan, 0.5])
    assert list(found["shares@high"].units) == ["image 1", "image 2", "image 3"]  # a missing value still counts
    np.testing.assert_array_equal(found["shares@high"].values, [0.75, 1, math.nan])


def test_one_metric_knows_nothing_of_the_images_of_another() -> None:
    first, second = Shares(), Shares()
    first.update(*batch_of([1.0]))
    second.update(*batch_of([2.0], first=1))
    assert list(second.compute()["shares"].values) == [2]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"limit": 0}, "shares: limit is 0, expected greater than 0"),
        (
            {"limit": "much"},
            "shares: limit is 'much', expected float; input should be a valid number, "
            "unable to parse string as a number",
        ),
        ({"weights": (2, 0)}, "shares: weights is (2, 0), expected greater than or equal to 1"),
        (
            {"weights": ()},
            "shares: weights is (), expected tuple; tuple should have at least 1 item after validation, not 0",
        ),
        ({"kind": "odd"}, "shares: kind is 'odd', expected one of plain, fancy"),
    ],
)
def test_an_option_that_its_type_does_not_admit_is_one_line_that_says_what_is_expected(options, line) -> None:
    with pytest.raises(InputError) as caught:
        Shares(**options)
    assert str(caught.value) == line


def test_options_are_converted_to_their_types() -> None:
    metric = Shares(limit="0.75", weights=[1, 2])
    assert (metric.limit, metric.weights) == (0.75, (1, 2))


def test_a_metric_without_its_methods_says_which_one_it_lacks() -> None:
    class Empty(Metric):
        """Nothing."""

    class Unread(ImageMetric):
        """No readings."""

    with pytest.raises(NotImplementedError, match=r"Empty has no method update\(batch, explanation, outputs\)"):
        Empty().update(*batch_of([1.0]))
    with pytest.raises(NotImplementedError, match=r"Empty has no method compute\(\)"):
        Empty().compute()
    with pytest.raises(NotImplementedError, match=r"Unread has no method readings"):
        Unread().update(*batch_of([1.0]))


def test_a_metric_is_by_default_unbounded_of_images_of_the_category_and_needs_nothing() -> None:
    assert (Metric.bounds, Metric.images, Metric.of, Metric.needs, Metric.version) == (
        (-math.inf, math.inf), "positive", "image", (), "1",
    )  # fmt: skip


def test_the_contract_check_takes_a_metric_by_its_base_and_refuses_what_is_not_declared() -> None:
    check_metric(Shares(limit=0.1), *batch_of([0.5, 1.0]))

    class Nameless(ImageMetric):
        """No name."""

    class Odd(Shares):
        """Of something unknown."""

        of = "filter"

    class Fed(Shares):
        """Fed with something unknown."""

        images = "negative"

    for metric, message in (
        (object(), "object is no partbench.Metric; derive it from that class"),
        (Nameless(), "metric Nameless has no class attribute `name`"),
        (Odd(), "Odd.of is 'filter', expected one of image, concept, part, pair, all"),
        (Fed(), "Fed.images is 'negative', expected one of positive, all"),
    ):
        with pytest.raises(ContractError, match=message):
            check_metric(metric, *batch_of([0.5, 1.0]))


def test_the_contract_check_sees_a_value_outside_the_bounds_and_one_that_depends_on_the_batch() -> None:
    class Bounded(Shares):
        """Values up to 1."""

        bounds = (0.0, 1.0)

    class Ranks(Shares):
        """The rank of an image in its batch."""

        def readings(self, batch, explanation, outputs):
            return {"": explanation.scores[:, 0].argsort().numpy()}

    with pytest.raises(ContractError, match=r"shares is 2, outside its bounds \(0.0, 1.0\)"):
        check_metric(Bounded(), *batch_of([1.0, 3.0]))
    with pytest.raises(ContractError, match="shares is 1 for the batch, 0 image by image"):
        check_metric(Ranks(), *batch_of([0.5, 1.0, 0.7]))
