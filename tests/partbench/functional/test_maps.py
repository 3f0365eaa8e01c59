from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from partbench import Explanation, ReceptiveField
from partbench.functional import on_image, peaks, strength
from partbench.functional.maps import centres, first_equal, first_largest

CELLS = 4


def test_peaks_stand_at_the_centre_of_the_strongest_cell() -> None:
    maps = torch.zeros(2, 1, CELLS, CELLS)
    maps[0, 0, 2, 1], maps[1, 0, 0, 3] = 1, 7
    values, places = peaks(Explanation(maps, grid=ReceptiveField(offset=-2.0, stride=5.0, size=9.0)), (30, 30))
    assert values.tolist() == [[1], [7]]
    assert places.tolist() == [[[3.0, 8.0]], [[13.0, -2.0]]]
    assert on_image(places, 30).tolist() == [[[3.0, 8.0]], [[13.0, 0.5]]]
    assert peaks(Explanation(maps), (16, 16))[1].tolist() == [[[6.0, 10.0]], [[14.0, 2.0]]]


def test_cells_tile_the_height_and_the_width_of_an_image_each_by_its_own_step() -> None:
    maps = torch.zeros(1, 1, 2, 4)
    maps[0, 0, 1, 3] = 1
    assert peaks(Explanation(maps), (8, 32))[1].tolist() == [[[28.0, 6.0]]]


def test_of_equal_cells_the_first_is_the_peak_and_a_map_of_zeros_peaks_there_with_0() -> None:
    maps = torch.zeros(1, 2, CELLS, CELLS)
    maps[0, 0, 1, 2] = maps[0, 0, 2, 1] = 3
    values, places = peaks(Explanation(maps, grid=ReceptiveField(0.0, 1.0, 1.0)), (4, 4))
    assert (values.tolist(), places.tolist()) == ([[3, 0]], [[[2, 1], [0, 0]]])


def test_places_off_the_image_are_moved_onto_its_nearest_pixel() -> None:
    assert on_image(torch.tensor([[-3.0, 5.0], [20.0, 15.5]]), 16).tolist() == [[0.5, 5.0], [15.5, 15.5]]


def test_strength_is_the_score_where_there_is_one_else_the_largest_cell() -> None:
    maps = torch.rand(3, 2, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    scores = -torch.ones(3, 2)
    assert torch.equal(strength(Explanation(maps)), maps.amax((2, 3)))
    assert torch.equal(strength(Explanation(maps, scores=scores)), scores)


def test_without_a_grid_rows_and_columns_tile_a_square_image_each_by_its_own_number() -> None:
    rows, columns = centres(Explanation(torch.zeros(1, 1, 2, 4)), 16)
    assert (rows.centres(2).tolist(), columns.centres(4).tolist()) == ([4, 12], [2, 6, 10, 14])


def test_a_grid_is_that_of_rows_and_of_columns() -> None:
    grid = ReceptiveField(offset=1.0, stride=3.0, size=5.0)
    assert centres(Explanation(torch.zeros(1, 1, 2, 4), grid=grid), 16) == (grid, grid)


@given(hnp.arrays(np.float32, (2, 3, 7), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
def test_maps_on_a_gpu_peak_in_the_same_cell_as_on_a_cpu(values: np.ndarray) -> None:
    maps = torch.from_numpy(values)
    assert torch.equal(first_equal(maps), first_largest(maps))
