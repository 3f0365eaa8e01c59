from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from partbench import Explanation, Task, TrainingTask
from partbench_plugins.controls.mean_logit import MeanLogit

from ..toys import toy_task


def explained(task: Task, training: TrainingTask | None = None) -> Explanation:
    explainer = MeanLogit()
    explainer.fit(training or task.training)
    return task.explain(explainer, task.batch("test", range(5)))


def test_it_predicts_the_mean_over_training_images_for_every_image(task: Task) -> None:
    logits = explained(task).logits
    assert torch.allclose(logits, task.training.explained().mean().expand(5))


def test_it_knows_a_mean_for_each_of_several_logits_and_no_shares(tmp_path: Path) -> None:
    task = toy_task(tmp_path, "multi")
    found = explained(task)
    assert torch.allclose(found.logits, task.training.category_logits().mean(0).expand(5, 2))
    assert not found.has("contributions")
    assert not found.has("parts")


def test_named_parts_share_the_mean_logit_of_the_category_alike(task: Task) -> None:
    explainer = MeanLogit()
    explainer.fit(replace(task.training, part_names=("head", "legs", "tail")))
    found = explainer.explain(task.batch("test", range(5)).images)
    training = task.training
    of_category = training.explained()[training.positive(training.labels)].mean()
    assert torch.allclose(found.contributions, (of_category / 3).expand(5, 3))
    assert torch.equal(found.part_drops, found.contributions)
    assert found.parts.tolist() == [0, 1, 2]


def test_without_parts_a_single_concept_has_all_of_it(task: Task) -> None:
    found = explained(task)
    assert found.contributions.shape == (5, 1)
    assert found.parts is None
    assert found.part_drops is None
