"""What a bundle carries of the files that performers are made of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from partbench import InputError
from partbench.results import performer_files
from partbench.results.bundle import bundled, read_bundle
from partbench.results.performer_files import PerformerFiles, trained_beside, weights_in_words

INSTALLED = ("small_vgg", "alexnet", "timm:NAME")
NO_ROLES = (
    ("/home/me/roles.toml", "a bundle carries a file of roles with a relative path"),
    ("../roles.toml", "not '../roles.toml'; copy it to one, as in layers=roles.toml, and run the cell again"),
    ("other.toml", r"reads other.toml, which is not here \(No such file or directory\); submit from the folder it ran"),
    ("huge.toml", "the file of roles huge.toml has 100001 bytes, expected at most 100000"),
)


def cell(performer: str, default: bool = False) -> pd.Series:
    return pd.Series({"task": f"fauna/multi:cat{'' if default else f'@{performer}'}", "performer": performer})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with a file of roles, one that is too large, and the plugin file of a trained performer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roles.toml").write_text('[roles]\ntarget = "conv4"\n')
    (tmp_path / "huge.toml").write_text(" " * 100_001)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "performer.py").write_text('"""A trained performer."""\n')
    (tmp_path / "mine" / "performer.toml").write_text('name = "mine"\n')
    (tmp_path / "mine" / "weights.safetensors").write_bytes(b"w" * 3_000_000)
    return tmp_path


def test_installed_performers_need_nothing_and_are_not_asked_for_where_they_are_the_default(folder: Path) -> None:
    PerformerFiles((), lambda: pytest.fail("asked")).add(cell("small_vgg", default=True))
    needed = PerformerFiles((), lambda: INSTALLED)
    for name in ("small_vgg", "alexnet,weights=random,size=64", "timm:resnet18", "timm:resnet18,weights=pretrained"):
        needed.add(cell(name))
    assert (needed.carried, needed.notes) == ({}, [])


def test_a_file_of_roles_is_carried_to_where_the_name_of_the_performer_leads(folder: Path, tmp_path: Path) -> None:
    needed = PerformerFiles((), lambda: INSTALLED)
    needed.add(cell("alexnet,weights=random,layers=roles.toml"))
    path = tmp_path / "bundle.zip"
    files = {"results/a.parquet": b"x", **{f"roles/{name}": data for name, data in needed.carried.items()}}
    path.write_bytes(bundled(files, [], {}))
    read_bundle(path).roles_written(tmp_path / "work")
    assert (tmp_path / "work" / "roles.toml").read_bytes() == (folder / "roles.toml").read_bytes()
    path.write_bytes(bundled({**files, "roles/start.py": b"x"}, [], {}))
    with pytest.raises(InputError, match=r"ends in .toml, not 'start.py'"):
        read_bundle(path)


@pytest.mark.parametrize(("path", "said"), NO_ROLES)
def test_files_of_roles_that_nobody_else_would_find_are_refused(folder: Path, path: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        PerformerFiles(()).add(cell(f"alexnet,layers={path}"))


def test_weights_in_a_file_are_not_carried_and_the_submitter_is_told_once(folder: Path) -> None:
    needed = PerformerFiles((), lambda: INSTALLED)
    for _ in range(2):
        needed.add(cell("alexnet,weights=tuned.pt"))
    (note,) = needed.notes
    assert note.startswith(
        "alexnet,weights=tuned.pt needs the file tuned.pt, which the bundle does not carry: say where"
    )
    with pytest.raises(InputError, match=r"weights from ./tuned.pt, which a bundle does not carry; move .*=tuned.pt$"):
        needed.add(cell("alexnet,weights=./tuned.pt"))


def test_a_performer_that_is_neither_installed_nor_in_a_file_that_is_given_is_refused(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"its performer mine is not installed.*, which is performers/mine/performer.py"
    ):
        PerformerFiles((), lambda: INSTALLED).add(cell("mine"))
    PerformerFiles([folder / "mine" / "performer.py"], lambda: INSTALLED).add(cell("mine"))


def test_weights_of_a_trained_performer_are_carried_up_to_a_limit_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "mine" / "performer.py"
    assert trained_beside(folder / "other.py") == {}
    found = trained_beside(file)
    assert set(found) == {"performer.toml", "weights.safetensors"}
    assert weights_in_words(file) == f"the bundle carries the weights {found['weights.safetensors']}, 3.0 MB"
    data = {f"plugins/0/{name}": path.read_bytes() for name, path in found.items()}
    assert bundled({"results/a.parquet": b"x", **data}, [], {})  # although no source file may be so large
    monkeypatch.setattr(performer_files, "MOST_WEIGHTS", 2_000_000)
    assert set(trained_beside(file)) == {"performer.toml"}
    said = (
        "3.0 MB, and at most 2.0 MB are carried; say where mine/ is to be had; whoever verifies gives its performer.py"
    )
    assert said in weights_in_words(file)
    found["weights.safetensors"].unlink()
    with pytest.raises(InputError, match=r"has no weights .*; copy them there, or train it again"):
        trained_beside(file)
