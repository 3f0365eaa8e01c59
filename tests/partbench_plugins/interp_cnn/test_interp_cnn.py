from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from toys import CHANNELS, toy_performer, toy_task

from partbench import InputError, NotApplicable, Performer
from partbench.running.cell import fit
from partbench.testing import check_explainer
from partbench_plugins.interp_cnn.architecture import PartNetwork, classifier, top_conv_surroundings
from partbench_plugins.interp_cnn.interp_cnn import PROFILES, InterpCnn
from partbench_plugins.interp_cnn.training import classification_loss
from partbench_plugins.top_conv import TopConv

QUICK = {"epochs": 3, "warm_up": 1, "batch_size": 16, "trunk": "frozen"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fitted(task, **options):
    explainer = InterpCnn(**(QUICK | options))
    fit(explainer, task)
    return explainer


def test_anatomy_of_a_performer_names_what_lies_around_the_top_convolution():
    below, top, pool, widths = top_conv_surroundings(toy_performer())
    assert (below, len(pool), widths) == ("conv1", 0, [24])
    assert isinstance(top[0], torch.nn.Conv2d)


def test_network_without_a_top_convolution_is_not_applicable(tmp_path):
    with pytest.raises(NotApplicable, match="top_conv"):
        InterpCnn().fit(toy_task(tmp_path, performer=toy_performer(without=["top_conv"])).training)


def test_top_convolution_starts_from_the_performers_weights(tmp_path):
    task = toy_task(tmp_path)
    copied, new = (PartNetwork(task.performer, 1, InterpCnn(start=s).design(1), images=10) for s in ("performer", "he"))
    theirs = task.performer.stages["conv2"][0].weight
    assert torch.equal(copied.top[0].weight, theirs)
    assert copied.top[0].weight is not theirs
    assert not torch.equal(new.top[0].weight, theirs)


def test_a_published_start_has_the_deviation_of_the_released_code(tmp_path):
    network = PartNetwork(toy_task(tmp_path).performer, 1, InterpCnn(start="published").design(1), images=10)
    assert float(network.head[1].weight.std()) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("layers", ["added", "both"])
def test_the_filter_loss_and_the_masks_stand_on_the_layers_asked_for(tmp_path, layers):
    design = InterpCnn(mask=True, loss_layers=layers, mask_layers=layers).design(1)
    network = PartNetwork(toy_task(tmp_path).performer, 1, design, images=10)
    assert network.parts.regulariser is not None
    assert (network.top_parts.regulariser is not None) == (layers == "both")
    assert isinstance(network.top_parts.mask, torch.nn.Identity) == (layers == "added")


def test_batch_norm_stands_between_convolutions_and_their_relu(tmp_path):
    performer = toy_task(tmp_path).performer
    for batch_norm in (True, False):
        network = PartNetwork(performer, 1, InterpCnn(batch_norm=batch_norm).design(1), images=10)
        for stage in (network.top, network.added):
            assert isinstance(stage[1], torch.nn.BatchNorm2d) == batch_norm


def test_maps_are_zero_outside_the_mask_around_their_peak(tmp_path):
    task = toy_task(tmp_path)
    explainer = fitted(task, mask=True, position="argmax")
    maps = explainer.explain(task.batch("test", range(4)).images).maps
    n = maps.shape[-1]
    peak = maps.flatten(2).argmax(2)
    cells = torch.arange(n * n)
    away = (cells // n - peak[..., None] // n).abs() + (cells % n - peak[..., None] % n).abs()
    assert maps.shape == (4, CHANNELS, n, n)
    assert maps.max() > 0
    assert (maps.flatten(2)[away >= n / 4] == 0).all()


def test_logits_follow_from_the_maps_and_ablating_nothing_changes_nothing(tmp_path):
    task = toy_task(tmp_path)
    explainer, batch = fitted(task), task.batch("test", range(5))
    explanation = explainer.explain(batch.images)
    torch.testing.assert_close(explainer.without(batch.images, []), explanation.logits)
    with torch.no_grad():
        blind = explainer.network.classify(torch.zeros_like(explanation.maps))[:, 0]
    torch.testing.assert_close(explainer.without(batch.images, list(range(CHANNELS))), blind)


def test_mask_after_pool_gives_pooled_maps_at_their_place(tmp_path):
    stages = dict(toy_performer().stages)
    pooled = {}
    for name, stage in stages.items():
        pooled[name] = stage
        if name == "conv2":
            pooled["pool"] = torch.nn.MaxPool2d(2)
    pooled["fc1"] = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(CHANNELS * 9, 24), torch.nn.ReLU())
    roles = {"target": "conv1", "top_conv": "conv2", "fc1": "fc1", "logits": "logits"}
    performer = Performer("toy", "1", 12, pooled, roles, ("both", "red", "green"), {"both": 0, "red": 1}, "pooled")
    task = toy_task(tmp_path, performer=performer)
    plain, after = fitted(task, mask_after_pool=False), fitted(task, mask_after_pool=True)
    batch = task.batch("test", range(2))
    assert plain.explain(batch.images).maps.shape[-1] == 6
    assert after.explain(batch.images).maps.shape[-1] == 3
    assert after.explain(batch.images).grid.stride == 2 * plain.explain(batch.images).grid.stride


@pytest.mark.parametrize("gradient", ["exact", "paper", "released"])
@pytest.mark.parametrize("category", ["both", "multi"])
def test_every_gradient_trains_and_explains_by_the_contract(tmp_path, gradient, category):
    check_explainer(InterpCnn, toy_task(tmp_path, category), given=QUICK | {"gradient": gradient})


def test_several_categories_get_a_logit_each_in_their_order(tmp_path):
    task = toy_task(tmp_path, "multi", train=300)
    explainer = fitted(task, epochs=12, learning_rate=3e-3, mask=False)  # too few cells for masks
    rows = [i for i, positive in enumerate(task.positive(task.labels("test"))) if positive]
    batch = task.batch("test", rows)
    explanation = explainer.explain(batch.images)
    assert explanation.logits.shape == (len(rows), 2)
    right = (explanation.logits.argmax(1) == task.category_of(batch.labels)).float().mean()
    assert right > 0.8


def test_network_learns_the_category_it_is_trained_on(tmp_path):
    task = toy_task(tmp_path, train=300)
    explainer = fitted(task, epochs=15, learning_rate=3e-3)
    batch = task.batch("test", range(20))
    right = (explainer.explain(batch.images).logits > 0) == task.positive(batch.labels)
    assert right.float().mean() > 0.8


def test_filter_loss_raises_the_mutual_information_of_maps_and_templates(tmp_path):
    from partbench.nn.mutual_information import mutual_information
    from partbench.nn.templates import templates

    task = toy_task(tmp_path, train=300)
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()
    gentle = {"mask": False, "gradient": "exact", "rho": 0.1, "loss_layers": "both", "start": "performer"}
    gentle |= {"batch_norm": False, "learning_rate": 3e-4, "mirrored": False}

    def information(**options):
        maps = fitted(task, epochs=10, **gentle, **options).explain(task.batch("test", rows).images).maps
        maps = maps / maps.flatten(1).std().clamp(min=1e-6)
        return mutual_information(maps, templates(6, tau=8 / 36)).mean()

    assert information(loss=True) > information(loss=False)


def test_trained_network_is_kept_and_used_again(tmp_path, cache):
    task = toy_task(tmp_path)
    first = fitted(task)
    (file,) = (cache / "interp_cnn").glob("*.safetensors")
    kept = load_file(file)
    for name, value in first.network.state_dict().items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=0, equal_nan=True)
    stamp = file.stat().st_mtime_ns
    again = fitted(task)
    batch = task.batch("test", range(3))
    assert torch.equal(first.explain(batch.images).maps, again.explain(batch.images).maps)
    fitted(task, rho=0.5)
    assert file.stat().st_mtime_ns == stamp
    assert len(list((cache / "interp_cnn").glob("*.safetensors"))) == 2


