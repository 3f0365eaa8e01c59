from __future__ import annotations

import pytest
import torch

from partbench.performers.shipped_vgg import OWN, ROLES, state_of, weights_named
from partbench.performers.small_vgg import network


@pytest.mark.parametrize("folder", ["", "heads/"])
def test_a_head_takes_the_place_of_its_layers_and_no_other_head_is_looked_at(folder: str) -> None:
    heads = {"cat": 1.0, "cat:others": 2.0}
    weights = {name: torch.zeros(1) for name in ("fc6.1.bias", "fc7.0.bias", "fc8.bias")}
    weights |= {f"{folder}{head}/{layer}": torch.tensor([v]) for head, v in heads.items() for layer in ("fc8.bias",)}
    assert {name: float(value) for name, value in state_of(weights).items()} == {
        "fc6.1.bias": 0, "fc7.0.bias": 0, "fc8.bias": 0,
    }  # fmt: skip
    for head, value in heads.items():
        assert {name: float(v) for name, v in state_of(weights, head).items()} == {"fc6.1.bias": 0, "fc8.bias": value}


def test_roles_are_stages_of_the_network_and_the_files_are_in_the_package() -> None:
    stages = dict(network().named_children())
    assert {*ROLES.values(), *OWN} <= set(stages)
    assert weights_named("small_vgg").is_file()
