from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from partbench.nn.tracing import hidden_from_trace


class Doubled(nn.ReLU):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU()))


def hooked(net: nn.Sequential) -> None:
    net[1][0].register_forward_hook(lambda module, args, output: 2 * output)


def prehooked(net: nn.Sequential) -> None:
    net[1][0].register_forward_pre_hook(lambda module, args: (2 * args[0],))


def normed(net: nn.Sequential) -> None:
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(net[1][0])


def replaced(net: nn.Sequential) -> None:
    net[1][0].forward = lambda x: 2 * x


def replaced_within(net: nn.Sequential) -> None:
    net[1][0]._conv_forward = lambda x, weight, bias: x


def compiled(net: nn.Sequential) -> None:
    net[1][0].compile()


def compiled_around(net: nn.Sequential) -> None:
    net[1][0] = torch.compile(net[1][0])


def scripted(net: nn.Sequential) -> None:
    net[1][0] = torch.jit.trace(net[1][0], torch.zeros(1, 2, 3, 3))


HIDDEN = {
    hooked: "layer '1.0' (Conv2d) has a forward hook",
    prehooked: "layer '1.0' (Conv2d) has a forward pre-hook",
    normed: "layer '1.0' (Conv2d) has a forward pre-hook",
    lambda net: nn.utils.spectral_norm(net[1][0]): "layer '1.0' (Conv2d) has a forward pre-hook",
    lambda net: prune.random_unstructured(net[1][0], "weight", 0.5): "layer '1.0' (Conv2d) has a forward pre-hook",
    lambda net: net.register_forward_hook(lambda *_: None): "the module (Sequential) has a forward hook",
    replaced: "layer '1.0' (Conv2d) has a forward of its own",
    replaced_within: "layer '1.0' (Conv2d) has a _conv_forward of its own",
    compiled: "layer '1.0' (Conv2d) is compiled",
    compiled_around: "layer '1.0' (OptimizedModule) is compiled",
    scripted: "layer '1.0' (TopLevelTracedModule) is scripted",
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("change", HIDDEN)
def test_what_a_trace_does_not_see_is_named_with_its_layer(change):
    net = network()
    assert hidden_from_trace(net) == ""
    change(net)
    assert hidden_from_trace(net).startswith(HIDDEN[change])


def test_hooks_for_all_modules_are_found():
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert "for all modules" in hidden_from_trace(network())
    finally:
        handle.remove()
    assert hidden_from_trace(network()) == ""


def test_what_a_trace_does_see_is_no_obstacle():
    net = network()
    net[1][1] = Doubled()
    net[1][0].register_full_backward_hook(lambda *_: None)
    parametrizations.weight_norm(net[0])
    assert hidden_from_trace(net) == ""
