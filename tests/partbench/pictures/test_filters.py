"""The pictures of filters: the images that activate each one most, what it sees of them, and where all of them peak."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from toys import SIDE, toy_task

from partbench import Explainer, Explanation, Images, NotApplicable, ReceptiveField
from partbench.functional.maps import on_image, peaks, strength
from partbench.pictures.filters import draw_filter_sheet, draw_filters, explain_filters, ring, spotlight
from partbench.pictures.gallery import draw_pictures
from partbench.pictures.tiles import Tile
from partbench.pictures.top_images import TopImages, has_filters, part_density, top_images, votes
from partbench.pictures.view import View
from partbench.registry import load
from partbench.running.cell import fit

FILTERS, CELLS = 9, 4


class Planted(Explainer):
    """Maps drawn from the images' pixels, many of them with equal scores; filter 2 is dead. Optionally maskable."""

    name = "planted"

    def __init__(self, filters: int = FILTERS, scored: bool = True) -> None:
        self.filters, self.scored = filters, scored

    def explain(self, images):
        maps = torch.stack([self.maps_of(pixels) for pixels in images.pixels])
        return Explanation(maps, scores=maps.amax((2, 3)) if self.scored else None)

    def maps_of(self, pixels):
        generator = torch.Generator().manual_seed(int(1e6 * float(pixels.mean())))
        maps = torch.randint(0, 6, (self.filters, CELLS, CELLS), generator=generator).float() / 5
        maps *= torch.randint(1, 4, (self.filters, 1, 1), generator=generator)
        maps[2] = 0
        return maps


class Masked(Planted):
    """Says what its maps were before masks."""

    def unmasked(self, images):
        masks = torch.ones(len(images), self.filters, CELLS, CELLS)
        return self.explain(images).maps * masks, masks


def bench_of(task):
    """A workbench that shows the task's own dataset at any size."""
    return SimpleNamespace(resized=lambda task, size: task.dataset)


def view_of(task, explainer):
    return View(task, explainer, positives(task)[:4], task.dataset)


def positives(task):
    return torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()


def test_top_images_are_those_of_a_literal_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partbench.pictures.top_images.BATCH", 3)
    task, explainer = toy_task(tmp_path, "multi"), Planted()
    top = top_images(task, explainer, 4)
    maps = {row: explainer.maps_of(task.dataset.test.images[row]) for row in positives(task)}
    assert len(maps) > 6
    for number in range(FILTERS):
        expected = sorted(maps, key=lambda row: (-float(maps[row][number].max()), row))[:4]
        assert top.rows[number].tolist() == expected
        assert torch.equal(top.maps[number], torch.stack([maps[row][number] for row in expected]))
        assert top.scores[number].tolist() == [float(maps[row][number].max()) for row in expected]


def test_where_there_are_no_scores_the_peaks_of_the_maps_are_taken(tmp_path: Path) -> None:
    task = toy_task(tmp_path, "multi")
    with_scores, without = top_images(task, Planted(), 3), top_images(task, Planted(scored=False), 3)
    assert torch.equal(with_scores.rows, without.rows)
    assert torch.equal(with_scores.scores, without.scores)


def test_chosen_filters_have_the_highest_mean_score_and_are_alive() -> None:
    scores = torch.tensor([[3.0, 1.0], [9.0, 9.0], [4.0, 4.0], [2.5, 2.5]])
    maps = torch.ones(4, 2, 2, 2)
    maps[1] = 0
    top = TopImages(scores, torch.zeros(4, 2, dtype=torch.long), maps)
    assert top.chosen(2) == [2, 3]
    assert top.chosen(9) == [2, 3, 0]


def test_eight_maps_at_hand_make_filters_and_maps_on_demand_do_not() -> None:
    def never():
        raise AssertionError("evaluated")

    assert not has_filters(Explanation(never, scores=torch.ones(2, 8)))
    assert has_filters(Explanation(torch.ones(2, 8, 1, 1)))
    assert not has_filters(Explanation(torch.ones(2, 7, 1, 1)))
    evaluated = Explanation(lambda: torch.ones(2, 8, 1, 1))
    _ = evaluated.maps
    assert not has_filters(evaluated)
    assert not has_filters(Explanation(scores=torch.ones(2, 8)))


