from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from partbench import InputError
from partbench.performers.weight_digest import weight_digest
from partbench.performers.weight_files import found_file, load_weights, weights_of_file


def network(outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, outputs))


@pytest.mark.parametrize("form", ["plain", "wrapped", "parallel", "safetensors"])
def test_weights_are_read_from_every_usual_form_of_file(tmp_path: Path, form: str) -> None:
    source, target = network(), network()
    path, weights = tmp_path / "weights.pth", source.state_dict()
    if form == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(weights, path)
    else:
        renamed = {f"module.{name}": value for name, value in weights.items()}
        torch.save({"plain": weights, "wrapped": {"state_dict": weights, "epoch": 3}, "parallel": renamed}[form], path)
    load_weights(target, weights_of_file(path), path, new_head=False)
    assert weight_digest(target.state_dict()) == weight_digest(weights)


class Runs:
    def __reduce__(self) -> tuple:
        return print, ("code of a file has run",)


def test_a_file_with_code_is_refused_and_its_code_not_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"weight": Runs()}, protocol=2))
    with pytest.raises(InputError, match=r"cannot be read as weights alone: .*; save network.state_dict\(\)"):
        weights_of_file(path)
    assert "has run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}q\x00.", b"root:x:0:0:root:/root:/bin/bash\n"])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match="weights"):
            load_weights(network(), weights_of_file(path), path, new_head=False)


def test_the_last_layer_may_have_other_outputs_only_where_it_is_replaced() -> None:
    own, other = network(), network(outputs=7).state_dict()
    load_weights(own, other, Path("file"), new_head=True)
    assert torch.equal(own[0].weight, other["0.weight"])
    with pytest.raises(InputError, match=r"file has in another shape 2.bias and 1 more; expected the weights of"):
        load_weights(own, other, Path("file"), new_head=False)
    del other["0.weight"]
    with pytest.raises(InputError, match=r"file lacks 0.weight; expected"):
        load_weights(own, other, Path("file"), new_head=True)


def test_a_file_is_found_by_its_name_in_the_folder_of_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match=f"there is no file of weights mine.pth, here or in {folder}"):
        found_file("mine.pth")
    (folder / "mine.pth").touch()
    assert found_file("mine.pth") == folder / "mine.pth"
    for name in ("x" * 5000, "~nobody_of_this_name/mine.pth", "a\0b"):
        with pytest.raises(InputError, match="there is no file of weights"):
            found_file(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weight: weight * float("nan"), "has NaN in 0.weight"),
        (lambda weight: weight.to(torch.complex64), "has values of torch.complex64 in 0.weight"),
        (lambda weight: weight.to(torch.int8), "has values of torch.int8 in 0.weight"),
        (lambda weight: weight.to_sparse(), "has a tensor of torch.sparse_coo on cpu in 0.weight"),
        (lambda weight: weight.to("meta"), "on meta in 0.weight"),
        (lambda weight: weight[:, :1], "has in another shape 0.weight"),  # of grey images: no layer of other outputs
    ],
)
def test_weights_that_would_be_changed_or_left_random_are_refused(change: Callable, said: str) -> None:
    weights = network().state_dict()
    weights["0.weight"] = change(weights["0.weight"])
    with pytest.raises(InputError, match=said):
        load_weights(network(), weights, Path("file"), new_head=True)


def test_two_networks_in_one_file_are_not_mixed(tmp_path: Path) -> None:
    weights = network().state_dict()
    torch.save({**weights, **{f"module.{name}": value + 1 for name, value in weights.items()}}, tmp_path / "two.pth")
    assert len(weights_of_file(tmp_path / "two.pth")) == 2 * len(weights)
