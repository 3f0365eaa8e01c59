"""What the pictures show: which images, which concepts in which order, and maps where they belong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from toys import toy_task

from partbench import Explanation
from partbench.pictures.sheet import caption, draw_parts, draw_sheet, explain_sheet, order_concepts, save
from partbench.pictures.tiles import Tile
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


@pytest.mark.parametrize("name", ["srae", "top_conv", "centre_map", "lasso"])
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
