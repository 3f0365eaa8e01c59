"""Performers read from the folders of `bench performer train`; running/training tests that these are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from partbench import InputError, PerformerPlugin, check_performer, trained_performer
from partbench.category_view import through_category
from partbench.performers.network_plugin import Built, NetworkPlugin
from partbench.performers.normalise import Normalise

CPU = torch.device("cpu")
TABLE = {
    "name": "mine", "network": "plain", "class": f"{__name__}:Plain", "input_size": 32, "task": "squares/multi",
    "data": "train", "outputs": ["cat", "dog", "other"],
}  # fmt: skip


class Plain(NetworkPlugin):
    """Two convolutions and a linear layer on pooled features."""

    name, input_size = "plain", 32

    @classmethod
    def unloaded(cls) -> Built:
        layers = [nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU()]
        network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 1000))
        return Built(network, Normalise((0.5,) * 3, (0.25,) * 3))


@pytest.fixture
def folder(tmp_path: Path, squares: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `bench performer train` writes it; this file stands for an installed module."""
    monkeypatch.setattr("importlib.import_module", lambda name: __import__("sys").modules[name])
    made = Plain.to_train(squares(size=32), CPU, loaded=False)
    weights = {f"{stage}.{name}": torch.randn_like(value) for stage, module in made.stages.items()
               for name, value in module.state_dict().items()}  # fmt: skip
    save_file(weights, tmp_path / "weights.safetensors")
    write(tmp_path)
    return tmp_path


def write(folder: Path, **changes: object) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**TABLE, **changes}.items()]
    (folder / "performer.toml").write_text("\n".join(lines))


def test_the_weights_of_the_folder_are_those_of_the_performer(folder: Path, squares: Callable) -> None:
    performer = trained_performer(folder).open(squares(size=32), CPU)
    check_performer(performer, squares(size=32))
    assert (performer.name, performer.outputs) == ("mine", ("cat", "dog", "other"))
    weights = load_file(folder / "weights.safetensors")
    own = performer.stages["normalise"].state_dict()
    assert all(torch.equal(value, weights[f"normalise.{name}"]) for name, value in own.items())
    assert trained_performer(folder).open(squares(size=32), CPU).fingerprint == performer.fingerprint
    name = next(name for name in weights if name.endswith("weight"))
    save_file({**weights, name: weights[name] * 1.01}, folder / "weights.safetensors")
    assert trained_performer(folder).open(squares(size=32), CPU).fingerprint != performer.fingerprint


def test_another_task_and_other_classes_are_refused_and_other_images_are_told(folder: Path, squares: Callable) -> None:
    plugin, single = trained_performer(folder), through_category(squares(size=32), "cat", "random", None)
    with pytest.raises(
        InputError, match="mine was trained on squares/multi, not on squares/cat; use --task squares/multi:"
    ):
        plugin.open(single, CPU)
    with pytest.warns(UserWarning, match="trained on other images of squares than those here"):
        plugin.open(squares(size=32, train="others"), CPU)
    write(folder, outputs=["cat", "dog"])
    with pytest.raises(InputError, match="mine tells cat, dog; the classes of squares here are cat, dog, other"):
        trained_performer(folder).open(squares(size=32), CPU)


def test_files_that_are_damaged_or_not_there_are_named_in_one_line(folder: Path, squares: Callable) -> None:
    def opened() -> type[PerformerPlugin]:
        plugin = trained_performer(folder)
        plugin.open(squares(size=32), CPU)
        return plugin

    weights = load_file(folder / "weights.safetensors")
    save_file({"other": torch.ones(1), **weights}, folder / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.safetensors: 1 weights are not those of plain, the first is other"):
        opened()
    (folder / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(InputError, match=r"weights\.safetensors cannot be read as weights alone"):
        opened()
    write(folder, **{"class": f"{__name__}:Lost"})
    with pytest.raises(InputError, match="mine is made of plain, whose plugin is not installed"):
        opened()
    write(folder, input_size="32")
    with pytest.raises(InputError, match=r"performer\.toml: expected input_size, a int"):
        opened()
    (folder / "performer.toml").unlink()
    with pytest.raises(InputError, match=r"performer.toml cannot be read: .* `bench performer train` writes it"):
        opened()
