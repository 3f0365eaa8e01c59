"""Networks with random weights from the top down."""

from __future__ import annotations

from pathlib import Path

import torch

from partbench.performer import Performer
from partbench.running.planted.networks import layers_from_top, randomised, randomised_task
from partbench.running.planted.truth import Truth


def weights(performer: Performer, layer: str) -> torch.Tensor:
    return torch.cat([value.flatten() for value in performer.stages[layer].parameters()])


def test_layers_without_weights_are_left_out(truth: Truth) -> None:
    layers = layers_from_top(truth.task.performer)
    assert layers == ["fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1"]


def test_weights_are_random_from_the_top_to_the_layer_and_trained_below(truth: Truth) -> None:
    trained = truth.task.performer
    random = randomised(trained, "fc6")
    for layer in layers_from_top(trained):
        same = torch.equal(weights(random, layer), weights(trained, layer))
        assert same == layer.startswith("conv")


def test_a_layer_has_the_same_random_weights_wherever_the_randomisation_ends(truth: Truth) -> None:
    few, all_of_them = (randomised(truth.task.performer, layer) for layer in ("fc7", "conv1"))
    assert torch.equal(weights(few, "fc8"), weights(all_of_them, "fc8"))
    assert not torch.equal(weights(few, "fc8"), weights(randomised(truth.task.performer, "fc7", seed=1), "fc8"))


def test_the_trained_network_and_the_random_generator_are_left_as_they_were(truth: Truth) -> None:
    before, state = truth.task.performer.state_checksum(), torch.get_rng_state()
    random = randomised(truth.task.performer, "conv1")
    assert truth.task.performer.state_checksum() == before
    assert torch.equal(torch.get_rng_state(), state)
    assert random.fingerprint != truth.task.performer.fingerprint


def test_a_task_with_random_weights_has_activations_of_its_own(truth: Truth, tmp_path: Path) -> None:
    task = randomised_task(truth.task, "fc7", tmp_path)
    images, same = task.batch("test", [0, 1]), truth.task.batch("test", [0, 1])
    assert torch.allclose(images.images.activations("fc6"), same.images.activations("fc6"), atol=1e-5)
    assert not torch.allclose(task.explained(images), truth.task.explained(same), atol=0.1)
    assert torch.allclose(task.explained(images), task.performer.logits(images.pixels)[:, task.target], atol=1e-5)
