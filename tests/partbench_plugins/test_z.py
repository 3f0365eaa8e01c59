"""Units of the first fully-connected layer as concepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from partbench import Task
from partbench_plugins.z import Z

from .toys import CHANNELS, toy_performer, toy_task


def test_pooled_features_have_the_plain_excitation_map_as_nothing_speaks_against_them(tmp_path: Path):
    performer = toy_performer()
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stages = dict(performer.stages) | {"fc1": pooled, "logits": nn.Linear(CHANNELS, 3)}
    task = toy_task(tmp_path, performer=replace(performer, stages=stages, fingerprint="pooled"))
    explainer = Z(units=CHANNELS, read_layer="top_conv")
    explainer.fit(task.training)
    batch = task.batch("test", range(5))
    x = batch.images.activations("conv2")[:, explainer._drawn]
    torch.testing.assert_close(explainer.explain(batch.images).maps, x / x.sum((2, 3), keepdim=True).clamp(min=1e-12))


def test_z_draws_living_units_and_scores_their_activations(task: Task):
    explainer = Z(units=6)
    explainer.fit(task.training)
    positive = task.training.activations("fc1")[task.positive(task.training.labels)]
    assert len(set(explainer._drawn)) == 6
    assert (positive[:, explainer._drawn] > 0).any(0).all()
    scores = explainer.explain(task.batch("test", range(4)).images).scores
    torch.testing.assert_close(scores, task.activation_cache.of_split("test", "fc1")[:4][:, explainer._drawn])


def test_z_gives_all_living_units_where_there_are_fewer_than_asked_for(task: Task):
    explainer = Z(units=10_000)
    explainer.fit(task.training)
    alive = (task.training.activations("fc1")[task.positive(task.training.labels)] > 0).any(0)
    assert explainer._drawn == torch.nonzero(alive).flatten().tolist()
