from __future__ import annotations

import torch

from partbench import Task
from partbench_plugins.unit_maps import UnitMaps
from partbench_plugins.weighted_concepts import WeightedConcepts


def test_contributions_are_weighted_scores_and_sum_to_the_logit_less_the_intercept(task: Task) -> None:
    images = task.batch("test", range(4)).images
    scores = images.activations("fc1")[:, [2, 5]]
    unit_maps = UnitMaps(task.training, "target", "fc1", units=[2, 5])
    found = WeightedConcepts(torch.tensor([2.0, -1.0]), 0.5, unit_maps).explanation(images, scores)
    assert torch.equal(found.contributions, torch.stack((2 * scores[:, 0], -scores[:, 1]), 1))
    torch.testing.assert_close(found.logits, 2 * scores[:, 0] - scores[:, 1] + 0.5)
    assert torch.equal(found.scores, scores)
    assert found.maps_on_demand
    assert torch.equal(found.maps, unit_maps.maps(images))
    assert found.grid == unit_maps.grid
