"""A plugin that changes the performer is told so, and the change is undone: weights, hooks, mode, structure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toys import SIDE, toy_performer

from partbench import Performer
from partbench.running.integrity import HOOKS, PerformerChanged, unchanged

PIXELS = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def performer(tmp_path: Path) -> Performer:
    """The toy, with batch statistics in its first stage."""
    performer = toy_performer()
    performer.stages["conv1"].insert(1, nn.BatchNorm2d(6).eval().requires_grad_(False))
    return performer


def conv(performer: Performer) -> nn.Module:
    return performer.stages["conv1"][0]


def double(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return output * 2


def in_place(performer: Performer) -> None:
    conv(performer).weight.data.mul_(1.5)


def one_number(performer: Performer) -> None:
    conv(performer).bias.data[3] += 1e-4


def another_tensor(performer: Performer) -> None:
    conv(performer).weight = nn.Parameter(torch.zeros_like(conv(performer).weight))


def same_values_of_ones_own(performer: Performer) -> None:
    conv(performer).weight = nn.Parameter(conv(performer).weight.clone(), requires_grad=False)


def another_type(performer: Performer) -> None:
    performer.stages["logits"].double()


def another_shape(performer: Performer) -> None:
    conv(performer).weight.data = torch.zeros(6, 3, 5, 5)


def not_a_number(performer: Performer) -> None:
    conv(performer).weight.data[0] = torch.nan


def gradients(performer: Performer) -> None:
    performer.stages["logits"].requires_grad_(True)


def removed(performer: Performer) -> None:
    del conv(performer)._parameters["bias"]
    conv(performer).register_parameter("bias", None)


def added(performer: Performer) -> None:
    conv(performer).register_parameter("more", nn.Parameter(torch.ones(2)))


def buffer(performer: Performer) -> None:
    performer.stages["conv1"][1].running_mean.add_(1)


def statistics(performer: Performer) -> None:
    performer.stages["conv1"][1].train()
    performer.stages["conv1"](PIXELS)
    performer.stages["conv1"][1].eval()


def forward_hook(performer: Performer) -> None:
    conv(performer).register_forward_hook(double)


def hook_with_keywords(performer: Performer) -> None:
    conv(performer).register_forward_hook(lambda module, inputs, kwargs, output: output * 2, with_kwargs=True)


def pre_hook(performer: Performer) -> None:
    performer.stages["fc1"].register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))


def backward_hook(performer: Performer) -> None:
    conv(performer).register_full_backward_hook(lambda module, inputs, outputs: None)


def mode(performer: Performer) -> None:
    performer.stages["conv1"].train()


def inner_mode(performer: Performer) -> None:
    performer.stages["conv1"][1].train()


def submodule(performer: Performer) -> None:
    performer.stages["conv1"][2] = nn.Identity()


def appended(performer: Performer) -> None:
    performer.stages["logits"].add_module("more", nn.Identity())


def forward(performer: Performer) -> None:
    conv(performer).forward = torch.zeros_like


class Twice(nn.Conv2d):
    """A convolution whose outputs are twice as large."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def another_class(performer: Performer) -> None:
    conv(performer).__class__ = Twice


def setting(performer: Performer) -> None:
    conv(performer).stride = (2, 2)


def stage(performer: Performer) -> None:
    performer.stages["logits"] = nn.Linear(24, 3)  # type: ignore[index]


def another_stage(performer: Performer) -> None:
    performer.stages["more"] = nn.Identity()  # type: ignore[index]


def targets(performer: Performer) -> None:
    performer.targets["both"] = 2  # type: ignore[index]


def other_roles(performer: Performer) -> None:
    performer.roles = {**performer.roles, "logits": "conv1"}


def outputs(performer: Performer) -> None:
    performer.outputs = ("one",)


def method(performer: Performer) -> None:
    performer.logits = torch.zeros_like  # type: ignore[method-assign]


def attribute_gone(performer: Performer) -> None:
    del performer.fingerprint


