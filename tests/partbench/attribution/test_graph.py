"""Modules whose call is another than their trace shows are refused by name, or followed as they are called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from partbench.attribution import ExcitationBP, NoRule, contrastive_maps

SIDE, UNITS = 4, 3


def tail(channels: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE**2, UNITS))


class Calling(nn.Module):
    """A network whose middle is a function of the conv's output and of the network itself."""

    def __init__(self, middle: Callable[[nn.Module, Tensor], Tensor], channels: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.other, self.tail = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1), tail(channels)
        self.scale, self.many = 1, False
        self.register_buffer("shift", torch.rand(1, 2, 1, 1))
        self.middle = middle

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.middle(self, F.relu(self.conv(x))))


def images(n: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(n, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).to(dtype)


def as_called(net: nn.Module, x: Tensor) -> None:
    """The tape ends where the module's own call does, and the maps are some."""
    with torch.no_grad():
        torch.testing.assert_close(ExcitationBP(net).record(x).output, net.eval()(x))
    assert ExcitationBP(net).maps(x).sum() > 0


REFUSED = {
    "a product of maps": (lambda net, y: y * net.other(y), "layer 'mul'"),
    "a product with a constant": (lambda net, y: 2 * y, "layer 'mul'"),
    "a difference of maps": (lambda net, y: torch.add(y, net.other(y), alpha=-1), "layer 'add': .*subtracted"),
    "a map taken from a constant": (lambda net, y: torch.add(net.shift, y, alpha=-1), "layer 'add': .*subtracted"),
    "maps of two shapes": (lambda net, y: y + y.mean((2, 3), keepdim=True), "layer 'add': .*maps of one shape"),
    "a constant that enlarges": (
        lambda net, y: y.mean((2, 3), keepdim=True) + torch.zeros(1, 1, SIDE, SIDE), "layer 'add': .*its shape",
    ),
    "maps joined with a constant": (
        lambda net, y: torch.cat([y, torch.ones(2, 2, SIDE, SIDE)], 1)[:, :2], "'cat' joins some with constants",
    ),
    "images joined": (lambda net, y: torch.cat([y, y]), "layer 'cat': .*images joined"),
    "a mean over images": (lambda net, y: y + y.mean(0, keepdim=True), "layer 'mean': .*within each image"),
    "weights that depend on the image": (lambda net, y: F.conv2d(y, y[:, :, :1, :1]), "layer 'getitem'"),
    "one map as another's weights": (
        lambda net, y: F.conv2d(y, F.adaptive_avg_pool2d(y, 1)), "layer 'conv2d' .*a map in place of a constant",
    ),
    "dropout at all times": (lambda net, y: F.dropout(y, 0.5), "layer 'dropout': .*found it active"),
    "batch statistics": (lambda net, y: F.batch_norm(y, None, None, training=True), "layer 'batch_norm': .*of a batch"),
    "circular padding": (lambda net, y: F.pad(y, (1, 1, 1, 1), mode="circular"), "layer 'pad': .*'circular'"),
    "winners that are handed on": (
        lambda net, y: F.max_pool2d(y, 1, return_indices=True)[0], "layer 'max_pool2d_with_indices'",
    ),
    "part of a map": (lambda net, y: y[:, :1], "layer 'getitem'"),
    "control flow by value": (lambda net, y: y if y.sum() > 0 else net.other(y), "cannot be traced"),
    "control flow by shape": (lambda net, y: y if y.shape[0] > 1 else net.other(y), "cannot be traced"),
    "a loop over images": (lambda net, y: torch.stack([net.other(image) for image in y]), "cannot be traced"),
    "a type of its own": (lambda net, y: torch.mean(y, (2, 3), dtype=torch.float64), "the call of layer 'mean'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_has_no_rule_is_refused_by_name(name):
    middle, message = REFUSED[name]
    with pytest.raises(NoRule, match=message):
        contrastive_maps(Calling(middle), images())


def disguised(net: nn.Module, y: Tensor) -> Tensor:
    return y if isinstance(y, torch.fx.Proxy) else net.other(y)


def through_a_view(net: nn.Module, y: Tensor) -> Tensor:
    z = net.other(y)
    F.relu_(z.flatten(1))
    return z


class Counting(nn.Module):
    """Another layer at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(len(self.calls))
        return x + float(len(self.calls))


@pytest.mark.parametrize("middle", [disguised, through_a_view], ids=lambda middle: middle.__name__)
def test_an_output_unlike_that_of_the_trace_is_refused(middle):
    with pytest.raises(NoRule, match=r"the output of Calling differs by [\d.e-]+ from that of its trace"):
        contrastive_maps(Calling(middle), images())


def test_a_module_that_changes_from_call_to_call_is_refused():
    with pytest.raises(NoRule, match="differs by"):
        contrastive_maps(nn.Sequential(Counting(), *tail()), images())


def test_a_shape_that_only_the_call_has_is_refused():
    net = Calling(lambda net, y: y)
    net.tail[0].register_buffer("unused", torch.zeros(1))
    net.forward = lambda x: Calling.forward(net, x)[:, :2] if isinstance(x, Tensor) else Calling.forward(net, x)
    with pytest.raises(NoRule, match=r"Calling gives \(2, 2\), its trace \(2, 3\)"):
        contrastive_maps(net, images())


def test_a_layer_with_a_hook_is_refused_before_and_after_the_trace():
    net = Calling(lambda net, y: y)
    bp = ExcitationBP(net)
    handle = net.other.register_forward_hook(lambda module, args, output: output)
    for attempt in (lambda: ExcitationBP(net), lambda: bp.record(images())):
        with pytest.raises(NoRule, match=r"layer 'other' \(Conv2d\) has a forward hook"):
            attempt()
    handle.remove()
    as_called(net, images())


def test_backward_hooks_are_never_called():
    net = Calling(lambda net, y: net.other(y))
    before = contrastive_maps(net, images())
    for part in (net, net.conv, net.tail):
        part.register_full_backward_hook(lambda *_: pytest.fail("called"))
        part.register_full_backward_pre_hook(lambda *_: pytest.fail("called"))
    torch.testing.assert_close(contrastive_maps(net, images()), before)


class OwnConvolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


class OwnCall(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def __call__(self, x: Tensor) -> Tensor:
        return F.relu(super().__call__(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class Optional(nn.Module):
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return F.relu(x) if labels is None else x


@pytest.mark.parametrize("layer", [OwnConvolution(2, 2, 1), OwnCall(nn.Conv2d(2, 2, 1)), Optional()], ids=type)
def test_a_class_of_its_own_is_followed_as_it_is_called(layer):
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 0.5)  # alive
    torch.manual_seed(0)
    as_called(nn.Sequential(nn.Conv2d(2, 2, 1), layer, *tail()), images())
    within = Calling(lambda net, y: net.layer(y))
    within.layer = layer
    as_called(within, images())


def test_a_replaced_forward_of_a_module_that_is_no_layer_of_torch_is_followed():
    net = Calling(lambda net, y: y)
    net.forward = lambda x: net.tail(F.relu(net.other(net.conv(x))))
    as_called(net, images())


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize("training", [True, False])
def test_a_parametrized_layer_has_the_weights_of_its_parametrization(norm, training):
    net = Calling(lambda net, y: net.other(y))
    norm(net.other)
    net.train(training)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    maps = contrastive_maps(net, images())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    parametrize.remove_parametrizations(net.eval().other, "weight")
    torch.testing.assert_close(maps, contrastive_maps(net, images()))


def test_arguments_by_name_are_those_by_place():
    by_place = Calling(lambda net, y: torch.add(F.conv2d(y, net.other.weight, None, 1, 1), y))
    by_name = Calling(lambda net, y: torch.add(other=y, input=F.conv2d(weight=net.other.weight, padding=1, input=y)))
    torch.testing.assert_close(contrastive_maps(by_name, images()), contrastive_maps(by_place, images()))
    called = Calling(lambda net, y: net.other(input=y))
    torch.testing.assert_close(
        contrastive_maps(called, images()), contrastive_maps(Calling(lambda net, y: net.other(y)), images())
    )


def test_a_layer_that_is_used_twice_is_followed_twice():
    as_called(Calling(lambda net, y: net.other(F.relu(net.other(y)))), images())


def test_maps_joined_along_channels_get_the_mass_of_their_channels():
    """The joined network is a convolution whose filters are those of both branches."""
    joined = Calling(lambda net, y: torch.cat([net.other(y), y], dim=1), channels=4)
    joined.conv.bias.data.fill_(2.0)  # where a map is 0, a convolution takes no mass and a join does
    wide = nn.Conv2d(2, 4, 3, padding=1)
    wide.weight.data.zero_()
    wide.bias.data.zero_()
    wide.weight.data[:2], wide.bias.data[:2] = joined.other.weight.data, joined.other.bias.data
    wide.weight.data[2, 0, 1, 1] = wide.weight.data[3, 1, 1, 1] = 1
    as_called(joined, images())
    single = nn.Sequential(joined.conv, nn.ReLU(), wide, joined.tail)
    torch.testing.assert_close(contrastive_maps(joined, images()), contrastive_maps(single, images()))


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["relu", "pool", "norm", "skip", "join", "shift", "mean"]), max_size=5),
    seed=st.integers(0, 999), training=st.booleans(), n=st.integers(0, 3),
)  # fmt: skip
def test_whatever_is_not_refused_ends_where_the_module_does_and_conserves_no_more_than_one(steps, seed, training, n):
    def middle(net: nn.Module, y: Tensor) -> Tensor:
        for step in steps:
            y = {
                "relu": lambda y: F.relu(net.other(y)),
                "pool": lambda y: F.max_pool2d(y, 3, 1, padding=1),
                "norm": lambda y: net.norm(y),
                "skip": lambda y: y + net.other(y),
                "join": lambda y: net.merge(torch.cat((y, net.other(y)), 1)),
                "shift": lambda y: net.shift + y,
                "mean": lambda y: F.avg_pool2d(y, 3, 1, 1),
            }[step](y)
        return y

    net = Calling(middle)
    torch.manual_seed(seed)
    net.norm, net.merge = nn.BatchNorm2d(2), nn.Conv2d(4, 2, 1)
    net.norm.running_var.uniform_(0.5, 2)
    net.train(training)
    x, bp = images(n), ExcitationBP(net)
    maps = bp.maps(x)
    assert maps.shape == (n, UNITS, SIDE, SIDE)
    assert maps.isfinite().all()
    assert (maps.sum((2, 3)) <= 1 + 1e-4).all()
    assert all(part.training == training for part in net.modules())
    if n:
        with torch.no_grad():
            torch.testing.assert_close(bp.record(x).output, net.eval()(x))


def test_an_attribute_or_layer_that_changes_is_traced_anew():
    net = Calling(lambda net, y: net.other(y) if net.many else y)
    bp = ExcitationBP(net)
    bp.record(images())
    net.many = True
    with torch.no_grad():
        torch.testing.assert_close(bp.record(images()).output, net(images()))
    net.other = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())
    with torch.no_grad():
        torch.testing.assert_close(bp.record(images()).output, net(images()))


def test_the_module_is_called_once_for_every_new_shape():
    calls = []

    class Seen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if isinstance(x, Tensor):
                calls.append(len(x))
            return x

    bp = ExcitationBP(nn.Sequential(Seen(), *tail()))
    for n in (2, 2, 3, 2):
        bp.record(images(n))
    assert calls == [2, 3]


HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_are_computed_in_single_precision(dtype):
    net = Calling(lambda net, y: net.norm(net.other(y)) + net.shift)
    net.norm = nn.BatchNorm2d(2)
    net.to(dtype)
    x = images(dtype=dtype)
    x[0] = 0
    found = [contrastive_maps(net, x), ExcitationBP(net).maps(x)]
    net.float()
    expected = [contrastive_maps(net, x.float()), ExcitationBP(net).maps(x.float())]
    for maps, wanted in zip(found, expected, strict=True):
        assert maps.dtype == torch.float32
        assert maps[1].sum() > 0
        torch.testing.assert_close(maps, wanted)


@pytest.mark.parametrize("dtype", HALVES)
def test_maps_of_zeros_have_zero_maps_not_nan(dtype):
    net = tail().to(dtype)
    assert torch.equal(
        contrastive_maps(net, torch.zeros(1, 2, SIDE, SIDE, dtype=dtype)), torch.zeros(1, UNITS, SIDE, SIDE)
    )


def test_autocast_changes_nothing():
    net, x = Calling(lambda net, y: net.other(y)), images()
    expected = contrastive_maps(net, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = contrastive_maps(net, x)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("units", [None, [1], range(2)])
def test_no_images_have_no_maps(units):
    net = Calling(lambda net, y: y.view(y.size(0), -1).view(-1, 2, SIDE, SIDE))
    count = UNITS if units is None else len(units)
    for bp in (ExcitationBP(net), ExcitationBP(net.double())):
        dtype = next(net.parameters()).dtype
        assert bp.contrastive_maps(images(0, dtype), units).shape == (0, count, SIDE, SIDE)
        assert bp.maps(images(0, dtype), units).shape == (0, count, SIDE, SIDE)


WRONG_UNITS = {
    "a float": ([0, 1.0], "units hold 1.0, expected whole numbers"),
    "a boolean": ([True, False, True], "units hold True, expected whole numbers"),
    "a mask": (torch.tensor([True, False, True]), "units hold True, expected whole numbers"),
    "not a number": ([float("nan")], "units hold nan, expected whole numbers"),
    "a name": (["0"], "units hold '0', expected whole numbers"),
    "negative": ([0, -1], "no unit -1; the last layer has units 0 to 2"),
    "too large": (np.array([3]), "no unit 3; the last layer has units 0 to 2"),
    "none at all": ([], r"units are \[\], expected a list of units, or None for all"),
    "no list": (2, "units are 2, expected a list of units, or None for all"),
    "text": ("01", "units are '01', expected a list of units"),
    "a table": (torch.tensor([[0]]), r"units hold \[0\], expected whole numbers"),
}


@pytest.mark.parametrize("name", WRONG_UNITS)
@pytest.mark.parametrize("n", [0, 2])
def test_units_that_are_no_list_of_units_are_quoted(name, n):
    units, message = WRONG_UNITS[name]
    bp = ExcitationBP(tail())
    for maps in (bp.contrastive_maps, bp.maps):
        with pytest.raises(ValueError, match=message):
            maps(images(n), units)


@given(
    units=st.lists(st.integers(0, UNITS - 1), min_size=1, max_size=5),
    kind=st.sampled_from([list, tuple, np.array, torch.tensor]),
)
@settings(max_examples=20, deadline=None)
def test_units_in_any_order_and_kind_pick_their_maps(units, kind):
    bp, x = ExcitationBP(tail()), images()
    torch.testing.assert_close(bp.contrastive_maps(x, kind(units)), bp.contrastive_maps(x)[:, units])
    torch.testing.assert_close(bp.maps(x, kind(units)), bp.maps(x)[:, units])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(1, 2, SIDE, SIDE, dtype=torch.long), "is torch.int64, expected floating point"),
        (torch.full((1, 2, SIDE, SIDE), torch.inf), "holds 32 values that are NaN or infinite"),
        (torch.full((1, 2, SIDE, SIDE), torch.nan), "holds 32 values that are NaN or infinite"),
    ],
)
def test_values_that_no_mass_can_follow_are_quoted(x, message):
    with pytest.raises(ValueError, match=message):
        contrastive_maps(tail(), x)


@pytest.mark.parametrize("count", [0, -1])
def test_no_targets_in_a_pass_is_refused(count):
    with pytest.raises(ValueError, match=f"targets_per_pass is {count}, expected at least 1"):
        contrastive_maps(tail(), images(), targets_per_pass=count)


@pytest.mark.parametrize("net", [nn.Conv2d(2, 3, 1), nn.Flatten(0), nn.Linear(SIDE, 3)], ids=str)
def test_an_output_that_is_no_vector_of_units_is_refused(net):
    for maps in (ExcitationBP(net).maps, ExcitationBP(net).contrastive_maps):
        with pytest.raises(NoRule, match=r"expects a module that gives units \(n, u\), found"):
            maps(images())
