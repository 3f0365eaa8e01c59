from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toy_autoencoder import FILTERS, OPTIONS, performer, stages, task
from toys import CHANNELS, ToyDataset, toy_performer, toy_task

from partbench import InputError, NotApplicable, PartSettings, Performer, receptive_field
from partbench.running.cell import fit
from partbench.testing import check_explainer
from partbench_plugins.autoencoder.autoencoder import Autoencoder
from partbench_plugins.autoencoder.autoencoder_cls import AutoencoderCls
from partbench_plugins.autoencoder.decoder_head import DecoderHead
from partbench_plugins.autoencoder.network import Design, ExplainerNetwork, Reconstruction
from partbench_plugins.autoencoder.training import (
    known_labels,
    parameter_groups,
    reconstruction_errors,
    reconstruction_loss,
    rescale,
    watched_rows,
)
from partbench_plugins.part_assignment import part_drops

BOTH = pytest.mark.parametrize("cls", [Autoencoder, AutoencoderCls])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fitted(of, cls=Autoencoder, **options):
    explainer = cls(**(OPTIONS | options))
    fit(explainer, of)
    return explainer


def network(of=None, **options) -> ExplainerNetwork:
    torch.manual_seed(0)
    return ExplainerNetwork(of or performer(), Design(PartSettings(), **options), categories=1, images=10)


def test_copies_start_as_the_layers_of_the_performer():
    made, theirs = network(), performer().stages
    for copied, name in (("interp_1", "conv2"), ("fc_dec_1", "fc1"), ("fc_dec_2", "fc2")):
        own = made.get_submodule(copied).state_dict().values()
        assert all(torch.equal(a, b) for a, b in zip(own, theirs[name].state_dict().values(), strict=True))
        assert all(p.requires_grad for p in made.get_submodule(copied).parameters())
    assert made.share.item() == 0.5


def test_perfect_features_of_the_tracks_give_the_logits_of_the_performer(tmp_path):
    of = task(tmp_path)
    batch = of.batch("test", range(6))
    pooled = batch.images.activations("pool")
    head = DecoderHead(network(of.performer), pooled, of.training)
    torch.testing.assert_close(head(pooled)[:, 0], of.explained(batch))


def test_tracks_are_put_together_as_the_paper_says(tmp_path):
    of = task(tmp_path)
    made = network(of.performer).eval()
    made.w_p.data.fill_(0.4)
    made.interp_norm.alpha.copy_(torch.arange(1.0, FILTERS + 1))
    made.ordinary_norm.alpha.fill_(3.0)
    z = of.batch("test", range(4)).images.activations("target")
    with torch.no_grad():
        rebuilt = made(z)
        pool, mask = nn.MaxPool2d(2), made.interp_2_parts.parts.mask
        first = made.interp_1_parts.mask(F.relu(made.interp_1[0](z)))
        interp = mask(pool(F.relu(made.interp_2[0](first)))) / torch.arange(1.0, FILTERS + 1)[:, None, None]
        ordinary = pool(F.relu(made.ordinary[0](z))) / 3
        p = 1 / (1 + torch.exp(torch.tensor(-0.4)))
        fc1 = F.relu(made.fc_dec_1[0][1]((p * interp + (1 - p) * ordinary).flatten(1)))
        fc2 = F.relu(made.fc_dec_2[0][1](fc1))
    for found, expected in zip(rebuilt, (interp, ordinary, fc1, fc2), strict=True):
        torch.testing.assert_close(found, expected)


def test_maps_before_the_mask_times_the_mask_are_the_maps(tmp_path):
    of = task(tmp_path)
    explainer, batch = fitted(of), of.batch("test", range(4))
    maps, masks = explainer.unmasked(batch.images)
    torch.testing.assert_close(maps * masks, explainer.explain(batch.images).maps)
    assert masks.max() == 1
    assert fitted(of, mask=False).unmasked(batch.images) is None


def test_norm_counts_images_of_the_category_only(tmp_path):
    of = task(tmp_path)
    made = network(of.performer).train()
    z, labels = of.training.activations("target")[:8], torch.tensor([0, -1, 0, -1, -1, -1, 0, -1])
    made(z, labels)
    with torch.no_grad():
        pooled = nn.functional.max_pool2d(made.ordinary(z), 2)
    torch.testing.assert_close(made.ordinary_norm.alpha, pooled[labels == 0].sum((2, 3)).mean(0))


