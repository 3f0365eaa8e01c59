"""Maps that do not depend on what an image shows."""

from __future__ import annotations

import pytest
import torch

from partbench import Task
from partbench_plugins.controls import CentreMap, RandomMaps

from .toys import SIDE


def test_random_maps_belong_to_the_image_not_to_its_place(task: Task):
    explainer = RandomMaps()
    explainer.fit(task.training)
    forward = explainer.explain(task.batch("test", [0, 1, 2]).images).maps
    backward = explainer.explain(task.batch("test", [2, 1, 0]).images).maps
    assert torch.equal(forward, backward.flip(0))
    assert not torch.equal(forward[0], forward[1])


def test_smooth_random_maps_vary_less_from_cell_to_cell_than_independent_ones(task: Task):
    steps = []
    for smoothness in (0.0, 1.5):
        explainer = RandomMaps(smoothness=smoothness, concepts=40)
        explainer.fit(task.training)
        field = explainer.explain(task.batch("test", range(5)).images).maps.log()
        assert float(field.var()) == pytest.approx(1, rel=0.25)
        steps.append(float(field.diff(dim=3).var()))
    assert steps[0] == pytest.approx(2, rel=0.2)
    assert steps[1] < 0.5 * steps[0]


def test_the_centre_map_peaks_at_the_centre_of_every_image_and_falls_off(task: Task):
    explainer = CentreMap()
    explainer.fit(task.training)
    heatmaps = explainer.explain(task.batch("test", range(7)).images).heatmaps(SIDE, SIDE)[:, 0]
    assert torch.equal(heatmaps, heatmaps[:1].expand_as(heatmaps))
    rows, columns = torch.nonzero(heatmaps[0] == heatmaps[0].max(), as_tuple=True)
    assert float(rows.float().mean()) == pytest.approx((SIDE - 1) / 2, abs=1)
    assert float(columns.float().mean()) == pytest.approx((SIDE - 1) / 2, abs=1)
    assert float(heatmaps[0, 0, 0]) < 0.2 * float(heatmaps[0].max())
