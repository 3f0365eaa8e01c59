from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from partbench.nn.receptive_field import ReceptiveField, receptive_field
from partbench.nn.torchvision_ops import torchvision


def conv(kernel: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 1, kernel, stride, padding), nn.ReLU())


def pool(kernel: int, stride: int, after: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.ZeroPad2d((0, after, 0, after)), nn.MaxPool2d(kernel, stride))


def chain(*layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, for images of one channel."""
    return nn.Sequential(*layers)


def same(count: int) -> nn.Sequential:
    return chain(*(conv(3, padding=1) for _ in range(count)))


def vgg_16() -> nn.Sequential:
    blocks = [chain(same(count), pool(2, 2)) for count in (2, 2, 3, 3)]
    return chain(*blocks, same(3))


# Up to the last ReLU before pool5. The layers of the MatConvNet and Caffe releases.
PUBLISHED = {
    "alexnet": (chain(conv(11, 4), pool(3, 2), conv(5, 1, 2), pool(3, 2), same(3)), 227, 13, 18, 16),
    "vgg_m": (chain(conv(7, 2), pool(3, 2), conv(5, 2, 1), pool(3, 2, after=1), same(3)), 224, 13, 18, 16),
    "vgg_s": (chain(conv(7, 2), pool(3, 3, after=2), conv(5), pool(2, 2, after=1), same(3)), 224, 17, 21, 12),
    "vgg_16": (vgg_16(), 224, 14, 8.5, 16),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_centres_are_those_published_for_the_four_networks(name: str) -> None:
    network, size, cells, centre, stride = PUBLISHED[name]
    field = receptive_field(network, size)
    assert network(torch.zeros(1, 1, size, size)).shape[-1] == cells
    assert field.offset == centre - 0.5, "the table puts the centre of the first pixel at 1"
    assert field.stride == stride


def test_torchvision_vgg_16_sees_196_pixels_at_conv5_3() -> None:
    with torch.device("meta"):
        features = torchvision().models.vgg16().features[:30]
    assert receptive_field(features, 224) == ReceptiveField(offset=8, stride=16, size=196)


def test_a_residual_network_sees_what_its_widest_branch_sees() -> None:
    layers = torchvision().models.resnet18()
    trunk = chain(layers.conv1, layers.bn1, layers.relu, layers.maxpool, layers.layer1, layers.layer2)
    # stem 7 + 2 * 2; layer1 four 3x3 at 4 px; layer2 one 3x3 at 4 px, then three at 8 px
    assert receptive_field(trunk, 224) == ReceptiveField(offset=0.5, stride=8, size=11 + 4 * 8 + 8 + 3 * 16)


def rows_seen(network: nn.Module, size: int) -> list[list[int]]:
    """For each row of cells in the output: the rows of pixels that reach it, found by spoiling them one at a time."""
    images = torch.zeros(size, 1, size, size, dtype=torch.float64)
    images[torch.arange(size), :, torch.arange(size)] = torch.nan
    reached = network.double()(images).isnan().any(-1).any(1)
    return [column.nonzero().flatten().tolist() for column in reached.T]


windows = st.tuples(st.sampled_from(["conv", "max", "avg", "dilated"]), st.integers(1, 4), st.integers(1, 3))
paddings = st.tuples(st.integers(0, 2), st.integers(0, 2))


def layer(kind: str, kernel: int, stride: int, ceil: bool) -> nn.Module:
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, ceil_mode=ceil)
    if kind == "avg":
        return nn.AvgPool2d(kernel, stride, ceil_mode=ceil)
    return nn.Conv2d(1, 1, kernel, stride, dilation=2 if kind == "dilated" else 1)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(windows, paddings, st.booleans()), min_size=1, max_size=4))
def test_a_cell_sees_exactly_the_pixels_of_its_receptive_field(steps: list) -> None:
    stages = [chain(nn.ZeroPad2d((a, b, a, b)), layer(*window, ceil)) for window, (a, b), ceil in steps]
    network, size = chain(*stages), 61
    try:
        field = receptive_field(network, size)
    except ValueError:
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 1, size, size))
        return
    for centre, rows in zip(field.centres(size).tolist(), rows_seen(network, size), strict=False):
        low, high = centre - field.size / 2, centre + field.size / 2
        if low >= 0 and high <= size:  # not cut by the border
            assert (rows[0], rows[-1] + 1) == (low, high)


@settings(max_examples=25, deadline=None)
@given(kernels=st.lists(st.integers(1, 5), min_size=1, max_size=3), stride=st.integers(1, 3), cell=st.integers(3, 5))
def test_the_gradient_of_a_cell_reaches_exactly_its_receptive_field(kernels: list[int], stride: int, cell: int) -> None:
    network = chain(*(nn.Conv2d(1, 1, k, stride if i == 0 else 1, k // 2) for i, k in enumerate(kernels)))
    for weight in network.parameters():
        nn.init.constant_(weight, 1.0)
    image = torch.ones(1, 1, 64, 64, requires_grad=True)
    network(image)[0, 0, cell, cell].backward()
    field = receptive_field(network, 64)
    centre = field.offset + cell * field.stride
    extent = image.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert extent[0] == max(0, centre - field.size / 2)
    assert extent[-1] + 1 == centre + field.size / 2


@settings(max_examples=25, deadline=None)
@given(size=st.integers(3, 40), kernel=st.integers(1, 4), stride=st.integers(1, 4))
def test_an_evenly_dividing_adaptive_pool_is_the_pool_it_stands_for(size: int, kernel: int, stride: int) -> None:
    first = nn.MaxPool2d(kernel, stride, ceil_mode=True, padding=kernel // 2)
    cells = first(torch.zeros(1, 1, size, size)).shape[-1]
    if cells % 2 or cells < 4:
        return
    adaptive, plain = nn.AdaptiveAvgPool2d(cells // 2), nn.AvgPool2d(2)
    assert receptive_field(chain(first, adaptive), size) == receptive_field(chain(first, plain), size)


@settings(max_examples=30, deadline=None)
@given(before=st.integers(1, 9), after=st.integers(2, 12), stride=st.integers(1, 3))
def test_cells_of_an_uneven_adaptive_pool_are_evenly_spaced_and_lie_near_what_they_see(
    before: int, after: int, stride: int
) -> None:
    size = before * stride
    network = chain(nn.AvgPool2d(stride), nn.AdaptiveAvgPool2d(after))
    field = receptive_field(network, size)
    assert bool(field.approximate) == bool(before % after)
    seen = [(rows[0], rows[-1] + 1) for rows in rows_seen(network, size)]
    assert max(high - low for low, high in seen) == field.size
    assert float(field.offset + field.stride * (after - 1) / 2) == pytest.approx(size / 2)  # the whole map is centred
    for centre, (low, high) in zip(field.centres(after).tolist(), seen, strict=True):
        assert abs(centre - (low + high) / 2) <= stride / 2 + 1e-4


def test_an_adaptive_pool_without_a_size_leaves_the_map_as_it_is() -> None:
    assert receptive_field(nn.AdaptiveAvgPool2d(None), 8) == receptive_field(nn.Identity(), 8)


class Residual(nn.Module):
    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.left(images) + self.right(images))


def test_of_branches_centred_apart_a_cell_sees_what_all_see_and_the_geometry_says_that_it_is_approximate() -> None:
    apart = Residual(chain(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(1, 1, 3)), nn.Identity())
    field = receptive_field(apart, 16)
    assert rows_seen(apart, 16)[8] == [6, 7, 8]  # two above its row and its own
    centre = float(field.centres(16)[8])
    assert (centre - field.size / 2, centre + field.size / 2) == (6, 9)
    assert field.approximate == "branches are centred apart"


def test_gates_of_whole_maps_are_left_out_and_named() -> None:
    gated = torchvision().ops.SqueezeExcitation(4, 2)
    field = receptive_field(chain(nn.Conv2d(3, 4, 3, stride=2, padding=1), gated, nn.Conv2d(4, 4, 3)), 16)
    assert (field.offset, field.stride, field.size) == (2.5, 2, 7)
    assert field.approximate == "gates of whole maps are left out"
    with pytest.raises(ValueError, match=r"AdaptiveAvgPool2d.* whose values go into add"):
        receptive_field(Residual(nn.AdaptiveAvgPool2d(1), nn.Identity()), 16)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (chain(nn.Conv2d(1, 1, 3), nn.Flatten()), "Flatten"),
        (nn.Conv2d(1, 1, (3, 5)), "kernel_size"),
        (nn.Conv2d(1, 1, 33), "33 cells does not fit in a map of 32 cells"),
        (nn.AdaptiveAvgPool2d(1), "AdaptiveAvgPool2d"),
        (nn.ZeroPad2d((0, 1, 0, 2)), r"padding is \(0, 1, 0, 2\)"),
    ],
)
def test_what_has_no_receptive_field_is_named(layers: nn.Module, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        receptive_field(layers, 32)


@settings(max_examples=25, deadline=None)
@given(cells=st.integers(2, 9), pixels=st.integers(10, 40), slope=st.floats(-2, 2), offset=st.floats(-2, 6))
def test_interpolation_reproduces_a_linear_map_between_the_outer_cells(
    cells: int, pixels: int, slope: float, offset: float
) -> None:
    field = ReceptiveField(offset, stride=(pixels - 1 - offset) / cells, size=1)
    centres = field.centres(cells)
    upsampled = field.interpolation(cells, pixels) @ (slope * centres + 1)
    position = (torch.arange(pixels) + 0.5).clamp(float(centres[0]), float(centres[-1]))
    assert torch.allclose(upsampled, slope * position + 1, atol=1e-3)


def test_interpolation_puts_the_middle_of_a_peak_at_its_cells_centre() -> None:
    weights = ReceptiveField(offset=8, stride=16, size=196).interpolation(14, 224)
    for cell in range(1, 13):
        middle = ((torch.arange(224) + 0.5) * weights[:, cell]).sum() / weights[:, cell].sum()
        assert float(middle) == pytest.approx(8 + 16 * cell, abs=1e-3)


def test_tiling_cells_lie_in_the_middle_of_their_tiles() -> None:
    field = ReceptiveField.tiling(4, 16)
    assert field.centres(4).tolist() == [2, 6, 10, 14]
    assert field.size == 4


class Joined(Residual):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.left(images), self.right(images)], dim=1)


def test_maps_joined_along_channels_see_what_the_widest_sees() -> None:
    joined = Joined(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2))
    assert receptive_field(joined, 16) == ReceptiveField(offset=0.5, stride=1, size=5)
    with pytest.raises(ValueError, match="branches have other steps"):
        receptive_field(Joined(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=2)), 16)


class OneUnder(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat((images, images), -1)


class ByValue(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if len(images) > 1 else images + 1


@pytest.mark.parametrize(
    ("module", "said"),
    [(OneUnder(), "joined along dimension -1"), (ByValue(), "the network cannot be traced: .*len")],
)
def test_a_call_without_geometry_is_named(module: nn.Module, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        receptive_field(module, 16)


def test_a_hook_that_may_move_the_map_is_refused_with_its_layer() -> None:
    network = chain(nn.Conv2d(1, 1, 3), nn.ReLU())
    handle = network[0].register_forward_hook(lambda module, args, output: output[..., 2:, 2:])
    with pytest.raises(ValueError, match=r"no receptive field: layer '0' \(Conv2d\) has a forward hook"):
        receptive_field(network, 16)
    handle.remove()
    network[0].forward = lambda images: images
    with pytest.raises(ValueError, match=r"layer '0' \(Conv2d\) has a forward of its own"):
        receptive_field(network, 16)


def test_a_layer_called_by_name_has_the_same_geometry() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.conv(input=images)

    assert receptive_field(ByName(), 16) == receptive_field(nn.Conv2d(1, 1, 3), 16)