def test_rescaled_norms_have_the_magnitude_of_the_performers_own_pooled_maps(tmp_path):
    of = task(tmp_path)
    made, labels = network(of.performer), of.category_of(of.training.labels)
    rescale(made, of.training, labels)
    theirs = of.training.activations("pool")[labels == 0].sum((2, 3)).mean(0)
    least = 0.01 * theirs.mean()
    torch.testing.assert_close(made.interp_norm.scale, theirs.clamp(min=least))
    torch.testing.assert_close(made.ordinary_norm.scale, made.interp_norm.scale)


def test_before_training_and_without_masks_it_rebuilds_the_features_of_the_performer_it_starts_from(tmp_path):
    of = task(tmp_path)
    z, labels = of.training.activations("target"), torch.zeros(len(of.training.labels), dtype=torch.long)
    made = network(of.performer, start="performer").train()
    made.start(0)
    rescale(made, of.training, labels)
    rebuilt = made(z, labels)
    torch.testing.assert_close(rebuilt.maps, of.training.activations("pool"), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rebuilt.fc1, of.training.activations("fc1"), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rebuilt.fc2, of.training.activations("fc2"), atol=1e-4, rtol=1e-4)


def test_what_is_copied_learns_more_slowly_but_for_biases_of_the_decoder(tmp_path):
    made = network(task(tmp_path).performer)
    rates = {id(p): group["lr"] for group in parameter_groups(made, 1.0) for p in group["params"]}
    assert rates.keys() == {id(p) for p in made.parameters()}
    assert {rates[id(p)] for p in made.interp_1.parameters()} == {0.1}
    weights, biases = zip(*(layer[0][1].parameters() for layer in (made.fc_dec_1, made.fc_dec_2)), strict=True)
    assert {rates[id(p)] for p in weights} == {0.03}
    assert {rates[id(p)] for p in biases} == {1.0}
    assert {rates[id(p)] for m in (made.interp_2, made.ordinary) for p in m.parameters()} == {1.0}


def test_mirrored_images_are_rebuilt_as_the_performer_sees_them(tmp_path):
    of = task(tmp_path)
    rows = torch.tensor([2, 7])
    z = of.training.activations("target")[rows].flip(-1)
    with torch.no_grad():
        fc1 = of.performer.segment("target", "fc1")(z)
        fc2 = of.performer.segment("target", "fc2")(z)
    perfect = Reconstruction(z, z, fc1, fc2)
    loss = reconstruction_loss(of.training, mirrored=True)
    assert float(loss(perfect, rows + len(of.training.labels))) == pytest.approx(0, abs=1e-6)
    assert float(loss(perfect, rows)) > 0.01


def test_batch_norm_is_in_both_tracks_but_not_in_copies_of_the_performer():
    def normed(**options) -> list[bool]:
        made = network(**options)
        return [any(isinstance(m, nn.BatchNorm2d) for m in track) for track in (made.interp_2, made.ordinary)]

    assert normed(batch_norm=True) == [True, True]
    assert normed() == [False, False]
    assert normed(batch_norm=True, start="performer") == [False, False]


def test_a_ceiling_that_ends_the_training_is_remarked_on_and_settled_training_is_not(tmp_path):
    of = task(tmp_path)
    value, remark = fitted(of, epochs=3).report()["training_epochs"]
    assert (value, remark) == (3, "training has not settled")
    explainer = fitted(of, epochs=60, patience=2, tolerance=0.5)
    value, remark = explainer.report()["training_epochs"]
    assert 4 <= value < 60
    assert remark == ""
    assert {len(curve) for curve in explainer.curves().values()} == {value}


def test_curves_and_weights_are_the_same_for_a_seed_and_curves_are_read_back(tmp_path, monkeypatch):
    of = task(tmp_path)
    first = fitted(of)
    read_back = fitted(of)
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "another"))
    again = fitted(of)
    assert first.curves() == read_back.curves() == again.curves()
    assert len(first.curves()["held_out_loss"]) == OPTIONS["epochs"]
    for name, value in first.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name].nan_to_num(), value.nan_to_num())  # no ratio before a batch
    assert fitted(of.with_seed(1)).curves() != first.curves()


