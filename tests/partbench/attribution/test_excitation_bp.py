"""Excitation BP against its formula written out, its conservation laws, planted truths and known networks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from partbench.attribution import ExcitationBP, contrastive_maps
from partbench.attribution.excitation_bp import contrast
from partbench.nn.torchvision_ops import torchvision

from .literal_ebp import Residual, literal_contrast, literal_mass

BLOCKS = ["conv", "grouped", "strided", "conv_bn", "bn", "relu", "relu6", "max", "avg", "residual"]


def block(kind: str, c: int) -> nn.Module:
    """A block that takes c channels to c channels."""
    conv = nn.Conv2d(c, c, 3, padding=1)
    makers = {
        "conv": lambda: nn.Sequential(nn.Conv2d(c, c, 2, padding=1, dilation=2), nn.ReLU()),
        "grouped": lambda: nn.Conv2d(c, c, 3, padding="same", groups=2),
        "strided": lambda: nn.Conv2d(c, c, 3, stride=2, padding=1),
        "conv_bn": lambda: nn.Sequential(conv, nn.BatchNorm2d(c), nn.ReLU()),
        "bn": lambda: nn.BatchNorm2d(c),
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "max": lambda: nn.MaxPool2d(3, stride=2, padding=1),
        "avg": lambda: nn.AvgPool2d(2, stride=1, padding=1, ceil_mode=True),
        "residual": lambda: Residual(nn.Sequential(conv, nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, c, 1))),
    }
    return makers[kind]()


def network(kinds: list[str], seed: int, side: int = 5, channels: int = 2, units: int = 3) -> nn.Sequential:
    """A random network in double precision on maps (n, channels, side, side); ends Linear, ReLU, Linear."""
    torch.manual_seed(seed)
    body = [block(kind, channels) for kind in kinds] + [nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Dropout()]
    net = nn.Sequential(*body, nn.Linear(6 * channels, 5), nn.ReLU(), nn.Linear(5, units)).double().eval()
    nn.init.constant_(net[-3].bias, 0.5)  # alive
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.uniform_(part.bias, 0, 2)
    return net


def positive_network() -> nn.Sequential:
    """All weights positive and no bias: every normaliser is positive for a positive input that reaches everywhere."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
        Residual(nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(4 * 2 * 2, 6, bias=False), nn.ReLU(), nn.Linear(6, 4, bias=False),
    )  # fmt: skip
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    return net.double().eval()


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.sampled_from(BLOCKS), max_size=4), seed=st.integers(0, 999), positive=st.booleans())
def test_mass_agrees_with_the_formula_written_out(kinds, seed, positive):
    net = network(kinds, seed)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    x = x.abs() if positive else x
    mass = torch.randn(2, 2, 3, dtype=torch.float64)
    found = ExcitationBP(net).record(x).backward(mass)
    for target in range(2):
        for image in range(2):
            expected = literal_mass(net, x[image : image + 1], mass[target, image])[0]
            torch.testing.assert_close(found[target, image], expected, rtol=1e-6, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(kinds=st.lists(st.sampled_from(BLOCKS), max_size=3), seed=st.integers(0, 999))
def test_contrastive_maps_agree_with_the_formula_written_out(kinds, seed):
    net = network(kinds, seed)
    x = torch.rand(1, 2, 5, 5, dtype=torch.float64)
    below, last = net[:-1], net[-1]
    at_last = below(x)
    expected = torch.stack(
        [literal_mass(below, x, literal_contrast(last, at_last[0], u))[0].sum(0).clamp(min=0) for u in range(3)]
    )
    torch.testing.assert_close(contrastive_maps(net, x)[0], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, stride=3, groups=4),
        nn.Conv2d(4, 2, (3, 1), stride=(2, 1), padding=(0, 2)),
        nn.Conv2d(4, 2, 2, padding="same"),
        nn.Conv2d(4, 2, 3, padding="valid", dilation=2),
        nn.Conv2d(4, 2, 3, padding="same", dilation=2),
        nn.Conv2d(4, 2, 1, stride=4),
    ],
    ids=str,
)
@pytest.mark.parametrize("x", [torch.rand(1, 4, 6, 7), torch.randn(1, 4, 6, 7)], ids=["positive", "signed"])
def test_a_convolution_of_any_geometry_agrees_with_its_matrix(conv, x):
    conv, x = conv.double(), x.double()
    tape = ExcitationBP(conv).record(x)
    mass = torch.rand_like(tape.output)
    torch.testing.assert_close(tape.backward(mass[None])[0], literal_mass(conv, x, mass), rtol=1e-6, atol=1e-9)


def test_mass_is_conserved_when_every_normaliser_is_positive():
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64) + 0.1
    mass = torch.rand(3, 2, 4, dtype=torch.float64)
    sent = ExcitationBP(positive_network()).record(x).backward(mass)
    torch.testing.assert_close(sent.sum((2, 3, 4)), mass.sum(2))


