from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load

from partbench import InputError, Performer
from partbench.datasets.fauna.other_scene import draw_other_scene
from partbench.datasets.fauna.render import CATEGORIES, render_many
from partbench.performers.small_vgg import OUTPUTS, SmallVgg, heads_file, network, weights_file

CPU = torch.device("cpu")


@pytest.fixture
def performer() -> Performer:
    return SmallVgg.open(SimpleNamespace(name="fauna", negatives=""), CPU)


def binary(category: str, negatives: str) -> Performer:
    dataset = SimpleNamespace(name="fauna", negatives=negatives, categories=(category,))
    return SmallVgg.open(dataset, CPU)


@pytest.fixture(scope="module")
def drawn() -> dict[str, torch.Tensor]:
    """Animals that no network saw, their labels, and scenes of no animal."""
    animals, others = render_many(104, range(240)), render_many(104, range(120), scene_of=draw_other_scene)
    images = {"animals": animals["image"], "others": others["image"]}
    pixels = {name: torch.from_numpy(values).permute(0, 3, 1, 2).float() / 255 for name, values in images.items()}
    return pixels | {"labels": torch.from_numpy(animals["label"])}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_the_weights_are_package_data_of_less_than_2_megabytes() -> None:
    assert weights_file().is_file()
    assert len(weights_file().read_bytes()) < 2_000_000


def test_the_model_card_lies_beside_the_weights_and_reports_every_category() -> None:
    card = (weights_file().parent / "small_vgg.md").read_text()
    assert all(f"| {category} |" in card for category in CATEGORIES)


def test_it_names_the_categories_of_fauna_in_their_order(performer: Performer) -> None:
    assert performer.outputs == OUTPUTS == CATEGORIES
    assert [performer.targets[name] for name in CATEGORIES] == list(range(len(CATEGORIES)))


def test_it_recognises_animals_it_never_saw(performer: Performer, drawn: dict[str, torch.Tensor]) -> None:
    accuracy = (performer.logits(drawn["animals"]).argmax(1) == drawn["labels"]).float().mean()
    assert accuracy > 0.8  # chance is 0.17


@pytest.mark.parametrize("negatives", ["random", "others"])
def test_binary_networks_tell_a_category_well_and_not_without_fail(
    drawn: dict[str, torch.Tensor], negatives: str
) -> None:
    balanced = []
    for label, category in enumerate(CATEGORIES):
        performer = binary(category, negatives)
        animals, others = (performer.logits(drawn[name])[:, 0] for name in ("animals", "others"))
        shown = drawn["labels"] == label
        rejected = torch.cat([others, animals[~shown]]) if negatives == "others" else others
        balanced.append(float(((animals[shown] > 0).float().mean() + (rejected <= 0).float().mean()) / 2))
    assert 0.90 <= sum(balanced) / len(balanced) <= 0.99
    assert min(balanced) > 0.85


def test_binary_networks_have_one_output_and_share_the_layers_up_to_fc6(
    performer: Performer, images: torch.Tensor
) -> None:
    bird, cat, others = binary("bird", "random"), binary("cat", "random"), binary("cat", "others")
    assert (cat.outputs, cat.targets, others.outputs) == (("cat",), {"cat": 0}, ("cat",))
    assert len({p.fingerprint for p in (performer, bird, cat, others)}) == 4
    below = performer.activations(images, ["fc1"])["fc1"]
    assert all(torch.equal(each.activations(images, ["fc1"])["fc1"], below) for each in (bird, cat, others))
    logits = [each.logits(images) for each in (bird, cat, others)]
    assert logits[0].shape == (4, 1)
    assert not torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[1], logits[2])


def test_the_heads_are_small_and_have_a_card_of_their_own() -> None:
    assert len(heads_file().read_bytes()) < 1_000_000
    card = (weights_file().parent / "small_vgg_single.md").read_text()
    assert all(f"| {category}{form} |" in card for category in CATEGORIES for form in ("", ":others"))


def test_the_stages_compose_to_the_network_they_were_cut_from(performer: Performer, images: torch.Tensor) -> None:
    whole = network().eval()
    whole.load_state_dict(load(weights_file().read_bytes()))
    with torch.no_grad():
        assert torch.equal(performer.logits(images), whole(images))


def test_running_on_from_any_layer_gives_the_same_logits(performer: Performer, images: torch.Tensor) -> None:
    found = performer.activations(images, list(performer.stages))
    for layer, value in found.items():
        assert torch.equal(performer.forward_from(layer, value), performer.logits(images))
        assert torch.equal(performer.segment("images", layer)(images), value)


def test_what_methods_read_is_not_negative_and_not_all_zero(performer: Performer, images: torch.Tensor) -> None:
    for value in performer.activations(images, ["target", "top_conv", "fc1", "fc2"]).values():
        assert value.min() >= 0
        assert value.max() > 0


def test_maps_have_16_cells_that_see_parts_of_the_animal(performer: Performer, images: torch.Tensor) -> None:
    assert performer.activations(images, ["target"])["target"].shape == (4, 64, 16, 16)
    assert performer.activations(images, ["top_conv"])["top_conv"].shape == (4, 48, 16, 16)
    field = performer.receptive_field("top_conv")
    assert (field.offset, field.stride, field.size) == (2, 4, 36)


def test_it_stays_as_it_was_when_used(performer: Performer, images: torch.Tensor) -> None:
    before = {name: value.clone() for name, value in performer.segment("images", "logits").state_dict().items()}
    performer.segment("images", "logits")(images.requires_grad_())[:, 0].sum().backward()
    after = performer.segment("images", "logits").state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not any(weight.requires_grad for weight in performer.segment("images", "logits").parameters())


def test_another_dataset_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(InputError, match=r"fauna only; use --task cub/multi:<category>@lite0_head"):
        SmallVgg.open(SimpleNamespace(name="cub"), CPU)
