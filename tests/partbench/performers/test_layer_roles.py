from __future__ import annotations

import os
from pathlib import Path

import pytest
from torch import nn

from partbench import ChainStage, InputError
from partbench.performers.layer_roles import expect_shapes, roles_in_file, roles_of


def stage(name: str, shape: tuple[int, ...], positive: bool = True, pool: bool = False) -> ChainStage:
    return ChainStage(name, nn.Identity(), shape, positive, pool)


def test_a_network_like_vgg_has_every_role() -> None:
    maps = [stage("conv4", (8, 14, 14)), stage("conv5", (8, 14, 14)), stage("pool5", (8, 7, 7), pool=True)]
    found = roles_of([stage("conv1", (4, 28, 28)), *maps, stage("fc6", (9,)), stage("fc7", (9,))], 224)
    assert found.layers == {"target": "conv4", "top_conv": "conv5", "fc1": "fc6", "fc2": "fc7"}
    assert not found.lacking


def test_the_target_is_the_last_positive_map_of_cells_at_most_18_px_apart() -> None:
    fine = [stage("a", (4, 14, 14)), stage("b", (4, 14, 14)), stage("c", (4, 14, 14), positive=False)]
    assert roles_of([*fine, stage("top", (4, 7, 7))], 224).layers["target"] == "b"
    assert roles_of([*fine[2:], stage("top", (4, 7, 7))], 224).layers["target"] == "c"
    assert roles_of([stage("top", (4, 3, 3))], 224).layers == {"top_conv": "top", "target": "top"}


def test_what_a_network_lacks_is_said_in_words() -> None:
    found = roles_of([stage("blocks", (4, 14, 14), positive=False), stage("mean", (4,), positive=False)], 224)
    assert found.layers == {"target": "blocks"}
    assert found.lacking["top_conv"] == "its last map, blocks, may have values below 0"
    assert found.lacking["fc1"] == "no layer of vectors >= 0 stands between its maps and its logits"
    with pytest.raises(InputError, match="no layer with a square map"):
        roles_of([stage("mean", (4,))], 224)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[roles]\ntop_conv = "layer4"', "names no target"),
        ('[roles]\ntraget = "layer3"', "did you mean 'target'"),
        ('target = "layer3"', r"has no table \[roles\]"),
        ("[roles", "cannot be read"),
        ("[roles]\ntarget = 3", r"has no table \[roles\]"),
    ],
)
def test_a_file_of_roles_that_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "roles.toml"
    with pytest.raises(InputError, match=r"no file .*roles\.toml; layers= names a TOML file"):
        roles_in_file(str(path))
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        roles_in_file(str(path))
    path.write_text('[roles]\ntarget = "layer3"\nfc1 = "avgpool"\n')
    assert roles_in_file(str(path)) == {"target": "layer3", "fc1": "avgpool"}


def test_a_pipe_or_an_endless_file_of_roles_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="cannot be read: it is no file"):
            roles_in_file(str(path))


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"target": "fc6"}, "r.toml: target is fc6, which gives 9 values of an image; expected a square map"),
        ({"target": "conv", "fc1": "conv"}, "fc1 is conv, which gives 8 x 14 x 14 values of an image; expected a vec"),
        ({"target": "fc8"}, "target is fc8, which the layer of logits replaces; expected a square map of several"),
    ],
)
def test_a_role_is_played_by_a_layer_of_its_shape_below_the_logits(roles: dict[str, str], said: str) -> None:
    stages = [stage("conv", (8, 14, 14)), stage("fc6", (9,))]
    expect_shapes({"target": "conv", "top_conv": "conv", "fc1": "fc6"}, stages, "r.toml")
    with pytest.raises(InputError, match=said):
        expect_shapes(roles, stages, "r.toml")
