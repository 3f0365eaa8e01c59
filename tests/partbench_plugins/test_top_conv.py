"""The performer's own filters as an explainer."""

from __future__ import annotations

import torch

from partbench import Task
from partbench_plugins.top_conv import TopConv


def test_top_conv_shows_the_activations_and_their_maxima(task: Task):
    explainer = TopConv()
    explainer.fit(task.training)
    explanation = explainer.explain(task.batch("test", range(7)).images)
    assert torch.equal(explanation.maps, task.activation_cache.of_split("test", "conv2")[:7])
    assert torch.equal(explanation.scores, explanation.maps.flatten(2).max(2).values)
    assert explanation.grid == task.performer.receptive_field("conv2")


def test_only_the_ordinary_network_is_another_than_the_performer(task: Task):
    plain, ordinary = TopConv(), TopConv(network="ordinary")
    assert plain.explains(task.training) is None
    assert plain.deterministic()
    assert ordinary.explains(task.training) == ordinary.builds_on(task.training)[0]
    assert not ordinary.deterministic()
