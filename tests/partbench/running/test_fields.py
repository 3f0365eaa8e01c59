"""Which layer's measured field belongs to maps, and how often it is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toys import toy_task

from partbench import ReceptiveField
from partbench.nn.measured_field import measured_field
from partbench.running import fields
from partbench.running.fields import field_of, nearest_layer


def test_layer_of_the_same_stride_and_the_nearest_size_is_taken(tmp_path: Path) -> None:
    performer = toy_task(tmp_path).performer
    layers = [performer.layer(role) for role in ("target", "top_conv")]
    for layer in layers:
        assert nearest_layer(performer, performer.receptive_field(layer)) == layer
    top = performer.receptive_field(layers[1])
    assert nearest_layer(performer, ReceptiveField(top.offset, top.stride, top.size + 50)) == layers[1]


def test_field_is_that_of_the_layer_measured_once_and_the_same_for_all_tasks_of_a_performer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*args: object) -> float:
        calls.append(args)
        return measured_field(*args)  # type: ignore[arg-type]

    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fields, "measured_field", counted)
    task, multi = (toy_task(tmp_path, category) for category in ("both", "multi"))
    grid = task.performer.receptive_field("target")
    found = field_of(task, grid)
    assert found is not None
    assert 0 < found < grid.size
    assert field_of(multi, grid) == found
    assert len(calls) == 1
    assert len(calls[0][1]) == fields.IMAGES


def test_maps_without_a_grid_and_performers_without_geometry_have_no_field(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    assert field_of(task, None) is None
    task.performer.stages = {"flat": torch.nn.Flatten()}
    assert nearest_layer(task.performer, ReceptiveField(0.5, 1, 1)) is None
