from __future__ import annotations

import math

import pytest
import torch

from partbench import Task
from partbench.functional.statistics import entropy
from partbench_plugins.controls.fixed_maps import CentreMap, CornerMap, Uniform
from partbench_plugins.controls.floor import Floor

from ..toys import SIDE


def heatmaps(explainer: Floor, task: Task) -> torch.Tensor:
    explainer.fit(task.training)
    return explainer.explain(task.batch("test", range(7)).images).heatmaps(SIDE, SIDE)


@pytest.mark.parametrize("cls", [CentreMap, CornerMap, Uniform])
def test_the_maps_of_all_images_are_the_same(cls: type[Floor], task: Task) -> None:
    found = heatmaps(cls(), task)
    assert torch.equal(found, found[:1].expand_as(found))


def test_the_centre_map_peaks_at_the_centre_of_every_image_and_falls_off(task: Task) -> None:
    found = heatmaps(CentreMap(), task)[0, 0]
    rows, columns = torch.nonzero(found == found.max(), as_tuple=True)
    assert float(rows.float().mean()) == pytest.approx((SIDE - 1) / 2, abs=1)
    assert float(columns.float().mean()) == pytest.approx((SIDE - 1) / 2, abs=1)
    assert float(found[0, 0]) < 0.2 * float(found.max())


def test_each_corner_map_peaks_in_a_corner_of_its_own(task: Task) -> None:
    found = heatmaps(CornerMap(), task)[0]
    corners = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(corners.argmax(1), torch.arange(4))
    assert torch.allclose(corners.amax(1), found.amax((1, 2)))
    assert float(found.prod(0).max()) < 1e-6


def test_the_uniform_map_is_the_same_everywhere_and_its_contributions_have_the_largest_entropy(task: Task) -> None:
    explainer = Uniform(concepts=4)
    assert heatmaps(explainer, task).std() == 0
    contributions = explainer.explain(task.batch("test", range(3)).images).contributions
    assert torch.allclose(contributions.sum(1), torch.ones(3))
    assert entropy(contributions.double().numpy()) == pytest.approx([math.log(4)] * 3)