@given(st.integers(0, 2**31), st.integers(2, 9), st.floats(-3, 6), st.floats(0.5, 9))
def test_what_is_seen_of_an_image_contains_the_peak_and_the_rest_is_darker(seed, cells, offset, stride) -> None:
    pixels = 32
    maps = torch.rand(1, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    centres = offset + stride * torch.arange(cells)
    inside = (centres >= 0.5) & (centres <= pixels - 0.5)
    maps *= inside[:, None] & inside  # a cell off the image may peak where no pixel shows it
    explanation = Explanation(maps, grid=ReceptiveField(offset, stride, stride))
    heat = explanation.heatmaps(pixels, pixels)[0, 0].numpy()
    if heat.max() == 0:
        return
    image = np.random.default_rng(seed).random((pixels, pixels, 3)) * 0.8 + 0.2
    drawn = spotlight(image, heat)
    lit = heat > 0.5 * heat.max()
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert (drawn[y, x] == image[y, x]).all()
    assert (drawn[lit] == image[lit]).all()
    assert (drawn[~lit].sum(-1) < image[~lit].sum(-1)).all()
    if stride >= 2:  # else the nearest pixel may be far from it, in cells
        px, py = on_image(peaks(explanation, (pixels, pixels))[1], pixels)[0, 0].floor().int().tolist()
        assert lit[py, px]


def test_ring_stands_on_the_same_spot_of_a_larger_image() -> None:
    axis = Figure().subplots()
    ring(Tile(axis, 10.0, 20.0, 9.0), torch.tensor([2.0, 0.5]), 3)
    (line,) = axis.lines
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (16.0, 21.5)  # 2 px from the left edge are now 6, 0.5 are 1.5


def test_votes_sum_to_the_relative_scores_of_active_filters_and_stand_at_their_peaks() -> None:
    explanation = Planted().explain(
        Images(("a", "b"), torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    )
    best = torch.full((FILTERS,), 4.0)
    best[5] = 0
    found = votes(explanation, best)
    expected = torch.zeros(2, CELLS, CELLS)
    for image in range(2):
        for number in range(FILTERS):
            cell = explanation.maps[image, number]
            if cell.max() > 0 and best[number] > 0:
                i, j = divmod(int(cell.argmax()), CELLS)
                expected[image, i, j] += float(cell.max()) / 4
    torch.testing.assert_close(found, expected)
    alive = [number for number in range(FILTERS) if number not in (2, 5)]
    torch.testing.assert_close(found.sum((1, 2)), strength(explanation)[:, alive].sum(1) / 4)


def test_one_vote_becomes_a_gaussian_of_a_cell_around_it() -> None:
    maps = torch.zeros(1, 1, CELLS, CELLS)
    maps[0, 0, 1, 2] = 2.0
    density = part_density(Explanation(maps, grid=ReceptiveField(3.5, 6.0, 6.0)), torch.tensor([4.0]), 27)[0]
    assert density.argmax().item() == 9 * 27 + 15
    assert density[9, 15].item() == pytest.approx(0.5)
    assert density[15, 15].item() == pytest.approx(0.5 * np.exp(-0.5))
    assert density[9, 3].item() == pytest.approx(0.5 * np.exp(-2))


def test_picture_of_filters_is_written_whole(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    path = draw_filters(view_of(task, Masked()), tmp_path / "a" / "filters.png")
    assert np.asarray(Image.open(path).convert("RGB")).std() > 10
    assert list(path.parent.iterdir()) == [path]


def test_sheet_shows_masks_only_where_the_explainer_offers_them(tmp_path: Path) -> None:
    task = toy_task(tmp_path, "multi")
    rows = positives(task)[:2]
    titles = {}
    for explainer in (Planted(), Masked()):
        figure = draw_filter_sheet(explain_filters(View(task, explainer, rows, task.dataset)), "title")
        titles[type(explainer)] = [
            text.get_text() for axis in nested(figure) for text in axis.texts if not text.get_rotation()
        ]
    assert {"mask", "masked"} <= set(titles[Masked])
    assert not {"mask", "masked"} & set(titles[Planted])
    strongest = Planted().maps_of(task.dataset.test.images[rows[0]]).amax((1, 2)).argsort(descending=True, stable=True)
    named = [text for text in titles[Planted] if text.startswith("filter")][:6]
    assert named == [f"filter {number}" for number in strongest[:6].tolist()]


def nested(figure):
    return [axis for panel in figure.subfigs for axis in [*panel.axes, *nested(panel)]]


def test_explainer_without_enough_maps_or_without_an_active_filter_is_refused(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    with pytest.raises(NotApplicable, match="planted has no maps of at least 8"):
        draw_filters(view_of(task, Planted(filters=7)), tmp_path / "filters.png")

    class Dead(Planted):
        def maps_of(self, pixels):
            return 0 * super().maps_of(pixels)

    with pytest.raises(NotApplicable, match="no filter of planted is active"):
        draw_filters(view_of(task, Dead()), tmp_path / "filters.png")
    assert not (tmp_path / "filters.png").exists()


def test_gallery_draws_filters_beside_concepts_where_there_are_filters(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("partbench.pictures.gallery.draw", lambda view, path: path)
    monkeypatch.setattr("partbench.pictures.gallery.FURTHER", {"filters": draw_filters})
    task, picture = toy_task(tmp_path), tmp_path / "a.b.png"
    few, many = (draw_pictures(bench_of(task), task, Planted(filters=count), picture) for count in (7, 8))
    assert few == [picture]
    assert many == [picture, tmp_path / "a.b-filters.png"]
    assert many[1].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("options", [{}, {"position": "centroid"}, {"mask_after_pool": True}])
def test_masked_maps_of_interp_cnn_are_its_maps_before_the_mask_times_the_mask(tmp_path: Path, options) -> None:
    task = toy_task(tmp_path)
    given = {"mask": True, "position": "argmax", "epochs": 1, "warm_up": 0, "filters": 8, "trunk": "frozen"}
    explainer = load().explainers["interp_cnn"].cls(**(given | options))
    fit(explainer, task)
    batch = task.batch("test", range(5))
    before, masks = explainer.unmasked(batch.images)
    maps = explainer.explain(batch.images).maps
    torch.testing.assert_close(before * masks, maps)
    assert masks.shape == maps.shape == (5, 8, SIDE // 2, SIDE // 2)
    assert (masks.amax((2, 3)) == 1).all()
    assert ((masks > 0).sum((2, 3)) <= 5).all()  # a quarter of 6 cells: the peak and its neighbours
    if options.get("position") != "centroid":
        assert torch.equal(masks.flatten(2).argmax(2), before.flatten(2).argmax(2))


def test_interp_cnn_without_masks_has_no_maps_before_them(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    explainer = load().explainers["interp_cnn"].cls(mask=False, epochs=1, warm_up=0, filters=8, trunk="frozen")
    fit(explainer, task)
    assert explainer.unmasked(task.batch("test", range(2)).images) is None
