from __future__ import annotations

import pytest
import torch

from partbench import Task
from partbench_plugins.controls.random_maps import RandomMaps


def test_random_maps_belong_to_the_image_not_to_its_place(task: Task) -> None:
    explainer = RandomMaps()
    explainer.fit(task.training)
    forward = explainer.explain(task.batch("test", [0, 1, 2]).images).maps
    backward = explainer.explain(task.batch("test", [2, 1, 0]).images).maps
    assert torch.equal(forward, backward.flip(0))
    assert not torch.equal(forward[0], forward[1])


def test_smooth_random_maps_vary_less_from_cell_to_cell_than_independent_ones(task: Task) -> None:
    steps = []
    for smoothness in (0.0, 1.5):
        explainer = RandomMaps(smoothness=smoothness, concepts=40)
        explainer.fit(task.training)
        field = explainer.explain(task.batch("test", range(5)).images).maps.log()
        assert float(field.var()) == pytest.approx(1, rel=0.25)
        steps.append(float(field.diff(dim=3).var()))
    assert steps[0] == pytest.approx(2, rel=0.2)
    assert steps[1] < 0.5 * steps[0]
