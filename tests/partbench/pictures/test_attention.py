"""Grad-CAM of performer and explainer, and the shares of parts: values, wedges, and which explainers get them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import toy_autoencoder
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import nn
from toys import SIDE, toy_task

from partbench import Explainer, Explanation, NotApplicable
from partbench.pictures.attention import draw_attention, draw_attention_sheet, explain_attention
from partbench.pictures.legend import PART_COLOURS
from partbench.pictures.part_shares import GREY, draw_numbers, draw_pie, shares
from partbench.pictures.view import View
from partbench.registry import load
from partbench.running.cell import fit


class Headed(Explainer):
    """Two maps, of which the logit is the sum of twice the first and the negative of the second."""

    name = "headed"

    def explain(self, images):
        maps = torch.zeros(len(images), 2, 4, 4)
        maps[:, 0, 1, 2] = maps[:, 1, 3, 0] = 1
        return Explanation(maps, scores=maps.amax((2, 3)))

    def head(self, images):
        layer = nn.Linear(32, 1, bias=False)
        layer.weight.data[0] = torch.tensor([2.0, -1.0]).repeat_interleave(16)
        return nn.Sequential(nn.Flatten(), layer)


class Parted(Explainer):
    """Contributions of concepts that have parts, and no head."""

    name = "parted"
    contributions = (3.0, -1.0, 1.0, 0.5)

    def explain(self, images):
        values = torch.tensor([self.contributions] * len(images))
        return Explanation(contributions=values, parts=torch.tensor([1, 0, 1, -1]), logits=values.sum(1) + 2)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    task = toy_task(tmp_path)
    monkeypatch.setattr(task.dataset.__class__, "part_names", ("head", "tail", "legs"))
    return task


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=6))
def test_shares_keep_signs_and_their_sizes_sum_to_one(values) -> None:
    found = shares(values)
    assert sum(map(abs, found)) == pytest.approx(1 if any(values) else 0)
    assert all(share * value >= 0 for share, value in zip(found, values, strict=True))


def test_wedges_have_the_size_and_colour_of_parts_and_are_hatched_where_negative() -> None:
    axis = Figure().subplots()
    draw_pie(axis, [3.0, -1.0, 0.0, 4.0], ["head", "tail", "legs"])
    wedges = axis.patches
    assert [abs(wedge.theta2 - wedge.theta1) for wedge in wedges] == pytest.approx([135, 45, 180])
    assert [wedge.get_facecolor() for wedge in wedges] == [PART_COLOURS(0), PART_COLOURS(1), GREY]
    assert [bool(wedge.get_hatch()) for wedge in wedges] == [False, True, False]


def test_numbers_beside_a_pie_sum_to_the_logit_and_leave_out_parts_without_concepts() -> None:
    axis = Figure().subplots()
    draw_numbers(axis, [3.0, -1.0, 0.0, 0.5], ["head", "tail", "legs"], 4.0)
    words = [text.get_text() for text in axis.texts]
    assert words[0:6] == ["head", "3.00", "+67 %", "tail", "-1.00", "-22 %"]
    assert words[6:9] == ["no part", "0.50", "+11 %"]
    assert [word for word in words[9:] if word] == ["sum", "2.50", "rest of the logit", "1.50"]
    heights = sorted({text.get_position()[1] for text in axis.texts})
    assert min(np.diff(heights)) > 0.1  # lines do not touch
    assert all(0 <= height <= 1 for height in heights)


def test_grad_cam_of_an_explainer_is_that_of_its_head_on_its_maps(task) -> None:
    sheet = explain_attention(View(task, Headed(), [0, 1], task.dataset))
    ordinary, own = sheet.attentions
    assert sheet.shares is None
    assert own.logits.tolist() == [1.0, 1.0]  # 2 - 1
    y, x = np.unravel_index(own.maps[0].argmax(), (SIDE, SIDE))
    assert (y // 3, x // 3) == (1, 2)  # the cell that speaks for it, of 3 px; the one against it is cut off
    assert own.maps[0][10, 1] == 0
    torch.testing.assert_close(ordinary.logits, task.explained(task.batch("test", [0, 1])))


def test_each_image_of_a_task_of_all_logits_is_explained_for_its_own_category(tmp_path: Path) -> None:
    of = toy_autoencoder.task(tmp_path, "multi")
    labels = of.labels("test")
    rows = [int((labels == label).nonzero()[0]) for label in (1, 0)]
    explainer = load().explainers["autoencoder"].cls(epochs=1)
    fit(explainer, of)
    sheet = explain_attention(View(of, explainer, rows, of.dataset))
    batch = of.batch("test", rows)
    assert sheet.categories == ["red", "both"]
    logits = batch.images.activations("logits")
    torch.testing.assert_close(sheet.attentions[0].logits, torch.stack([logits[0, 1], logits[1, 0]]))
    own = explainer.explain(batch.images).logits
    torch.testing.assert_close(sheet.attentions[1].logits, torch.stack([own[0, 1], own[1, 0]]))


def test_contributions_with_parts_get_a_pie_and_the_performers_grad_cam(task, tmp_path: Path) -> None:
    sheet = explain_attention(View(task, Parted(), [0, 1], task.dataset))
    assert len(sheet.attentions) == 1
    assert sheet.shares.tolist() == [[-1.0, 4.0, 0.0, 0.5]] * 2
    figure = draw_attention_sheet(sheet, "title")
    images, *further = figure.axes
    assert len(images.images) == 2 * 2
    assert [len(axis.patches) for axis in further] == [3, 0] * 2
    path = draw_attention(View(task, Parted(), [0], task.dataset), tmp_path / "gradcam.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_explainer_with_neither_head_nor_parts_gets_none(task, tmp_path: Path) -> None:
    class Plain(Headed):
        def head(self, images):
            return None

    with pytest.raises(NotApplicable, match="headed offers no head"):
        draw_attention(View(task, Plain(), [0], task.dataset), tmp_path / "gradcam.png")
    assert not (tmp_path / "gradcam.png").exists()


@pytest.mark.parametrize("category", ["both", "multi"])
@pytest.mark.parametrize("name", ["autoencoder", "interp_cnn"])
def test_head_of_an_explainer_takes_its_maps_to_its_logits(tmp_path: Path, name: str, category: str) -> None:
    of = toy_autoencoder.task(tmp_path, category)
    explainer = load().explainers[name].cls(epochs=1)
    fit(explainer, of)
    batch = of.batch("test", range(5))
    explanation = explainer.explain(batch.images)
    found = explainer.head(batch.images)(explanation.maps).detach()
    torch.testing.assert_close(found, explanation.logits.reshape(5, -1))