def test_mass_of_an_output_without_excitatory_input_is_lost():
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data = torch.tensor([[-1.0, -2.0, 0.0], [1.0, 0.0, 3.0]])
    sent = ExcitationBP(linear).record(torch.ones(1, 3)).backward(torch.tensor([[[5.0, 4.0]]]))
    torch.testing.assert_close(sent, torch.tensor([[[1.0, 0.0, 3.0]]]))


def test_the_contrast_sums_to_zero_before_clamping():
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64) + 0.1
    net = positive_network()
    torch.nn.init.normal_(net[-1].weight)
    signed = contrastive_maps(net, x, clamp=False)
    assert signed.abs().sum((2, 3)).min() > 1e-3
    torch.testing.assert_close(signed.sum((2, 3)), torch.zeros(2, 4, dtype=torch.float64))
    torch.testing.assert_close(contrastive_maps(net, x), signed.clamp(min=0))


def test_a_unit_that_only_excites_contrasts_with_nothing():
    weight, a = torch.tensor([[1.0, 3.0], [-1.0, -3.0]]), torch.tensor([[1.0, 1.0]])
    torch.testing.assert_close(contrast(weight, a), torch.tensor([[[0.25, 0.75]], [[-0.25, -0.75]]]))


def test_mass_is_linear_in_what_is_sent():
    net = network(["conv_bn", "max", "residual"], seed=3)
    tape = ExcitationBP(net).record(torch.randn(2, 2, 5, 5, dtype=torch.float64))
    p, q = torch.randn(2, 1, 2, 3, dtype=torch.float64)
    assert tape.backward(p).abs().sum() > 0.1
    torch.testing.assert_close(tape.backward(2 * p - 3 * q), 2 * tape.backward(p) - 3 * tape.backward(q))


@pytest.mark.parametrize("per_pass", [1, 2, 100])
def test_targets_and_images_in_one_pass_equal_one_at_a_time(per_pass):
    net = network(["conv_bn", "max", "residual", "strided"], seed=5, units=7)
    x = torch.randn(3, 2, 5, 5, dtype=torch.float64)
    together = contrastive_maps(net, x, targets_per_pass=per_pass)
    assert (together.sum((2, 3)) > 0).double().mean() > 0.5
    for image in range(3):
        for unit in range(7):
            alone = contrastive_maps(net, x[image : image + 1], [unit])
            torch.testing.assert_close(together[image, unit], alone[0, 0])


def test_a_logit_that_sees_only_one_corner_has_all_its_mass_there():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 8 * 8, 2),
    )  # fmt: skip
    weight = net[-1].weight.data.view(2, 8, 8, 8)
    weight[0, :, 2:] = weight[0, :, :, 2:] = 0  # unit 0 reads the 2x2 top left cells; they see 7x7 px
    maps = contrastive_maps(net, torch.rand(2, 3, 16, 16), [0, 1])
    inside = maps[..., :7, :7].sum((2, 3)) / maps.sum((2, 3))
    torch.testing.assert_close(inside[:, 0], torch.ones(2))
    assert inside[:, 1].max() < 0.6


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18", "mobilenet_v2"])
def test_torchvision_networks_give_finite_maps_that_are_not_negative(name):
    torch.manual_seed(0)
    net = getattr(torchvision().models, name)(weights=None).eval()
    x = torch.rand(1, 3, 64, 64)
    bp = ExcitationBP(net)
    with torch.no_grad():
        torch.testing.assert_close(bp.record(x).output, net(x))
    maps = bp.contrastive_maps(x, [3, 700])
    assert maps.shape == (1, 2, 64, 64)
    assert maps.isfinite().all()
    assert maps.min() == 0
    assert (maps.sum((2, 3)) > 0).all()


def test_an_encoder_after_a_performer_is_traced_through():
    below = network(["conv_bn", "max"], seed=2, units=6)
    encoder = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.rand(2, 2, 5, 5, dtype=torch.float64)
    expected = contrastive_maps(nn.Sequential(*below, *encoder), x)
    torch.testing.assert_close(contrastive_maps([below, nn.Sequential(encoder, nn.ReLU())], x), expected)


class Functional(nn.Module):
    """The network of `modules` in functional form, with in-place addition and a ReLU that changes its input."""

    def __init__(self, modules: nn.ModuleDict) -> None:
        super().__init__()
        self.parts = modules

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv, tail = self.parts["conv"], self.parts["tail"]
        x = F.conv2d(F.pad(x, (1, 1, 1, 1)), conv.weight, conv.bias)
        x = F.max_pool2d(F.relu(self.parts["bn"](x)), 2)
        y = self.parts["body"](x)
        F.relu_(y)
        y += x
        z = F.dropout(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1), training=self.training)
        z = z.view(z.size(0), -1) + 1.0
        return F.linear(z, tail.weight, tail.bias)


