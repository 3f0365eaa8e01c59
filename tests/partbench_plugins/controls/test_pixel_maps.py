from __future__ import annotations

import pytest
import torch

from partbench import Task
from partbench_plugins.controls.pixel_maps import Colour, Edges

from ..toys import SIDE


def test_edges_are_where_the_brightness_changes_in_any_direction() -> None:
    pixels = torch.zeros(2, 3, SIDE, SIDE)
    pixels[0, :, 6:] = 0.75  # a step between rows 5 and 6
    pixels[1] = pixels[0].transpose(1, 2)
    down, across = Edges().of_pixels(pixels)[:, 0]
    assert torch.equal(down, across.T)
    assert down[5:7] == pytest.approx(torch.full((2, SIDE), 0.375))
    assert down[:5].max() == down[7:].max() == 0


def test_an_image_of_one_colour_has_no_edges_not_even_at_its_border() -> None:
    assert Edges().of_pixels(torch.full((1, 3, SIDE, SIDE), 0.7)).max() < 1e-6


@pytest.mark.parametrize("against", ["border", "image"])
def test_colour_is_the_distance_from_the_usual_colour(against: str) -> None:
    pixels = torch.full((1, 3, 32, 32), 0.5)
    pixels[0, 0, 8:16, 8:16] = 1.0
    usual = torch.tensor([0.5 if against == "border" else 0.5 + 0.5 / 16, 0.5, 0.5])
    found = Colour(against=against).of_pixels(pixels)[0, 0]
    assert float(found[10, 10]) == pytest.approx(1 - float(usual[0]), abs=1e-5)
    assert float(found[0, 0]) == pytest.approx(float(usual[0]) - 0.5, abs=1e-5)


@pytest.mark.parametrize("cls", [Edges, Colour])
def test_the_map_is_the_mean_over_the_pixels_of_a_cell(cls: type[Edges] | type[Colour], task: Task) -> None:
    explainer = cls()
    explainer.fit(task.training)
    images = task.batch("test", range(4)).images
    maps, pixels = explainer.explain(images).maps, explainer.of_pixels(images.pixels)
    assert float(maps[1, 0, 2, 3]) == pytest.approx(float(pixels[1, 0, 4:6, 6:8].mean()), rel=1e-5)
    assert maps.mean() == pytest.approx(float(pixels.mean()), rel=1e-5)
