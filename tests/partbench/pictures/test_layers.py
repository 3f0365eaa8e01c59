"""Values of layers as bars: what of a report is drawn, and whose."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from partbench import Explainer, NotApplicable
from partbench.pictures.layers import WHOLE, by_layer, draw_layer_sheet, draw_layers
from partbench.pictures.view import View

REPORT = {"kept_share": 0.7, "error@fc1": 0.4, "error@fc2": 1.3, "seconds": 12.0, "error@fc3": float("nan")}
TASK = SimpleNamespace(name="toy/both")


class Silent(Explainer):
    name = "some"


class Reporting(Silent):
    def __init__(self, report):
        self.values = report

    def report(self):
        return self.values


def test_values_of_layers_and_shares_are_drawn_and_nothing_else() -> None:
    assert by_layer(REPORT) == {"kept_share": {WHOLE: 0.7}, "error": {"fc1": 0.4, "fc2": 1.3}}
    assert by_layer({"kept_share": 0.7, "seconds": 12.0}) == {}


def test_bars_have_the_height_of_the_values_and_fit_the_axes() -> None:
    figure = draw_layer_sheet(by_layer(REPORT), "title")
    share, error = figure.axes
    assert [bar.get_height() for bar in share.patches] == [0.7]
    assert [bar.get_height() for bar in error.patches] == [0.4, 1.3]
    assert [label.get_text() for label in error.get_xticklabels()] == ["fc1", "fc2"]
    assert error.get_ylim()[1] > 1.3
    assert error.get_title() == "error"


def test_picture_is_written_where_layers_are_reported_and_refused_elsewhere(tmp_path: Path) -> None:
    path = draw_layers(View(TASK, Reporting(REPORT), [0], None), tmp_path / "layers.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    for explainer in (Reporting({"seconds": 12.0}), Silent()):
        with pytest.raises(NotApplicable, match="some reports no values of layers"):
            draw_layers(View(TASK, explainer, [0], None), tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()