def test_report_tells_how_long_the_kept_network_was_trained(tmp_path):
    task = toy_task(tmp_path)
    first, again = fitted(task).report(), fitted(task).report()
    assert first["training_seconds"] > 0
    assert again == first
    assert fitted(task, trained=False).report()["training_seconds"] == 0.0


def test_report_says_in_words_that_an_untrained_network_is_at_chance(tmp_path):
    task = toy_task(tmp_path, train=300)
    recall, remark = fitted(task, trained=False).report()["training_balanced_accuracy"]
    assert 0.3 < recall < 0.6
    assert remark == "the network is at chance"
    recall, remark = fitted(task, epochs=15, learning_rate=3e-3).report()["training_balanced_accuracy"]
    assert recall > 0.8
    assert not remark


def test_report_gives_the_share_of_dead_filters_and_the_strength_of_the_filter_loss(tmp_path):
    report = fitted(toy_task(tmp_path), rho=0.3).report()
    assert report["gradient_ratio@added"] == pytest.approx(0.3, rel=0.05)
    assert "gradient_ratio@top_conv" not in report
    assert 0 <= report["dead_filters_share"] <= 1


def test_broken_kept_file_is_made_again(tmp_path, cache):
    task = toy_task(tmp_path)
    first = fitted(task)
    (file,) = (cache / "interp_cnn").glob("*.safetensors")
    file.write_bytes(b"no safetensors")
    batch = task.batch("test", range(3))
    with pytest.warns(UserWarning, match="is damaged"):
        again = fitted(task)
    torch.testing.assert_close(again.explain(batch.images).maps, first.explain(batch.images).maps)


