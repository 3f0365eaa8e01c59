from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load

from partbench import InputError, Performer
from partbench.datasets.fauna.render import CATEGORIES, render_many
from partbench.performers.small_vgg import OUTPUTS, SmallVgg, network, weights_file

CPU = torch.device("cpu")


@pytest.fixture
def performer() -> Performer:
    return SmallVgg.open(SimpleNamespace(name="fauna"), CPU)


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


def test_it_recognises_animals_it_never_saw(performer: Performer) -> None:
    drawn = render_many(104, range(120))
    logits = performer.logits(torch.from_numpy(drawn["image"]).permute(0, 3, 1, 2).float() / 255)
    accuracy = (logits.argmax(1).numpy() == drawn["label"]).mean()
    assert accuracy > 0.8  # chance is 0.17


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
