from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from partbench import InputError, Performer, check_performer, torchvision
from partbench.category_view import through_category
from partbench.performers import network_plugin
from partbench.performers.network_plugin import Built, NetworkPlugin
from partbench.performers.normalise import Normalise

CPU = torch.device("cpu")


class Small(NetworkPlugin):
    """Two convolutions and a linear layer on pooled features."""

    name: ClassVar[str] = "small"
    version: ClassVar[str] = "1"
    input_size: ClassVar[int] = 32

    @classmethod
    def unloaded(cls) -> Built:
        layers = [nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU()]
        network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 1000))
        return Built(network, Normalise((0.5,) * 3, (0.25,) * 3))


class Tokens(Small):
    """A vision transformer with a class token."""

    name: ClassVar[str] = "tokens"

    @classmethod
    def unloaded(cls) -> Built:
        vit = torchvision().models.VisionTransformer(32, 8, 1, 2, hidden_dim=16, mlp_dim=16, num_classes=1000)
        return Built(vit, Normalise((0.5,) * 3, (0.25,) * 3))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(squares: Callable, text: str = "small,weights=random", cls: type[NetworkPlugin] = Small) -> Performer:
    return cls.variant(text).open(squares(size=32), CPU)


def test_a_linear_layer_is_fitted_to_the_images_and_the_rest_is_the_network(squares: Callable) -> None:
    performer, dataset = opened(squares), squares(size=32)
    check_performer(performer, dataset)
    assert performer.name == "small,weights=random"
    assert performer.outputs == dataset.classes
    batch = dataset.train.batch(range(24))
    assert (performer.logits(batch.pixels).argmax(1) == batch.labels).float().mean() > 0.9
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Small.unloaded().network
    features = network[:6]((batch.pixels - 0.5) / 0.25)
    assert torch.equal(performer.activations(batch.pixels, ["fc1"])["fc1"], features)


def test_a_single_task_gets_one_logit_for_its_category(squares: Callable) -> None:
    view = through_category(squares(size=32), "cat", "random", None)
    performer = Small.variant("small,weights=random").open(view, CPU)
    assert (performer.outputs, performer.targets) == (("cat",), {"cat": 0})
    assert performer.fingerprint != opened(squares).fingerprint


def test_a_second_opening_reads_the_cache_and_other_weights_or_images_do_not(
    squares: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(squares)
    monkeypatch.setattr(network_plugin, "fitted_linear", None)
    assert opened(squares).fingerprint == first.fingerprint
    with pytest.raises(TypeError):
        Small.variant("small,weights=random").open(squares(size=32, train="more"), CPU)


def test_opening_leaves_the_callers_random_numbers_and_gives_the_same_random_weights(squares: Callable) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first = opened(squares)
    assert torch.equal(torch.rand(2), expected)
    assert opened(squares).fingerprint == first.fingerprint


def test_an_outline_reads_and_fits_nothing(squares: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_plugin, "fitted_linear", None)
    outline = Small.variant("small,weights=no_such_file").outline(squares(size=32), CPU)
    assert outline.roles == {"target": "1", "top_conv": "3", "fc1": "5", "logits": "6"}
    assert set(outline.lacking) == {"fc2"}


def test_weights_come_from_the_file_that_is_named(squares: Callable, tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = Small.unloaded().network.state_dict()
    weights |= {"6.weight": torch.zeros(4, 12), "6.bias": torch.zeros(4)}  # trained for other classes: not used
    save_file(weights, tmp_path / "mine.safetensors")
    performer = opened(squares, f"small,weights={tmp_path / 'mine.safetensors'}")
    assert torch.equal(performer.segment("images", "target").state_dict()["1.0.weight"], weights["0.weight"])
    save_file({name: value * 2 for name, value in weights.items()}, tmp_path / "mine.safetensors")
    changed = opened(squares, f"small,weights={tmp_path / 'mine.safetensors'}")
    assert changed.fingerprint != performer.fingerprint
    assert changed.version != performer.version


def test_of_a_class_token_nothing_is_used_but_the_grid(squares: Callable) -> None:
    performer, dataset = opened(squares, "tokens,weights=random", Tokens), squares(size=32)
    check_performer(performer, dataset)
    maps = performer.activations(dataset.test.batch([0]).pixels, ["target"])["target"]
    assert maps.shape == (1, 16, 4, 4)
    assert performer.lacking["top_conv"] == f"its last map, {performer.layer('target')}, may have values below 0"
    field = performer.receptive_field("target")
    assert (field.offset, field.stride) == (4, 8)
    assert field.approximate.startswith("measured")
    with pytest.raises(InputError, match=r"follow from a class token, which is in no map; leave outputs=imagenet out"):
        opened(squares, "tokens,weights=random,outputs=imagenet", Tokens)


def test_imagenets_own_logits_are_kept_where_its_classes_stand_for_the_categories(squares: Callable) -> None:
    performer = opened(squares, "small,weights=random,outputs=imagenet")
    assert len(performer.outputs) == 1000
    assert performer.targets == {"cat": 281, "dog": 208}
    dataset = squares(size=32)
    dataset.categories = ("cat", "unicorn")
    with pytest.raises(InputError, match="no class of ImageNet stands for squares/unicorn; leave outputs=imagenet out"):
        Small.variant("small,weights=random,outputs=imagenet").open(dataset, CPU)


def test_roles_may_be_given_in_a_file(squares: Callable, tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_text('[roles]\ntarget = "0"\ntop_conv = "1"\n')
    performer = opened(squares, f"small,weights=random,layers={path}")
    assert performer.roles == {"target": "0", "top_conv": "1", "logits": "6"}
    assert performer.activations(torch.rand(1, 3, 32, 32), ["target"])["target"].min() < 0
    path.write_text('[roles]\ntarget = "1"\ntop_conv = "1"\n')  # another explained map: another cell
    other = opened(squares, f"small,weights=random,layers={path}")
    assert other.fingerprint != performer.fingerprint
    assert other.version != performer.version  # boards hold cells of one version
    assert opened(squares).version == "1"


def test_a_changed_file_of_roles_is_another_performer_to_cells_and_caches(squares: Callable, tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    found = []
    for roles in ('top_conv = "1"\ntarget = "0"', 'target = "1"\ntop_conv = "0"', 'target = "0"\ntop_conv = "1"'):
        path.write_text(f"[roles]\n{roles}\n")
        found.append(opened(squares, f"small,weights=random,layers={path}").fingerprint)
    assert found[0] == found[2] != found[1]


def test_images_of_another_size_are_refused_and_size_is_an_option(squares: Callable) -> None:
    with pytest.raises(InputError, match="images of squares are 32 px, expected 64 for small,weights=random,size=64"):
        opened(squares, "small,weights=random,size=64")
    assert Small.variant("small,size=64,weights=random").input_size == 64


def test_a_network_without_finite_features_is_told_before_a_layer_is_fitted(squares: Callable, tmp_path: Path) -> None:
    weights = Small.unloaded().network.state_dict()
    save_file({name: value * 1e38 for name, value in weights.items()}, tmp_path / "huge.safetensors")
    with pytest.raises(InputError, match="no finite numbers of images of squares; its weights are damaged"):
        opened(squares, f"small,weights={tmp_path / 'huge.safetensors'}")
