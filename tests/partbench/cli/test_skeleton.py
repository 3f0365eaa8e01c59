"""New plugins: sound names, sound files, and nothing half written."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from partbench.cli.skeleton import check_name, class_name, is_module, rendered, write_skeleton
from partbench.errors import InputError

KINDS = ("explainer", "metric", "dataset", "performer")


@pytest.mark.parametrize("kind", KINDS)
def test_four_files_are_written_and_the_entry_point_names_the_module(tmp_path: Path, kind: str) -> None:
    place = write_skeleton(kind, "my_plugin", tmp_path)
    assert place == tmp_path / "my_plugin"
    assert sorted(file.name for file in place.iterdir()) == [
        "README.md", "my_plugin.py", "pyproject.toml", "test_my_plugin.py",
    ]  # fmt: skip
    project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["partbench"] == {"my_plugin": "my_plugin"}
    assert project["name"] == "partbench-my-plugin"
    assert "CHANGE" in (place / "my_plugin.py").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["my_plugin"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "images", "my_plugin"])
def test_the_code_is_such_as_linters_and_formatters_leave_it(tmp_path: Path, kind: str, name: str) -> None:
    place = write_skeleton(kind, name, tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    style = ["--isolated", "--no-cache"]
    checked = subprocess.run(
        [*ruff, "check", *style, "--line-length", "120", "--select", "E,F,I,B,UP", "."], cwd=place, capture_output=True,
        text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("MyPlugin", "'my_plugin' would do"), ("my-plugin", "'my_plugin' would do"), ("1st", "letters, digits and"),
        ("class", "another meaning in Python"), ("test_it", "another meaning"),
        ("json", "there is a Python module 'json'"),
        ("torch", "there is a Python module 'torch'"), ("x" * 61, "expected at most 60"),
        ("../x", "letters, digits and"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_used_are_refused(name: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer.replace("(", r"\(")):
        check_name(name)


def test_a_registered_name_and_a_place_that_is_taken_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="partbench has a metric named 'locality'"):
        write_skeleton("metric", "locality", tmp_path, {"locality": "partbench"})
    (tmp_path / "my_new_metric").mkdir()
    (tmp_path / "my_new_metric" / "work.py").write_text("work")
    with pytest.raises(InputError, match="is there already"):
        write_skeleton("metric", "my_new_metric", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["my_new_metric", "work.py"]
    with pytest.raises(InputError, match="make it first"):
        write_skeleton("metric", "my_new_metric", tmp_path / "nowhere")


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        write_skeleton("metric", "my_new_metric", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_class_is_called_after_the_plugin_unless_the_file_uses_the_name() -> None:
    assert class_name("explainer", "my_maps") == "MyMaps"
    assert class_name("explainer", "images") == "ImagesExplainer"
    assert class_name("dataset", "image") == "ImageDataset"  # ImageSet would be its split
    assert is_module("json")
    assert not is_module("no_such_module")


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_own_tests_and_is_installed_by_pip(tmp_path: Path, kind: str) -> None:
    place = write_skeleton(kind, "my_plugin", tmp_path)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(place)]
    tested = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout
    assert "my_plugin" in rendered(kind, "my_plugin")["README.md"]
    target = tmp_path / "site"
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    installed = subprocess.run([sys.executable, "-m", "pip", *words, str(place)], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    code = f"import sys; sys.path.insert(0, {str(target)!r}); from partbench.registry import load\n"
    code += f"print(load().{kind}s['my_plugin'].distribution)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == "partbench-my-plugin", found.stderr
