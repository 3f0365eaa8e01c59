"""What the pictures show: which images, which concepts in which order, and maps where they belong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from toys import toy_task

from partbench import Explanation, InputError, NotApplicable
from partbench.pictures.sheet import Sheet, caption, draw_parts, draw_sheet, explain_sheet, order_concepts, save
from partbench.pictures.tiles import Tile
from partbench.pictures.top_images import top_images
from partbench.pictures.view import View, choose_images
from partbench.registry import load
from partbench.running.cell import fit


def test_chosen_images_show_the_category_and_are_spread_over_the_split(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    positive = torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()
    chosen = choose_images(task, 3)
    assert set(chosen) <= set(positive)
    assert (chosen[0], chosen[-1]) == (positive[0], positive[-1])
    assert choose_images(task, 1000) == positive


def test_a_category_without_test_images_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = toy_task(tmp_path)
    labels = task.labels("test")
    monkeypatch.setattr(task.dataset.test, "labels", labels[~task.positive(labels)][:1].expand(len(labels)))
    with pytest.raises(InputError, match=f"{task.name} has no test image of its category; `bench show --image INDEX`"):
        choose_images(task, 4)
    with pytest.raises(NotApplicable, match="no test image of its category"):
        top_images(task, None, 4)


def test_images_whose_parts_are_known_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = toy_task(tmp_path)
    batch = task.dataset.test.batch
    annotated = set(range(0, len(task.dataset.test), 2))

    def with_landmarks(indices):
        known = torch.tensor([[[1.0, 2.0]] if i in annotated else [[float("nan")] * 2] for i in indices])
        return dataclasses.replace(batch(indices), landmarks=known)

    monkeypatch.setattr(task.dataset.test, "batch", with_landmarks)
    assert set(choose_images(task, 2)) <= annotated


def test_concepts_are_ordered_by_contribution_before_score() -> None:
    maps, scores = torch.ones(2, 3, 2, 2), torch.tensor([[1.0, 2.0, 3.0]] * 2)
    assert order_concepts(Explanation(maps, scores=scores)) == [2, 1, 0]
    assert order_concepts(Explanation(maps, scores=scores, contributions=-scores)) == [0, 1, 2]
    assert order_concepts(Explanation(scores=scores)) == []


def test_captions_give_the_contribution_and_no_negative_zero() -> None:
    explanation = Explanation(contributions=torch.tensor([[1.234, -0.001]]))
    assert caption(explanation, 0, 0) == "#0: 1.23"
    assert caption(explanation, 0, 1) == "#1: 0.00"


@pytest.mark.parametrize("name", ["srae", "top_conv", "centre_map", "lasso", "mean_logit"])
def test_a_sheet_is_drawn_for_any_explainer(tmp_path: Path, name: str) -> None:
    task, explainer = toy_task(tmp_path), load().explainers[name].cls()
    fit(explainer, task)
    sheet = explain_sheet(View(task, explainer, choose_images(task, 2), task.dataset))
    path = save(draw_sheet(sheet, name), tmp_path / "a" / "picture.png")
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.std() > 10
    assert not list(path.parent.glob("*.part"))


def test_parts_are_outlined_where_their_masks_are() -> None:
    from partbench import Batch

    masks = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    masks[0, 0, 5:10, 3:8] = True
    batch = Batch(("a",), torch.zeros(1, 3, 20, 20), torch.zeros(1), masks=masks)
    axis = Figure().subplots()
    draw_parts(Tile(axis, 0, 0, 20), np.zeros((20, 20, 3)), batch, 0)
    (line,) = axis.lines
    assert (line.get_xdata().min(), line.get_xdata().max()) == (3.5, 7.5)
    assert (line.get_ydata().min(), line.get_ydata().max()) == (5.5, 9.5)


def test_a_concept_is_called_by_its_name_where_it_has_one() -> None:
    explanation = Explanation(contributions=torch.tensor([[0.5, 1.25]]))
    assert caption(explanation, 0, 1) == "#1: 1.25"
    assert caption(explanation, 0, 1, ("horns", "hat")) == "hat: 1.25"


@pytest.mark.parametrize("concepts", [1, 2, 6])
def test_no_text_is_cut_off_at_the_edge_of_the_picture(concepts: int) -> None:
    numbers = torch.ones(2, concepts)
    figure = sheet_of(Explanation(torch.ones(2, concepts, 2, 2), scores=numbers, contributions=numbers))
    FigureCanvasAgg(figure).draw()
    extents = [text.get_window_extent() for text in figure.findobj(Text) if text.get_text()]
    assert len(extents) > 5
    assert all(extent.x0 >= 0 and extent.x1 <= figure.bbox.width for extent in extents)


def sheet_of(explanation: Explanation, tops: tuple[float, ...] = (0.0, 0.0)) -> Figure:
    from partbench import Batch

    batch = Batch(("a", "b"), torch.full((2, 3, 8, 8), 0.5), torch.zeros(2))
    return draw_sheet(Sheet(batch, batch, explanation, np.ones((2, 8, 8)), np.array(tops)), "title")


def colours(figure: Figure) -> list[np.ndarray]:
    """The pictures of a sheet: image and performer of both rows, then the concepts; not the bar of the legend."""
    return [np.asarray(image.get_array()) for axis in figure.subfigs[0].axes for image in axis.images]


def test_maps_of_an_image_share_a_scale_and_a_contribution_of_zero_stays_grey() -> None:
    maps = torch.ones(2, 3, 2, 2) * torch.tensor([4.0, 1.0, 4.0])[:, None, None]
    contributions = torch.tensor([[3.0, 2.0, 0.001]] * 2)
    strong, weak, silent = colours(sheet_of(Explanation(maps, contributions=contributions)))[4:7]
    spread = [float(np.ptp(picture.astype(float), axis=-1).mean()) for picture in (strong, weak, silent)]
    assert spread[0] > spread[1] > spread[2] == 0
    alone = colours(sheet_of(Explanation(maps[:, :1], contributions=contributions[:, :1])))
    assert abs(float(np.ptp(alone[4].astype(float), axis=-1).mean()) - spread[0]) < 1


def test_without_maps_nothing_is_drawn_in_their_place_and_the_numbers_are_written() -> None:
    explanation = Explanation(scores=torch.tensor([[1.0, 2.0], [3.0, 4.0]]), logits=torch.tensor([5.0, 6.0]))
    figure = sheet_of(explanation, (7.0, 8.0))
    assert len(colours(figure)) == 2  # the images
    texts = [text.get_text() for axis in figure.subfigs[0].axes for text in axis.texts]
    assert "no maps\npredicts logit 5.00\nperformer: logit 7.00\n#1: 2.00\n#0: 1.00" in texts


def test_the_legend_says_what_the_numbers_are() -> None:
    maps, numbers = torch.ones(2, 1, 2, 2), torch.ones(2, 1)
    said = {
        "contribution to the logit": Explanation(maps, contributions=numbers),
        "score": Explanation(maps, scores=numbers),
    }
    for word, explanation in said.items():
        lines = [text.get_text() for axis in sheet_of(explanation).subfigs[1].axes for text in axis.texts]
        assert any(line.startswith(f"above a map: the concept and its {word};") for line in lines)
        assert any(line.startswith("performer: Excitation BP") for line in lines)