CHANGES: list[tuple[Callable[[Performer], None], str]] = [
    (in_place, r"conv1\.0 \(weights\)"),
    (one_number, r"conv1\.0 \(weights\)"),
    (another_tensor, r"conv1\.0 \(weights\)"),
    (same_values_of_ones_own, r"conv1\.0 \(weights\)"),
    (another_type, r"logits \(weights\)"),
    (another_shape, r"conv1\.0 \(weights\)"),
    (not_a_number, r"conv1\.0 \(weights\)"),
    (gradients, r"logits \(weights\)"),
    (removed, r"conv1\.0 \(weights\)"),
    (added, r"conv1\.0 \(weights\)"),
    (buffer, r"conv1\.1 \(weights\)"),
    (statistics, r"conv1\.1 \(weights\)"),
    (forward_hook, r"conv1\.0 \(hooks\)"),
    (hook_with_keywords, r"conv1\.0 \(hooks\)"),
    (pre_hook, r"fc1 \(hooks\)"),
    (backward_hook, r"conv1\.0 \(hooks\)"),
    (mode, r"conv1 \(mode\)"),
    (inner_mode, r"conv1\.1 \(mode\)"),
    (submodule, r"conv1 \(modules\)"),
    (appended, r"logits \(modules\)"),
    (forward, r"conv1\.0 \(attributes\)"),
    (another_class, r"conv1\.0 \(class\)"),
    (setting, r"conv1\.0 \(attributes\)"),
    (stage, "stages"),
    (another_stage, "stages"),
    (targets, "its targets"),
    (other_roles, "its roles"),
    (outputs, "its outputs"),
    (method, "its logits"),
    (attribute_gone, "its fingerprint"),
]


def state(performer: Performer) -> dict[str, object]:
    """What can be seen of a performer and of its modules."""
    seen: dict[str, object] = {name: value for name, value in vars(performer).items() if name != "stages"}
    seen |= {name: dict(getattr(performer, name)) for name in ("targets", "roles")}
    for name, root in performer.stages.items():
        for inner, module in root.named_modules():
            place = f"{name}.{inner}"
            seen[place] = (id(module), module.training, {hook: dict(getattr(module, hook)) for hook in HOOKS})
            tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
            seen[f"{place} tensors"] = [(n, id(v), v.dtype, v.requires_grad, v.tolist()) for n, v in tensors]
            seen[f"{place} settings"] = {n: id(v) for n, v in vars(module).items() if not n.startswith("_")}
    return seen


@pytest.mark.parametrize(("change", "named"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_is_named_and_undone(performer: Performer, change: Callable, named: str) -> None:
    before, logits = state(performer), performer.logits(PIXELS)
    with pytest.raises(PerformerChanged, match=f"changed the performer: .*{named}"), unchanged(performer):
        change(performer)
    assert state(performer) == before
    assert torch.equal(performer.logits(PIXELS), logits)
    with unchanged(performer):  # nothing is left to find
        pass


def test_a_change_is_found_and_undone_as_soon_as_one_asks(performer: Performer) -> None:
    before = state(performer)
    with unchanged(performer) as check:
        check()
        in_place(performer)
        with pytest.raises(PerformerChanged, match=r"conv1\.0 \(weights\)"):
            check()
        assert state(performer) == before


def test_using_a_performer_is_no_change(performer: Performer) -> None:
    with unchanged(performer):
        performer.logits(PIXELS)
        performer.activations(PIXELS, ["target", "fc1"])
        performer.receptive_field("target")
        performer.segment("images", "logits")(PIXELS.clone().requires_grad_()).sum().backward()


def test_what_is_put_back_while_it_works_is_no_change(performer: Performer) -> None:
    with unchanged(performer):
        handle = conv(performer).register_forward_hook(double)
        performer.logits(PIXELS)
        handle.remove()
        performer.stages["conv1"].train()
        performer.stages["conv1"].eval()


@pytest.mark.parametrize(("error", "told"), [(RuntimeError, PerformerChanged), (KeyboardInterrupt, KeyboardInterrupt)])
def test_an_explainer_that_fails_after_changing_is_told_of_the_change_and_the_performer_is_as_it_was(
    performer: Performer, error: type[BaseException], told: type[BaseException]
) -> None:
    before = state(performer)

    def fails() -> None:
        in_place(performer)
        raise error("out of cheese")

    with pytest.raises(told) as raised, unchanged(performer):
        fails()
    assert state(performer) == before
    assert "out of cheese" in str(raised.value.__cause__ or raised.value)


def test_an_explainer_that_fails_without_changing_fails_for_its_own_reason(performer: Performer) -> None:
    with pytest.raises(RuntimeError, match="out of cheese"), unchanged(performer):
        raise RuntimeError("out of cheese")


def test_many_changes_are_named_by_the_first(performer: Performer) -> None:
    with pytest.raises(PerformerChanged) as raised, unchanged(performer):
        torch.nn.ModuleList(performer.stages.values()).train()
    assert str(raised.value).count("(mode)") == 3