def test_images_held_out_are_not_trained_on_and_their_error_is_reported_apart(tmp_path):
    of = task(tmp_path)
    trained, held = watched_rows(of.training, known_labels(of.training, "predicted"))
    assert not set(trained.tolist()) & set(held.tolist())
    assert sorted(trained.tolist() + held.tolist()) == list(range(len(of.training.labels)))
    explainer = fitted(of)
    found = reconstruction_errors(explainer.network, of.training, held)
    assert explainer.report()["held_out_error@fc1"] == found["fc1"]
    assert explainer.report()["reconstruction_error@fc1"] != found["fc1"]


def test_classification_may_be_tied_to_the_features_of_the_performer(tmp_path):
    of, options = task(tmp_path), {"epochs": 20, "cls": AutoencoderCls}
    free, tied = (
        fitted(of, reconstruction=weight, **options).report()["reconstruction_error@fc1"] for weight in (0.0, 10.0)
    )
    assert tied < 0.7 * free


def test_reconstruction_loss_is_that_of_the_paper(tmp_path):
    of = task(tmp_path)
    made, rows = network(of.performer).eval(), torch.tensor([3, 5, 9])
    with torch.no_grad():
        rebuilt = made(of.training.activations("target")[rows])
        found = reconstruction_loss(of.training)(rebuilt, rows)
    expected = 0.0
    for layer, own in (("fc1", rebuilt.fc1), ("fc2", rebuilt.fc2)):
        target = of.training.activations(layer)
        length = sum(float(x.square().sum().sqrt()) for x in target) / len(target)
        expected += sum(float((own[i] - target[r]).square().sum()) for i, r in enumerate(rows)) / 3 / length
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_reconstruction_error_is_0_of_the_performers_features_and_1_of_their_mean(tmp_path):
    of = task(tmp_path)

    class Says(nn.Module):
        def __init__(self, features):
            super().__init__()
            self.features = features

        def forward(self, z):
            return type("Reconstruction", (), dict(zip(("fc1", "fc2"), self.features, strict=True)))

    own, every = [of.training.activations(layer) for layer in ("fc1", "fc2")], torch.arange(len(of.training.labels))
    assert reconstruction_errors(Says(own), of.training, every) == {"fc1": 0.0, "fc2": 0.0}
    means = [x.mean(0).expand_as(x) for x in own]
    assert reconstruction_errors(Says(means), of.training, every) == pytest.approx({"fc1": 1.0, "fc2": 1.0})


def test_training_lowers_the_reconstruction_error(tmp_path):
    of = task(tmp_path)
    short, long = (fitted(of, epochs=epochs, tolerance=1e-9).report() for epochs in (1, 60))
    assert long["reconstruction_error@fc2"] < 0.5 * short["reconstruction_error@fc2"]
    assert long["reconstruction_error@fc2"] < 0.5


def test_a_huge_eta_leaves_everything_to_the_interpretable_track(tmp_path):
    of, options = task(tmp_path), {"epochs": 40, "tolerance": 1e-9}
    little, much = (fitted(of, eta=eta, **options).report()["interpretable_share"] for eta in (0.0, 1e4))
    assert much > 0.9
    assert much > little


def test_predicted_labels_are_the_largest_logits_and_truth_the_images_own(tmp_path):
    single, several = task(tmp_path), task(tmp_path, "multi")
    largest = single.training.activations("logits").argmax(1)
    assert torch.equal(known_labels(single.training, "predicted"), torch.where(largest == 0, 0, -1))
    assert torch.equal(known_labels(several.training, "predicted"), torch.where(largest < 2, largest, -1))
    assert torch.equal(known_labels(several.training, "truth"), several.category_of(several.training.labels))
    assert len(set(known_labels(several.training, "predicted").tolist())) == 3


