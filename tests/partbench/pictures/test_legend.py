"""The strip below a picture: parts that are shown, what numbers and colours mean."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from partbench import Batch
from partbench.catalogue import catalogue
from partbench.pictures.legend import PART_COLOURS, draw_legend, heated, legend_height, outline_colour, shown_parts


def batch(**truth: torch.Tensor) -> Batch:
    return Batch(("a",), torch.zeros(1, 3, 8, 8), torch.zeros(1), **truth)


def test_only_parts_that_are_outlined_are_named_and_landmarks_only_without_masks() -> None:
    masks = torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    masks[0, 1, 3, 3] = True
    landmarks = torch.tensor([[[1.0, 2.0], [float("nan")] * 2]])
    assert shown_parts(batch(masks=masks, landmarks=landmarks), ("head", "tail"), ("eye", "ear")) == [(1, "tail")]
    assert shown_parts(batch(landmarks=landmarks), (), ("eye", "ear")) == [(0, "eye")]
    assert shown_parts(batch(), ("head",), ()) == []


def test_names_stand_beside_squares_in_the_colour_of_the_outline() -> None:
    figure = Figure(figsize=(3, 1))
    draw_legend(figure, [(0, "head"), (3, "tail")], ["what it means"], bar=True)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["head", "tail", "what it means"]
    assert [line.get_color() for line in axis.lines] == [PART_COLOURS(0), PART_COLOURS(3)]
    assert len(axis.images) == 1


def test_every_part_of_the_rendered_datasets_has_a_colour_of_its_own() -> None:
    for dataset in catalogue().of("datasets"):
        if dataset.name.startswith("fauna"):
            count = len(dataset.facts["parts"].split(", "))
            assert len({outline_colour(part) for part in range(count)}) == count > 1, dataset.name


def test_many_names_take_more_lines() -> None:
    parts = [(number, "a long name of a part") for number in range(12)]
    assert legend_height(3, parts, []) > legend_height(30, parts, [])


def test_no_heat_leaves_the_grey_as_it_is() -> None:
    grey = np.full((2, 2, 3), 0.4)
    seen = heated(grey, np.array([[0.0, 1.0], [0.0, 0.5]]))
    assert (seen[:, 0] == 0.4).all()
    assert np.ptp(seen[0, 1]) > 0.2
