from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from partbench.nn.measured_field import measured_field, measured_geometry
from partbench.nn.receptive_field import ReceptiveField, receptive_field

SIZE = 40


def box(kernel: int, depth: int = 1) -> nn.Sequential:
    """`depth` convolutions whose weights are all 1."""
    layers = [nn.Conv2d(3 if not i else 1, 1, kernel, padding=kernel // 2, bias=False) for i in range(depth)]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


def blob(row: int, column: int) -> torch.Tensor:
    """One image that is bright at a pixel, so that maps peak there."""
    image = torch.full((1, 3, SIZE, SIZE), 0.01)
    image[:, :, row, column] = 1
    return image


@pytest.mark.parametrize("kernel", [9, 15, 21])
def test_disk_of_a_box_filter_holds_half_of_the_box(kernel: int) -> None:
    network = box(kernel)
    found = measured_field(network, F.avg_pool2d(blob(20, 20), 1), receptive_field(network, SIZE))
    assert math.pi * (found / 2) ** 2 == pytest.approx(kernel**2 / 2, rel=0.15)


def test_a_pixel_sees_itself() -> None:
    assert measured_field(box(1), blob(20, 20), ReceptiveField(0.5, 1, 1)) <= 0.5


def test_field_is_measured_around_the_cell_where_a_channel_peaks() -> None:
    network = nn.Sequential(box(5), nn.MaxPool2d(4))
    grid = receptive_field(network, SIZE)
    there, elsewhere = (measured_field(network, blob(*place), grid) for place in ((10, 28), (28, 10)))
    assert there == elsewhere < grid.size
    moved = ReceptiveField(grid.offset + 10, grid.stride, grid.size)
    assert measured_field(network, blob(10, 28), moved) > there + 5


def test_of_deep_layers_far_less_than_the_theoretical_field_is_seen() -> None:
    """The gradient of a stack of box filters is nearly Gaussian: its variance grows with the depth, its radius less."""
    network = box(5, depth=6)
    grid = receptive_field(network, SIZE)
    found = measured_field(network, blob(20, 20), grid)
    deviation = math.sqrt(6 * (5**2 - 1) / 12)
    assert grid.size == 25
    assert found == pytest.approx(2 * deviation * math.sqrt(2 * math.log(2)), rel=0.06)


def test_channels_and_images_count_alike_whatever_their_gradient() -> None:
    small, large = box(1), box(9)
    large[0].weight.data *= 1000

    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([small(x), large(x)], 1)

    grid = ReceptiveField(0.5, 1, 9)
    assert measured_field(Both(), blob(20, 20), grid) < 1  # half of all is in the pixel itself


def test_nothing_active_is_an_error_and_what_is_inactive_is_not_looked_at() -> None:
    network = nn.Sequential(box(3), nn.ReLU())
    with pytest.raises(ValueError, match="no channel is active on any of 2 images"):
        measured_field(network, torch.zeros(2, 3, SIZE, SIZE), ReceptiveField(0.5, 1, 3))
    both = torch.cat([torch.zeros(1, 3, SIZE, SIZE), blob(9, 9)])
    grid = ReceptiveField(0.5, 1, 3)
    assert measured_field(network, both, grid) == measured_field(network, both[1:], grid)


def test_it_can_be_measured_without_gradients_switched_on() -> None:
    with torch.no_grad():
        assert measured_field(box(9), blob(20, 20), ReceptiveField(0.5, 1, 9)) > 3


def test_where_layers_do_not_tell_the_geometry_cells_tile_the_image_and_what_they_see_is_measured() -> None:
    torch.manual_seed(0)
    patches = nn.Sequential(nn.Conv2d(3, 5, 8, stride=8), nn.ReLU())
    field = measured_geometry(patches, 32)
    assert (field.offset, field.stride) == (4, 8)
    assert 4 < field.size < 8, "half of the gradient of a patch lies within it"
    assert field.approximate.startswith("measured")
    with pytest.raises(ValueError, match=r"gives \(80,\), expected a square map"):
        measured_geometry(nn.Sequential(patches, nn.Flatten()), 32)
