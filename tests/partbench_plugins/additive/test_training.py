from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from partbench_plugins.additive.concepts import ConceptTrainingSet
from partbench_plugins.additive.training import AdditiveModel, AdditiveTraining, measured, predicted, train
from partbench_plugins.additive.weight_network import weight_network
from partbench_plugins.settling import SettlingTraining, TrainingRecord

PLAN = AdditiveTraining(epochs=15, learning_rate=3e-3, batch_size=32)


def planted(positive: bool, count: int = 400) -> tuple[ConceptTrainingSet, torch.Tensor]:
    """Weights that depend on the features: concept 0 counts where channel 0 is bright, concept 1 elsewhere."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(count, 2, 8, 8, generator=generator) * 0.2
    bright = torch.rand(count, generator=generator) < 0.5
    features[bright, 0] += 1
    values = torch.rand(count, 3, generator=generator) * 20
    truth = torch.stack([bright * 2.0, ~bright * 1.0, torch.zeros(count)], 1)
    truth = truth if positive else torch.where(bright[:, None], truth, -truth)
    return ConceptTrainingSet(features, values, (truth * values).sum(1) - 4, truth.relu()), truth


def trained(
    training_set: ConceptTrainingSet, positive: bool, training: AdditiveTraining = PLAN, *, beta: float = 0.0,
    with_bias: bool = True,
) -> AdditiveModel:  # fmt: skip
    torch.manual_seed(0)
    model = AdditiveModel("small", 2, 3, positive)
    model.start(training_set, with_bias)
    train(model, training_set, replace(training, beta=beta), lambda *_: None)
    return model


@pytest.mark.parametrize("positive", [True, False])
def test_planted_weights_that_depend_on_the_image_are_found(positive):
    training_set, truth = planted(positive)
    model = trained(training_set, positive, PLAN)
    left = (predicted(model, training_set) - training_set.logit).var() / training_set.logit.var()
    assert float(left) < 0.1
    alpha = model(training_set.features, training_set.values).alpha
    assert float(torch.corrcoef(torch.stack([alpha[:, :2].flatten(), truth[:, :2].flatten()]))[0, 1]) > 0.8
    assert not positive or float(alpha.min()) > 0


def test_a_strong_prior_makes_weights_proportional_to_it():
    training_set, _ = planted(positive=True)
    prior = torch.tensor([0.2, 0.2, 0.6]).expand(len(training_set.values), 3)
    found = {}
    for beta in (0.0, 1e5):
        model = trained(training_set._replace(prior=prior), True, AdditiveTraining(5, 3e-3, 32), beta=beta)
        alpha = model(training_set.features, training_set.values).alpha
        found[beta] = float((alpha / alpha.sum(1, keepdim=True) - prior).abs().mean())
    assert found[1e5] < 0.1 < found[0.0]


def test_the_weight_of_the_prior_loss_falls_with_the_root_of_the_epoch(monkeypatch):
    losses = []

    def losses_of_epochs(self, loss, parameters, labels, watch, before_epoch):
        for epoch in (1, 4, 9):
            before_epoch(epoch)
            losses.append(loss(torch.arange(64)).item())
        return TrainingRecord()

    monkeypatch.setattr(SettlingTraining, "until_settled", losses_of_epochs)
    training_set, _ = planted(positive=True)
    for beta in (0.0, 50.0):
        trained(training_set, True, beta=beta)
    of_prior = [with_prior - losses[0] for with_prior in losses[3:]]
    assert of_prior[0] > 0.01
    assert [value / of_prior[0] for value in of_prior] == pytest.approx([1, 1 / 2, 1 / 3], rel=1e-3)


def test_what_is_watched_is_the_entropy_of_shares_and_the_error_over_the_range():
    training_set, _ = planted(positive=True)
    model, rows = AdditiveModel("small", 2, 3, True).eval(), torch.tensor([3, 50, 77])
    with torch.no_grad():
        alpha, logit = model(training_set.features[rows], training_set.values[rows])
    shares = alpha * training_set.values[rows]
    shares = shares / shares.sum(1, keepdim=True)
    found = measured(model, training_set, rows)
    assert found.entropy == pytest.approx(float(-(shares * shares.log()).sum(1).mean()), rel=1e-4)
    span = training_set.logit.max() - training_set.logit.min()
    assert found.deviation == pytest.approx(float((logit - training_set.logit[rows]).abs().mean() / span), rel=1e-4)


def test_training_goes_on_while_the_deviation_falls_and_stops_when_both_have_settled():
    training_set, _ = planted(positive=True)
    records = {}
    for epochs in (12, 200):
        torch.manual_seed(0)
        model = AdditiveModel("small", 2, 3, True)
        model.start(training_set)
        plan = AdditiveTraining(epochs, 3e-3, 32, patience=5, tolerance=0.1)
        records[epochs] = train(model, training_set, plan, lambda *_: None)
    assert not records[12].settled
    assert records[200].settled
    assert 12 < records[200].epochs < 200
    assert records[200].curves["deviation"][-1] < 0.5 * records[12].curves["deviation"][0]
    assert records[200].curves["entropy"][:9] == records[12].curves["entropy"][:9]  # the same until the rate falls


def test_contributions_and_bias_add_up_to_the_prediction():
    training_set, _ = planted(positive=True)
    model = AdditiveModel("small", 2, 3, True).eval()
    model.start(training_set)
    alpha, logit = model(training_set.features, training_set.values)
    torch.testing.assert_close((alpha * training_set.values).sum(1) + model.offset, logit)
    assert float(model.offset) != 0


def test_a_bias_held_at_zero_stays_there_while_a_learned_one_is_found():
    training_set, _ = planted(positive=True)
    assert float(trained(training_set, True, PLAN, with_bias=False).offset) == 0
    assert float(trained(training_set, True, PLAN).offset) == pytest.approx(-4, abs=2)


def test_at_the_start_concepts_add_up_to_about_a_deviation_of_the_logit_whatever_their_scale():
    training_set, _ = planted(positive=True)
    for factor in (1e-3, 1.0, 1e3):
        scaled = training_set._replace(values=training_set.values * factor)
        model = AdditiveModel("small", 2, 3, True).eval()
        model.start(scaled)
        alpha = model.scale * torch.nn.functional.softplus(torch.zeros(1))
        added = (alpha * scaled.values).sum(1)
        assert 0.3 < float(added.mean() / training_set.logit.std()) < 3


@pytest.mark.parametrize("side", [6, 13, 14, 16, 28])
def test_small_weight_network_takes_maps_of_any_size(side):
    network = weight_network("small", 5, 7).eval()
    assert network(torch.rand(2, 5, side, side)).shape == (2, 7)


def test_published_weight_network_is_a_resnet152_without_pools_that_ends_in_one_cell_on_14_cells():
    network = weight_network("resnet152", 256, 40).eval()
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 1 + 3 * (3 + 8 + 36 + 3) + 4 + 1  # first, bottlenecks, shortcuts, last
    assert not any(isinstance(layer, torch.nn.MaxPool2d) for layer in network.modules())
    with torch.no_grad():
        assert network[:7](torch.rand(1, 256, 14, 14)).shape == (1, 2048, 1, 1)
        assert network(torch.rand(1, 256, 17, 17)).shape == (1, 40)
