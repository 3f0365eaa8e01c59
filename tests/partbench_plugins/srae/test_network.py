"""The shared network: its shapes, where it starts, and the regression that reads a logit out."""

from __future__ import annotations

import torch
from torch import nn

from partbench_plugins.srae.network import XLayerNetwork
from partbench_plugins.srae.training import (
    Examples,
    StepDecay,
    pretrain,
    reconstruction_error,
    regress,
    train,
    unfaithfulness,
)


def examples(count: int = 80, d: int = 12) -> Examples:
    torch.manual_seed(0)
    z = torch.rand(count, d) + 0.5
    positive = torch.rand(count) < 0.3
    weight = torch.where(positive, 3.0, 1.0)
    return Examples(z, z[:, 0] - 2 * z[:, 1], weight / weight.mean(), positive)


def test_the_encoder_mirrors_the_decoder_and_every_layer_ends_in_relu():
    network = XLayerNetwork([12, 8, 4, 3])
    assert [layer.out_features for layer in network.encoding] == [8, 4, 3]
    assert [layer.out_features for layer in network.decoding] == [4, 8, 12]
    assert isinstance(network.encoder[-1], nn.ReLU)
    assert isinstance(network.decoder[-1], nn.ReLU)


def test_outputs_have_the_shapes_of_their_terms():
    out = XLayerNetwork([12, 8, 3])(torch.rand(5, 12))
    assert out.features.shape == (5, 3)
    assert out.predicted.shape == (5,)
    assert out.reconstruction.shape == (5, 12)
    assert XLayerNetwork([12, 8, 3], decodes=False)(torch.rand(5, 12)).reconstruction is None


def test_a_centred_network_has_every_x_feature_active_on_some_images_and_the_mean_logit_right():
    data = examples()
    for seed in range(10):
        torch.manual_seed(seed)
        network = XLayerNetwork([12, 8, 5])
        network.centre(data.z, data.logits)
        out = network(data.z)
        assert (out.features > 0).any(0).all()
        torch.testing.assert_close(out.predicted.mean(), data.logits.mean())


def test_regression_reads_out_a_logit_that_is_linear_in_the_x_features_exactly():
    data, network = examples(), XLayerNetwork([12, 8, 3])
    network.centre(data.z, data.logits)
    v = torch.tensor([1.0, -2.0, 0.5])
    with torch.no_grad():
        planted = Examples(data.z, network.encoder(data.z) @ v + 7, data.weight, data.positive)
    regress(network, planted, ridge=1e-12)
    torch.testing.assert_close(network.predictor.weight[0].detach(), v, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(network.predictor.bias.detach(), torch.tensor([7.0]), atol=1e-3, rtol=1e-3)


def test_regression_leaves_no_weighted_mean_error():
    data, network = examples(), XLayerNetwork([12, 8, 3])
    network.centre(data.z, data.logits)
    regress(network, data)
    with torch.no_grad():
        assert abs(float((data.weight * (network(data.z).predicted - data.logits)).mean())) < 1e-4


def test_training_lowers_what_it_minimises():
    data = examples()
    for loss in (unfaithfulness, reconstruction_error):
        torch.manual_seed(1)
        network = XLayerNetwork([12, 8, 5])
        network.centre(data.z, data.logits)
        before = float(loss(network(data.z), data))
        train(network, data, loss, StepDecay(30, 3e-3, 16))
        assert float(loss(network(data.z), data)) < 0.5 * before


def test_nonnegative_training_keeps_the_weights_of_the_predictor_at_or_above_zero():
    data, network = examples(), XLayerNetwork([12, 8, 5])
    train(network, data, unfaithfulness, StepDecay(5, 0.05, 16, nonnegative=True))
    assert float(network.predictor.weight.detach().min()) >= 0


def test_the_rate_falls_to_a_tenth_so_that_late_epochs_change_little():
    data = examples()
    moved = []
    for decay_every in (0, 1):
        torch.manual_seed(1)
        network = XLayerNetwork([12, 8, 5])
        train(network, data, unfaithfulness, StepDecay(1, 1e-3, 16, decay_every=decay_every))
        early = network.encoding[0].weight.detach().clone()
        torch.manual_seed(1)
        network = XLayerNetwork([12, 8, 5])
        train(network, data, unfaithfulness, StepDecay(6, 1e-3, 16, decay_every=decay_every))
        moved.append(float((network.encoding[0].weight.detach() - early).abs().mean()))
    assert moved[1] < 0.2 * moved[0]


def test_pretraining_starts_the_autoencoder_nearer_to_z_and_the_logit():
    data = examples()
    torch.manual_seed(1)
    network = XLayerNetwork([12, 8, 5])
    before = [float(loss(network(data.z), data)) for loss in (reconstruction_error, unfaithfulness)]
    pretrain(network, data, StepDecay(40, 1e-3, 50))
    regress(network, data)
    after = [float(loss(network(data.z), data)) for loss in (reconstruction_error, unfaithfulness)]
    assert after[0] < before[0]
    assert after[1] < before[1]
