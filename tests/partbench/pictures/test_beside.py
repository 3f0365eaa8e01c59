"""Filters beside the performer's own: which explainers get the picture, and what stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from toys import SIDE, toy_task

from partbench import Explainer, Explanation, NotApplicable
from partbench.pictures.beside import OrdinaryFilters, draw_beside, draw_beside_sheet, same_maps
from partbench.pictures.filters import OUTLINE, FilterSheet
from partbench.pictures.sheet import outline
from partbench.pictures.tiles import Tile
from partbench.pictures.top_images import TopImages
from partbench.pictures.view import View
from partbench.registry import load
from partbench.running.cell import fit


class Planted(Explainer):
    """Eight filters that see one cell each; they belong to no part, to the first and to the second in turn."""

    name = "planted"

    def explain(self, images):
        maps = torch.zeros(len(images), 8, 4, 4)
        maps.flatten(2)[:, range(8), range(8)] = 1 + torch.arange(8.0)
        return Explanation(maps, scores=maps.amax((2, 3)), parts=torch.arange(8) % 3 - 1)


def planted_sheet() -> FilterSheet:
    explanation = Planted().explain(["an image"])
    top = TopImages(explanation.scores.T, torch.zeros(8, 1, dtype=torch.long), explanation.maps.transpose(0, 1))
    image = torch.full((24, 24, 3), 0.5).numpy()
    return FilterSheet(top, explanation, [0], None, {0: image}, 24, ("head", "tail"))


def test_ordinary_filters_are_the_activations_of_the_top_convolution(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    ordinary, batch = OrdinaryFilters(task), task.batch("test", range(3))
    expected = task.performer.activations(batch.pixels, ["conv2"])["conv2"]
    assert ordinary.layer == "conv2"
    torch.testing.assert_close(ordinary.explain(batch.images).maps, expected)


def test_each_row_names_its_filter_and_part_and_outlines_the_cell_it_sees() -> None:
    figure = draw_beside_sheet([planted_sheet()] * 2, ["left", "right"], "title")
    left, right = figure.subfigs
    assert left.get_suptitle().startswith("left")
    assert right.get_suptitle().startswith("right")
    (panel,) = left.axes
    labels = [text.get_text() for text in panel.texts if text.get_rotation()]
    assert labels == [
        "filter 7: head", "filter 6", "filter 5: tail", "filter 4: head", "filter 3", "filter 2: tail",
    ]  # fmt: skip
    border, ring = panel.lines[:2]
    assert to_rgba(border.get_color()) == to_rgba(OUTLINE)
    assert ring.get_marker() == "o"
    x0, x1, y1, y0 = panel.images[0].get_extent()
    x, y = (border.get_xdata().mean() - x0) / (x1 - x0), (border.get_ydata().mean() - y0) / (y1 - y0)
    assert (x, y) == pytest.approx((3.5 / 4, 1.5 / 4), abs=0.03)  # cell 7 of 4 x 4


def test_outline_encloses_the_mask() -> None:
    axis, mask = Figure().subplots(), torch.zeros(20, 20, dtype=torch.bool)
    mask[2:6, 3:9] = mask[10:12, 10:12] = True
    outline(Tile(axis, -0.5, -0.5, 20), mask.numpy(), "red")
    ends = {(*line.get_xydata().min(0), *line.get_xydata().max(0)) for line in axis.lines}
    assert ends == {(3, 2, 8, 5), (10, 10, 11, 11)}


def test_picture_is_written_and_refused_where_the_filters_are_the_performers(tmp_path: Path, monkeypatch) -> None:
    task, path = toy_task(tmp_path), tmp_path / "beside.png"
    task.dataset.part_names = ("head", "tail")
    made = []
    monkeypatch.setattr("partbench.pictures.beside.draw_beside_sheet", lambda *of: made.append(of) or Figure())
    monkeypatch.setattr("partbench.pictures.top_images.LEAST", 6)  # the toy has six filters
    assert draw_beside(View(task, Planted(), [0, 1], task.dataset), path) == path
    assert path.read_bytes().startswith(b"\x89PNG")
    sheets, titles, _ = made[0]
    assert sheets[0].top.maps.shape[2:] == (4, 4)
    assert sheets[1].top.maps.shape[2:] == (SIDE // 2, SIDE // 2)
    assert titles == ["filters of planted", "ordinary filters of toy, layer conv2"]
    same = load().explainers["top_conv"].cls()
    fit(same, task)
    with pytest.raises(NotApplicable, match="are the performer's own"):
        draw_beside(View(task, same, [0, 1], task.dataset), path)


def test_maps_on_demand_are_not_evaluated_to_compare_them() -> None:
    def never():
        raise AssertionError("evaluated")

    assert not same_maps(Explanation(never), Explanation(torch.ones(1, 1, 2, 2)))
    assert same_maps(Explanation(torch.ones(1, 1, 2, 2)), Explanation(torch.ones(1, 1, 2, 2)))
    assert not same_maps(Explanation(torch.ones(1, 1, 2, 2)), Explanation(torch.zeros(1, 1, 2, 2)))