def test_trained_trunk_starts_as_the_performer_and_leaves_it_alone(tmp_path):
    task = toy_task(tmp_path)
    before = {name: value.clone() for name, value in task.performer.stages["conv1"].state_dict().items()}
    explainer = fitted(task, trunk="trained")
    trunk = explainer.network.trunk.state_dict()
    assert any(not torch.equal(value, trunk[f"0.{name}"]) for name, value in before.items())
    assert all(torch.equal(v, task.performer.stages["conv1"].state_dict()[n]) for n, v in before.items())


def test_untrained_network_keeps_its_start(tmp_path, cache):
    task = toy_task(tmp_path)
    explainer = fitted(task, trained=False, start="performer")
    assert torch.equal(explainer.network.top[0].weight, task.performer.stages["conv2"][0].weight)
    assert not (cache / "interp_cnn").exists()


def test_ordinary_top_conv_is_the_same_training_without_masks_and_loss(tmp_path):
    task = toy_task(tmp_path)
    ordinary, bare = TopConv(network="ordinary"), InterpCnn(mask=False, loss=False)
    fit(ordinary, task)
    fit(bare, task)
    batch = task.batch("test", range(4))
    assert torch.equal(ordinary.explain(batch.images).maps, bare.explain(batch.images).maps)
    assert torch.equal(ordinary.explain(batch.images).logits, bare.explain(batch.images).logits)


def test_profiles_fill_in_what_is_left_out_and_nothing_else():
    assert InterpCnn(profile="released").position == "centroid"
    assert InterpCnn(profile="released", position="argmax").position == "argmax"
    assert {key for profile in PROFILES.values() for key in profile} == set(PROFILES["stable"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"profile": "papre"}, "profile is 'papre', expected one of stable, paper, released"),
        ({"rho": -1.0}, "rho is -1.0, expected greater than or equal to 0"),
        ({"epochs": 0}, "epochs is 0, expected greater than or equal to 1"),
        ({"gradient": None}, "gradient is None, expected one of exact, paper, released"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(InputError, match=f"^interp_cnn: {said}$"):
        InterpCnn(**options)


def test_logistic_loss_of_one_output_is_that_of_the_paper():
    logits, labels = torch.tensor([[0.3], [-1.2]]), torch.tensor([0, -1])
    sign = torch.tensor([1.0, -1.0])
    expected = torch.log1p(torch.exp(-sign * logits[:, 0])).mean()
    torch.testing.assert_close(classification_loss(logits, labels, "softmax"), expected)


def test_classifier_ends_in_its_logits():
    layers = classifier([8, 4, 2], 0.5)
    assert isinstance(layers[-1], torch.nn.Linear)
    assert layers(torch.zeros(3, 2, 2, 2)).shape == (3, 2)