@BOTH
@pytest.mark.parametrize("category", ["both", "multi"])
def test_contract_is_kept(tmp_path, cls, category):
    of = task(tmp_path, category)
    check_explainer(cls, of, given=OPTIONS)
    explanation = fitted(of, cls).explain(of.batch("test", range(5)).images)
    assert explanation.maps.shape == (5, FILTERS, 3, 3)
    assert explanation.logits.shape == ((5,) if category == "both" else (5, 2))
    assert explanation.is_classifier == (cls is AutoencoderCls)
    assert explanation.has("contributions") == (category == "both")


@pytest.mark.parametrize("options", [
    {"gradient": "paper"}, {"gradient": "released"}, {"mask": False}, {"loss": False}, {"start": "published"},
    {"start": "performer"},
    {"norm_reduce": "mean"}, {"rescale": False}, {"labels": "truth"}, {"warm_up": 1},
    {"batch_norm": False}, {"mirrored": False}, {"schedule": "constant"},
])  # fmt: skip
def test_every_option_trains(tmp_path, options):
    of = task(tmp_path)
    explanation = fitted(of, **options).explain(of.batch("test", range(5)).images)
    explanation.accepted(5, torch.device("cpu"))


@BOTH
def test_the_performer_is_untouched(tmp_path, cls):
    of = task(tmp_path)
    batch = of.batch("test", range(10))
    before = of.performer.logits(batch.pixels)
    weights = {f"{s}.{n}": v.clone() for s, m in of.performer.stages.items() for n, v in m.state_dict().items()}
    explainer = fitted(of, cls)
    explainer.explain(batch.images)
    assert torch.equal(of.performer.logits(batch.pixels), before)
    for stage, module in of.performer.stages.items():
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())
        assert all(torch.equal(value, weights[f"{stage}.{name}"]) for name, value in module.state_dict().items())


def test_what_is_above_fc2_is_the_performers_own(tmp_path):
    of = task(tmp_path)
    explainer, batch = fitted(of), of.batch("test", range(5))
    with torch.no_grad():
        features = explainer.network(batch.images.activations("target")).fc2
        expected = of.performer.stages["logits"](features)[:, 0]
    torch.testing.assert_close(explainer.explain(batch.images).logits, expected)


def test_ablating_nothing_changes_nothing_and_all_leaves_the_ordinary_track(tmp_path):
    of = task(tmp_path)
    explainer, batch = fitted(of), of.batch("test", range(5))
    torch.testing.assert_close(explainer.without(batch.images, []), explainer.explain(batch.images).logits)
    rebuilt = explainer.network(batch.images.activations("target"))
    x_enc = (1 - explainer.network.share) * rebuilt.ordinary
    features = explainer.network.fc_dec_2(explainer.network.fc_dec_1(x_enc))
    expected = of.performer.stages["logits"](features)[:, 0]
    torch.testing.assert_close(explainer.without(batch.images, list(range(FILTERS))), expected)


def test_contributions_are_gradient_times_activation(tmp_path):
    of = task(tmp_path)
    explainer, batch = fitted(of, epochs=8), of.batch("test", range(5))
    explanation, rebuilt = explainer.explain(batch.images), explainer.network(batch.images.activations("target"))
    gain = torch.ones(5, FILTERS, requires_grad=True)
    logits = DecoderHead(explainer.network, rebuilt.ordinary, of)(rebuilt.maps * gain[..., None, None])[:, 0]
    (expected,) = torch.autograd.grad(logits.sum(), gain)  # d logit / d gain of each filter, at 1
    torch.testing.assert_close(explanation.contributions, expected)


def test_part_drops_are_falls_of_the_logit(tmp_path):
    of = task(tmp_path)
    explainer, batch = fitted(of, epochs=8), of.batch("test", range(5))
    parts = torch.tensor([1, -1, 1, 0, -1])
    explainer._fitted = explainer._fitted._replace(parts=parts)
    rebuilt, head = explainer._read(batch.images)
    drops = part_drops(lambda maps: head(maps)[:, 0], rebuilt.maps, parts, 3)
    whole = explainer.without(batch.images, [])
    for part, filters in ((0, [3]), (1, [0, 2]), (2, [])):
        torch.testing.assert_close(drops[:, part], whole - explainer.without(batch.images, filters))


