from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from partbench.pictures.tiles import CAPTION, inches, tiles, write_title


@pytest.mark.parametrize(("rows", "columns", "size"), [(1, 1, (2, 3)), (2, 5, (9, 4)), (6, 2, (3, 12))])
def test_squares_stay_within_the_panel_and_leave_room_for_captions(rows, columns, size) -> None:
    figure = Figure(figsize=size)
    squares = tiles(figure, "title", rows, columns, left=0.3, right=0.5)
    assert (len(squares), len(squares[0])) == (rows, columns)
    width, height = inches(figure)
    for row in squares:
        for tile in row:
            assert tile.side > 0.2
            assert tile.left >= 0.3
            assert tile.left + tile.side <= width - 0.5 + 1e-9
            assert tile.top > CAPTION
            assert tile.top + tile.side < height
    for above, below in itertools.pairwise(squares):
        assert below[0].top >= above[0].top + above[0].side + CAPTION - 1e-9
    for left, right in zip(squares[0], squares[0][1:], strict=False):
        assert right.left > left.left + left.side


def test_a_caption_wider_than_its_square_shows_its_end() -> None:
    tile = tiles(Figure(figsize=(3, 2)), "", 1, 2)[0][0]
    tile.caption("012.Yellow_headed_Blackbird/Yellow_Headed_Blackbird_0046_18")
    tile.caption("fauna-1/3")
    long, short = (text.get_text() for text in tile.axis.texts)
    assert long.startswith("…")
    assert long.endswith("Blackbird_0046_18")
    assert short == "fauna-1/3"


def test_lines_of_a_caption_are_cut_one_by_one() -> None:
    tile = tiles(Figure(figsize=(3, 2)), "", 1, 2)[0][0]
    tile.caption("Grad-CAM,\nthe performer,\nfilters of conv5\nlogit 9.92")
    (text,) = tile.axis.texts
    assert text.get_text() == "Grad-CAM,\nthe performer,\nfilters of conv5\nlogit 9.92"


def test_an_image_and_its_marks_are_drawn_where_the_square_is() -> None:
    figure = Figure(figsize=(4, 2), dpi=50)
    left, right = tiles(figure, "", 1, 2)[0]
    left.show(np.zeros((3, 3, 3)))
    shown = np.zeros((4, 4, 3))
    shown[1, 2] = (1, 0, 0)
    right.show(shown, interpolation="nearest")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="raw")
    pixels = np.frombuffer(buffer.getvalue(), np.uint8).reshape(100, 200, 4)[:, :, :3]
    red = (pixels[:, :, 0] > 200) & (pixels[:, :, 1] < 50)
    y, x = np.nonzero(red)
    assert (x.mean() + 0.5, y.mean() + 0.5) == pytest.approx(50 * right.at(np.array([2.5, 1.5]), 4), abs=1)
    side = 50 * left.side
    assert (pixels.sum(2) == 0).sum() == pytest.approx(side**2 * (1 + 15 / 16), rel=0.05)


def test_an_axis_beside_a_square_is_as_high_and_to_its_right() -> None:
    figure = Figure(figsize=(4, 2))
    (tile,) = tiles(figure, "", 1, 1, right=2)[0]
    x, y, wide, high = tile.beside(1.1, 0.5).get_position().bounds
    assert (4 * wide, 2 * high) == pytest.approx((tile.side / 2, tile.side))
    assert (4 * x, 2 - 2 * (y + high)) == pytest.approx((tile.left + 1.1 * tile.side, tile.top))


def written(title: str, width: float) -> str:
    figure = Figure(figsize=(width, 2))
    write_title(figure, title)
    [text] = figure.texts
    assert text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width < width * figure.dpi
    return text.get_text()


@pytest.mark.parametrize("width", [3, 4, 5.4])
def test_options_of_a_title_are_cut_where_it_is_wider_than_the_panel(width: float) -> None:
    options = "beta=0.3,eta=0.1,gradient=exact,layers=conv4;conv5,mask=true"
    found = written(f"interp_cnn ({options}) on fauna/multi:bird", width)
    assert found.startswith("interp_cnn (")
    assert found.endswith("…) on fauna/multi:bird")
    assert (
        found.partition("(")[2].partition("…")[0] == options[: len(found) - len("interp_cnn (…) on fauna/multi:bird")]
    )


def test_a_title_that_fits_is_written_whole() -> None:
    title = "interp_cnn (gradient=exact,mask=true) on fauna/bird"
    assert written(title, 5.4) == title
