"""Excitation Backprop of the explained logit as an explainer."""

from __future__ import annotations

import torch

from partbench import Task, contrastive_maps
from partbench_plugins.excitation_bp import ExcitationBackprop


def test_maps_can_be_read_at_another_layer(task: Task):
    batch = task.batch("test", range(5))
    explainer = ExcitationBackprop(read_layer="top_conv")
    explainer.fit(task.training)
    segment = task.performer.segment("conv2", "logits")
    expected = contrastive_maps(segment, batch.images.activations("conv2"), [0])
    explanation = explainer.explain(batch.images)
    torch.testing.assert_close(explanation.maps, expected)
    assert explanation.grid == task.performer.receptive_field("conv2")


def test_excitation_bp_scores_the_explained_logit(task: Task):
    explainer = ExcitationBackprop()
    explainer.fit(task.training)
    explanation = explainer.explain(task.batch("test", range(7)).images)
    torch.testing.assert_close(
        explanation.scores[:, 0], task.activation_cache.of_split("test", "logits")[:, task.target][:7]
    )
