from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from partbench import Batch, Explainer, Explanation, NotApplicable
from partbench.pictures.contributions import (
    ContributionSheet,
    concept_names,
    draw_contribution_sheet,
    draw_contributions,
    draw_largest,
    mean_shares,
)
from partbench.pictures.view import View

COUNT, CONCEPTS = 3, 12


class Plain:
    """A task: test images 0 to 4, two of them of the category; concept k contributes k to each, or -k."""

    dataset = SimpleNamespace(part_names=("head", "tail"), landmark_names=(), size=8)
    name = "toy/both"

    def labels(self, split):
        return torch.tensor([1, 0, 1, 0, 0])

    def positive(self, labels):
        return labels == 1

    def batch(self, split, rows):
        return Batch(tuple(map(str, rows)), torch.rand(len(rows), 3, 8, 8), torch.ones(len(rows)).long())

    def batches(self, split, size, rows):
        yield self.batch(split, rows)

    def explain(self, explainer, batch):
        return explainer.explain(batch.images).accepted(len(batch), torch.device("cpu"))


class Counting(Explainer):
    name = "counting"

    def explain(self, images):
        values = torch.arange(CONCEPTS).float().expand(len(images), -1)
        return Explanation(torch.rand(len(images), CONCEPTS, 2, 2), contributions=-values, scores=-values)


def sheet(**changed):
    values = torch.zeros(COUNT, CONCEPTS)
    values[:, 3], values[:, 7] = 2.0, -5.0
    explanation = Explanation(contributions=values, scores=torch.where(values < 0, -1.0, 1.0), logits=torch.ones(COUNT))
    given = {"explanation": explanation, "names": [f"c{k}" for k in range(CONCEPTS)], "shares": {"one": np.ones(4) / 4}}
    return ContributionSheet(display=Plain().batch("test", range(COUNT)), **(given | changed))


def test_largest_contributions_stand_on_top_in_colours_of_their_sign_and_absent_concepts_are_negated():
    axis = Figure().subplots()
    draw_largest(axis, sheet(), 0)
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels[-2:] == ["c3", "not c7"]
    assert [bar.get_width() for bar in axis.patches][-2:] == [2.0, -5.0]
    assert axis.patches[-1].get_facecolor() != axis.patches[-2].get_facecolor()
    assert "predicted logit 1.00" in axis.get_title("right")


def test_sheet_has_an_image_and_bars_for_each_image_and_a_line_for_each_explainer(tmp_path):
    shares = {"one": np.array([0.1, 0.7, 0.2]), "other": np.ones(3) / 3}
    figure = draw_contribution_sheet(sheet(shares=shares), "title")
    assert len(figure.axes) == 1 + COUNT + 1
    assert len(figure.axes[0].images) == COUNT
    last = figure.axes[-1]
    assert [text.get_text() for text in last.get_legend().get_texts()] == ["one", "other", "all shares equal"]
    assert list(last.lines[0].get_ydata()) == [0.7, 0.2, 0.1]


def test_parts_outlined_on_the_images_are_named():
    figure = draw_contribution_sheet(sheet(parts=[(0, "head"), (1, "tail")]), "title")
    assert {"head", "tail"} <= {text.get_text() for axis in figure.axes for text in axis.texts}


def test_mean_shares_are_of_absolute_contributions_to_images_of_the_category():
    found = mean_shares(Plain(), Counting())
    assert found == pytest.approx(np.arange(CONCEPTS) / sum(range(CONCEPTS)))


def test_concepts_are_called_as_the_explainer_says_or_by_number_and_part():
    explanation = Explanation(contributions=torch.rand(2, 3), parts=torch.tensor([1, -1, 0]))
    assert concept_names(Plain(), Counting(), explanation) == ["#0 tail", "#1", "#2 head"]

    class Named(Counting):
        def concept_names(self):
            return ("horns", "hat", "collar")

    assert concept_names(Plain(), Named(), explanation) == ["horns", "hat", "collar"]


@pytest.mark.parametrize("contributions", [None, torch.rand(2, 3)])
def test_explainer_of_few_contributions_gets_no_such_picture(contributions, tmp_path):
    class Few(Explainer):
        name = "few"

        def explain(self, images):
            return Explanation(contributions=contributions)

    with pytest.raises(NotApplicable, match="contributions"):
        draw_contributions(View(Plain(), Few(), [0, 1], None), tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


def test_no_text_is_cut_off_beside_long_names_and_large_logits() -> None:
    names = [f"#{k} left front leg" for k in range(CONCEPTS)]
    values, logits = torch.ones(COUNT, CONCEPTS), torch.full((COUNT,), -123.45)
    explanation = Explanation(contributions=values, scores=-values, logits=logits)
    figure = draw_contribution_sheet(sheet(names=names, explanation=explanation), "srae on toy/both")
    FigureCanvasAgg(figure).draw()
    words = [text for text in figure.findobj(Text) if any(map(str.isalpha, text.get_text()))]  # ticks lie anywhere
    texts = [(text.get_text(), text.get_window_extent()) for text in words]
    assert len(texts) > 5
    assert not {text for text, extent in texts if extent.x0 < 0 or extent.x1 > figure.bbox.width}
