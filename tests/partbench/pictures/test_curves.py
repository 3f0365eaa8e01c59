"""Curves along the training: a line for each explainer, and whose there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from partbench import Explainer, NotApplicable
from partbench.pictures.curves import draw_curve_sheet, draw_curves
from partbench.pictures.view import View
from partbench.weight_cache import cached_weights, training_allowed

TASK = SimpleNamespace(name="toy/both")


class Curved(Explainer):
    def __init__(self, name, curves, other=None):
        self.name, self.values, self.other = name, curves, other

    def curves(self):
        return self.values

    def baseline(self):
        return self.other


def test_each_explainer_is_a_line_of_its_values_over_epochs_from_1() -> None:
    figure = draw_curve_sheet({"a": {"entropy": [3.0, 2.0], "loss": [1.0, 0.5]}, "b": {"entropy": [2.5]}}, "title")
    entropy, loss = figure.axes
    assert [line.get_xydata().tolist() for line in entropy.lines] == [[[1, 3], [2, 2]], [[1, 2.5]]]
    assert [line.get_label() for line in entropy.lines] == ["a", "b"]
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 1], [2, 0.5]]]
    assert entropy.get_title() == "entropy"


def test_picture_is_written_where_values_were_watched_and_refused_elsewhere(tmp_path: Path) -> None:
    watched = Curved("some", {"loss": [2.0, 1.0]}, Curved("other", {"loss": [3.0]}))
    path = draw_curves(View(TASK, watched, [0], None), tmp_path / "curves.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(NotApplicable, match="none has no values along its training"):
        draw_curves(View(TASK, Curved("none", {}, watched), [0], None), tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()


class Untrained(Curved):
    def baseline(self):
        cached_weights("none", "untrained", lambda: pytest.fail("a baseline was trained for its picture"))


def test_no_baseline_is_trained_where_training_is_forbidden(tmp_path: Path) -> None:
    view = View(TASK, Untrained("some", {"loss": [2.0, 1.0]}), [0], None)
    with training_allowed(False):
        assert draw_curves(view, tmp_path / "curves.png").is_file()
        assert view.compared == [view.explainer]