def test_functional_forms_equal_modules():
    torch.manual_seed(4)
    parts = nn.ModuleDict({
        "conv": nn.Conv2d(3, 4, 3), "bn": nn.BatchNorm2d(4), "body": nn.Conv2d(4, 4, 1), "tail": nn.Linear(4, 3)
    }).double().eval()  # fmt: skip
    nn.init.normal_(parts["bn"].weight)
    nn.init.normal_(parts["body"].weight)
    body = Residual(nn.Sequential(parts["body"], nn.ReLU()))
    modules = [nn.ZeroPad2d(1), parts["conv"], parts["bn"], nn.ReLU(), nn.MaxPool2d(2), body, MeanOverCells()]
    plain = nn.Sequential(*modules).eval()
    x = torch.rand(2, 3, 6, 6, dtype=torch.float64)
    mass = torch.rand(1, 2, 3, dtype=torch.float64)
    functional = ExcitationBP(Functional(parts)).record(x)
    with torch.no_grad():
        torch.testing.assert_close(functional.output, parts["tail"](plain(x) + 1))
    shifted = Shifted(parts["tail"])
    expected = ExcitationBP([plain, shifted]).record(x).backward(mass)
    torch.testing.assert_close(functional.backward(mass), expected)
    assert expected.sum() > 0


class MeanOverCells(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean([2, -1])


class Shifted(nn.Module):
    def __init__(self, tail: nn.Linear) -> None:
        super().__init__()
        self.tail = tail

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(torch.add(1.0, x))


def test_an_in_place_layer_changes_what_later_layers_read():
    class Aliased(nn.Module):
        def forward(self, x):
            y = -x
            return F.relu(y, inplace=True) + y

    class ReluTwice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.conv(x)
            return self.act(y) + y

    torch.manual_seed(0)
    net, x = ReluTwice(), torch.randn(1, 2, 3, 3)
    with torch.no_grad():
        torch.testing.assert_close(ExcitationBP(net).record(x).output, net(x))
    with pytest.raises(TypeError, match="no rule for layer 'neg'"):
        ExcitationBP(Aliased())


def test_the_module_is_left_as_it_was():
    net = torchvision().models.resnet18(weights=None)
    net.layer1.eval()  # a mixture of modes, which must survive
    state = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    x = torch.rand(2, 3, 64, 64)
    kept = x.clone()
    contrastive_maps(net, x, [0])
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert modes == [part.training for part in net.modules()]
    assert not any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in net.modules())
    assert torch.equal(x, kept)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_weights_are_read_anew_for_each_batch():
    net = network(["relu"], seed=1)
    bp, x = ExcitationBP(net), torch.rand(1, 2, 5, 5, dtype=torch.float64)
    before = bp.contrastive_maps(x)
    nn.init.normal_(net[-1].weight)
    assert not torch.allclose(bp.contrastive_maps(x), before)
    torch.testing.assert_close(bp.contrastive_maps(x), contrastive_maps(net, x))


def test_maps_without_contrast_are_one_hot_mass_summed_over_channels():
    net = network(["conv_bn", "residual"], seed=6)
    x = torch.rand(2, 2, 5, 5, dtype=torch.float64)
    one_hot = torch.eye(3, dtype=torch.float64)[[2]][:, None].expand(-1, 2, -1)
    expected = ExcitationBP(net).record(x).backward(one_hot).sum(2)[0]
    torch.testing.assert_close(ExcitationBP(net).maps(x, [2])[:, 0], expected)


def test_batch_normalisation_after_the_last_linear_layer_scales_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2), nn.BatchNorm1d(2), nn.ReLU())
    net[2].weight.data = torch.tensor([2.0, -3.0])
    x = torch.rand(1, 3, 4, 4)
    flipped = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    flipped[1].weight.data = net[1].weight.data * torch.tensor([[1.0], [-1.0]])
    torch.testing.assert_close(contrastive_maps(net, x), contrastive_maps(flipped, x))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.GELU()), r"layer '1' \(GELU\); supported: .*Conv2d.*ReLU"),
        (nn.Sequential(nn.Conv2d(3, 2, 1, padding_mode="reflect", padding=0)), "padding mode 'reflect'"),
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), "expects a Linear layer, or Linear and ReLU, as last"),
    ],
)
def test_what_has_no_rule_is_named(net, message):
    with pytest.raises(TypeError, match=message):
        contrastive_maps(net, torch.rand(1, 3, 4, 4))


def test_a_unit_or_map_that_does_not_fit_is_quoted():
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with pytest.raises(ValueError, match="no unit 2; the last layer has units 0 to 1"):
        contrastive_maps(net, torch.rand(1, 3, 4, 4), [2])
    with pytest.raises(ValueError, match=r"the map to read is \(3, 16\), expected \(n, c, h, w\)"):
        contrastive_maps(net, torch.rand(3, 16))