def test_maps_lie_where_the_layers_put_them(tmp_path):
    of = task(tmp_path)
    grid = fitted(of).explain(of.batch("test", range(1)).images).grid
    made = stages()
    layers = [made["conv1"], made["conv2"], nn.Conv2d(FILTERS, FILTERS, 3, padding=1), made["pool"]]
    assert grid == receptive_field(nn.Sequential(*layers), 12)


def test_trained_network_is_kept_and_used_again(tmp_path, cache):
    of = task(tmp_path)
    first, batch = fitted(of), of.batch("test", range(3))
    (file,) = (cache / "autoencoder").glob("*.safetensors")
    stamp = file.stat().st_mtime_ns
    again = fitted(of)
    torch.testing.assert_close(again.explain(batch.images).maps, first.explain(batch.images).maps, rtol=0, atol=0)
    assert again.report()["training_seconds"] == first.report()["training_seconds"] > 0
    fitted(of, eta=20.0)
    fitted(of, cls=AutoencoderCls)
    assert file.stat().st_mtime_ns == stamp
    assert len(list((cache / "autoencoder").glob("*.safetensors"))) == 2
    assert len(list((cache / "autoencoder_cls").glob("*.safetensors"))) == 1


def test_classification_learns_the_true_labels(tmp_path):
    of = task(tmp_path, train=200)
    explainer = fitted(of, cls=AutoencoderCls, epochs=15, learning_rate=2e-2)
    batch = of.batch("test", range(20))
    explanation = explainer.explain(batch.images)
    right = (explanation.logits > 0) == of.positive(batch.labels)
    assert right.float().mean() > 0.8


@pytest.mark.parametrize(("of", "reason"), [
    (toy_performer(), "no layer 'fc2'"),
    (toy_performer(without=["top_conv"]), "no layer 'top_conv'"),
])  # fmt: skip
def test_a_performer_without_these_layers_is_not_applicable(tmp_path, of, reason):
    with pytest.raises(NotApplicable, match=reason):
        Autoencoder().fit(toy_task(tmp_path, performer=of).training)


def test_a_performer_with_two_convolutions_above_the_target_is_not_applicable(tmp_path):
    two = nn.Sequential(nn.Conv2d(CHANNELS, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, FILTERS, 3, padding=1), nn.ReLU())
    with pytest.raises(NotApplicable, match="2 convolutions"):
        Autoencoder().fit(task(tmp_path, of=performer(conv2=two)).training)


def test_a_convolution_that_shrinks_the_map_is_not_applicable(tmp_path):
    shrinking = nn.Sequential(nn.Conv2d(CHANNELS, FILTERS, 3, stride=2, padding=1), nn.ReLU())
    with pytest.raises(NotApplicable, match="same size"):
        Autoencoder().fit(task(tmp_path, of=performer(conv2=shrinking)).training)


def test_a_performer_that_sees_the_category_nowhere_is_not_applicable(tmp_path):
    blind = nn.Linear(12, 3)
    blind.weight.data.zero_()
    blind.bias.data.copy_(torch.tensor([0.0, 0.0, 1.0]))
    of = task(tmp_path, of=performer(logits=blind))
    with pytest.raises(NotApplicable, match="labels=truth"):
        fitted(of)
    fitted(of, labels="truth")


def test_a_single_logit_is_predicted_above_0(tmp_path):
    dataset, whole = ToyDataset(120, 20), performer()
    made = dict(whole.stages) | {"logits": nn.Linear(12, 1)}
    lone = Performer("lone", "1", 12, made, whole.roles, ("both",), {"both": 0, "red": 0}, "lone")
    of = task(tmp_path, of=lone)
    logits = of.training.activations("logits")[:, 0]
    assert torch.equal(known_labels(of.training, "predicted"), torch.where(logits > 0, 0, -1))
    assert len(logits) == len(dataset.train)


@BOTH
@pytest.mark.parametrize("options", [{"eta": -1.0}, {"epochs": 0}, {"gradient": "exakt"}, {"height": 0.0}])
def test_bad_options_are_refused(cls, options):
    with pytest.raises(InputError, match=cls.name):
        cls(**options)
