from __future__ import annotations

from pathlib import Path

import pytest

from partbench import NotApplicable
from partbench_plugins.controls.fixed_maps import Uniform
from partbench_plugins.controls.floor import MapGeometry

from ..toys import CHANNELS, SIDE, toy_performer, toy_task


def test_maps_have_as_many_cells_as_those_of_the_layer(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    assert task.performer.activations(task.batch("test", [0]).pixels, ["target"])["target"].shape[1] == CHANNELS
    geometry = MapGeometry.of(task.training, "target")
    assert (geometry.height, geometry.width, geometry.pixels) == (SIDE // 2, SIDE // 2, SIDE)
    assert geometry.grid == task.performer.receptive_field("target")


def test_a_layer_that_the_performer_lacks_is_named(tmp_path: Path) -> None:
    training = toy_task(tmp_path, performer=toy_performer(without=["top_conv"])).training
    with pytest.raises(NotApplicable, match="toy has no layer 'top_conv'"):
        Uniform(layer="top_conv").fit(training)
