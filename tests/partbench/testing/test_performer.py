"""Performers that break the contract are told how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from partbench import Performer
from partbench.datasets.fauna.dataset import Fauna
from partbench.performers.small_vgg import SmallVgg
from partbench.testing import ContractError, check_performer

DATASET = Fauna(size=64)


def opened(**changes: object) -> Performer:
    return replace(SmallVgg.open(DATASET, torch.device("cpu")), **changes)  # type: ignore[arg-type]


def with_stage(name: str, change: Callable[[nn.Module], nn.Module]) -> Performer:
    performer = opened()
    return replace(performer, stages={n: change(s) if n == name else s for n, s in performer.stages.items()})


class Spoils(nn.Module):
    """Runs a layer, then does something to its input."""

    def __init__(self, layer: nn.Module, how: Callable[[torch.Tensor, nn.Module], object]) -> None:
        super().__init__()
        self.layer, self.how = layer, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = self.layer(x)
        self.how(x, self.layer)
        return value


class BatchMean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0, keepdim=True)


def test_a_good_performer_passes() -> None:
    check_performer(opened(), DATASET)


def test_what_is_declared_wrongly_is_said() -> None:
    roles = dict(opened().roles)
    for changes, reason in (
        ({"fingerprint": ""}, "no fingerprint"),
        ({"roles": {**roles, "fc1": "nowhere"}}, "which is no layer"),
        ({"roles": {**roles, "fc9": "fc7"}}, "unknown roles fc9"),
        ({"roles": {**roles, "logits": "fc7"}}, "not the last one"),
        ({"targets": {"bird": 6}}, "output 6 of 6"),
        ({"targets": {"unicorn": 0}}, "no target is a category"),
        ({"outputs": (*opened().outputs, "more")}, "6 logits, but 7 outputs"),
        ({"input_size": 32}, "expected 32"),
    ):
        with pytest.raises(ContractError, match=reason):
            check_performer(opened(**changes), DATASET)


def test_training_mode_gradients_and_hooks_are_seen() -> None:
    performer = opened()
    performer.stages["conv3"].train()
    with pytest.raises(ContractError, match=r"conv3: .* training mode"):
        check_performer(performer, DATASET)
    performer = opened()
    performer.stages["fc6"].requires_grad_(True)
    with pytest.raises(ContractError, match=r"fc6: .* require gradients"):
        check_performer(performer, DATASET)
    performer = opened()
    performer.stages["fc6"].register_forward_hook(lambda *_: None)
    with pytest.raises(ContractError, match=r"fc6: .* has hooks"):
        check_performer(performer, DATASET)


@pytest.mark.parametrize(
    ("stage", "change", "reason"),
    [
        ("fc8", lambda layer: nn.Sequential(layer, BatchMean()), "depends on the other images"),
        ("conv5", lambda layer: Spoils(layer, lambda x, _: x.zero_()), "target is overwritten"),
        ("normalise", lambda layer: Spoils(layer, lambda x, _: x.zero_()), "writes into the images"),
        ("fc7", lambda layer: Spoils(layer, lambda _, own: own[0].bias.add_(1e-5)), "changes|differs"),
    ],
)
def test_what_a_layer_does_wrong_is_said(stage: str, change, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ContractError, match=reason):
        check_performer(with_stage(stage, change), DATASET)
