"""What pictures of one explainer share is found out once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toys import toy_task

from partbench import Explainer, Explanation, InputError, NotApplicable
from partbench.pictures.filters import draw_filters
from partbench.pictures.sheet import draw
from partbench.pictures.view import DISPLAY, View, view


class Counting(Explainer):
    name = "counting"

    def __init__(self, filters: int = 8) -> None:
        self.filters, self.batches = filters, 0

    def explain(self, images):
        self.batches += 1
        return Explanation(torch.rand(len(images), self.filters, 4, 4))


@pytest.fixture
def opened(tmp_path: Path):
    """A toy task, its dataset at the size to draw at, and the rows of that one that were opened, batch by batch."""
    task, rows = toy_task(tmp_path), []
    batch = task.dataset.test.batch

    def counted(indices):
        rows.append(list(indices))
        return batch(indices)

    display = SimpleNamespace(test=SimpleNamespace(batch=counted))
    return task, display, rows


def test_pictures_explain_the_images_once(opened) -> None:
    task, display, rows = opened
    seen = View(task, explainer := Counting(), [0, 2], display)
    assert seen.explanation is seen.explanation
    assert explainer.batches == 1
    assert seen.shown.ids == seen.shown.ids == seen.batch.ids
    assert rows == [[0, 2]]
    top = seen.top
    batches = explainer.batches
    assert seen.top is top
    assert explainer.batches == batches


def test_each_image_is_opened_once_for_all_explainers(opened) -> None:
    task, display, rows = opened
    seen = View(task, Counting(), [0, 2], display)
    first, other = seen.images([3, 1, 3]), seen.of(Counting()).images([1, 4])
    assert rows == [[3, 1], [4]]
    assert list(first) == [3, 1]
    assert list(other) == [1, 4]
    expected = task.dataset.test.batch([4]).pixels[0].permute(1, 2, 0)
    torch.testing.assert_close(torch.from_numpy(other[4]), expected)


def test_another_explainer_has_an_explanation_of_its_own(opened) -> None:
    task, display, _ = opened
    seen = View(task, Counting(), [0, 2], display)
    assert seen.explanation.maps.shape[1] == 8
    assert seen.of(Counting(filters=3)).explanation.maps.shape[1] == 3
    with pytest.raises(NotApplicable, match="counting has no maps of at least 8"):
        _ = seen.of(Counting(filters=3)).top


def test_titles_name_the_explainer_with_its_options_and_another_one_without(opened) -> None:
    task, display, _ = opened
    seen = View(task, Counting(), [0, 2], display, "counting (filters=3)")
    assert seen.title == f"counting (filters=3) on {task.name}"
    assert seen.of(Counting()).title == f"counting on {task.name}"


@pytest.mark.parametrize(("indices", "expected"), [([5, 1], [5, 1]), (None, 4)])
def test_a_view_is_of_the_images_named_or_of_four_at_a_size_to_look_at(tmp_path: Path, indices, expected) -> None:
    task, sizes = toy_task(tmp_path), []

    def resized(task, size):
        sizes.append(size)
        return task.dataset

    seen = view(SimpleNamespace(resized=resized), task, Counting(), indices)
    assert (len(seen.rows) if indices is None else seen.rows) == expected
    assert sizes == [DISPLAY]


@pytest.mark.parametrize("refused", [True, False])
def test_images_of_12_px_of_a_dataset_of_one_size_are_drawn_as_they_are(tmp_path: Path, refused: bool) -> None:
    task = toy_task(tmp_path)

    def resized(task, size):
        if refused:
            raise InputError("these images are 12 px")
        return SimpleNamespace(test=task.dataset.test, size=size)  # it takes no notice of the size

    seen = view(SimpleNamespace(resized=resized), task, Counting())
    for draw_one in (draw, draw_filters):
        assert draw_one(seen, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
