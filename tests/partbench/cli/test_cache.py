"""`bench cache` lists, checks and clears, without torch."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from partbench import CacheItem
from partbench.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path))
    for kind, names in {"activations": ("a/x", "a/y"), "fields": ("z",)}.items():
        for name in names:
            CacheItem(kind, name, ".bin").write(lambda file: file.write(bytes(2**20)))
    return tmp_path


def bench(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(main, ["cache", *words], input=given)


def kinds(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_it_lists_files_size_and_age_by_kind(folder: Path) -> None:
    os.utime(next(folder.rglob("x.*")), (0, 0))
    found = json.loads(bench("--json").stdout)
    assert found["folder"] == str(folder)
    rows = {row["kind"]: row for row in found["kinds"]}
    assert (rows["activations"]["files"], rows["activations"]["mb"]) == (2, 2.0)
    assert rows["activations"]["newest_seconds"] < 60 < 1e9 < rows["activations"]["oldest_seconds"]
    table = bench().stdout
    assert "activations" in table
    assert "0 min" in table
    assert "days" in table


def test_list_names_each_file_of_a_kind_the_largest_first(folder: Path) -> None:
    CacheItem("activations", "small", ".bin").write(lambda file: file.write(b"1"))
    found = json.loads(bench("list", "activations", "--json").stdout)["files"]
    assert [(one["file"].partition(".")[0], one["mb"]) for one in found] == [
        ("activations/a/x", 1.0), ("activations/a/y", 1.0), ("activations/small", 0.0),
    ]  # fmt: skip
    *lines, total = bench("list", "activations").stdout.splitlines()
    assert ["0 min" in line and " MB " in line for line in lines] == [True] * 3
    assert total == f"3 files, 2.0 MB in {folder}"
    assert "did you mean 'fields'" in bench("list", "field").stderr


def test_check_names_what_is_damaged(folder: Path) -> None:
    assert "3 of 3 files" in bench("check").stdout
    path = next(folder.rglob("y.*"))
    path.write_bytes(path.read_bytes()[:-1])
    result = bench("check")
    assert result.exit_code == 1
    assert f"{path.relative_to(folder)}: its checksum is" in result.stdout
    assert "2 of 3 files" in result.stdout
    assert list(json.loads(bench("check", "--json").stdout)["damaged"]) == [str(path.relative_to(folder))]
    assert bench("check", "fields").exit_code == 0


def test_files_of_earlier_versions_are_counted_and_trusted_only_when_asked(folder: Path) -> None:
    (folder / "fields" / "old.npy").write_bytes(b"old")
    result = bench("check")
    assert result.exit_code == 0
    assert "3 of 3 files" in result.stdout
    assert "1 files of earlier versions have no checksum" in result.stdout
    assert "4 of 4 files" in bench("check", "--adopt").stdout
    assert CacheItem("fields", "old", ".npy").exists()


def test_clear_removes_the_kinds_named_or_all(folder: Path) -> None:
    assert bench("clear", "activations", "--yes").stdout == "removed 2 files (2 MB)\n"
    assert kinds(folder) == ["fields"]
    assert bench("clear", "--yes").exit_code == 0
    assert kinds(folder) == []
    assert bench("clear", "--yes").exit_code == 0


def test_clear_asks_nobody_in_a_script(folder: Path) -> None:
    result = bench("clear")
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert kinds(folder) == ["activations", "fields"]


@pytest.mark.parametrize(("answer", "left"), [("n", ["activations", "fields"]), ("y", [])])
def test_clear_asks_on_a_terminal(answer: str, left: list[str], folder: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "partbench", "cache", "clear"]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.write(ours, f"{answer}\n".encode())
        assert (process.wait(timeout=60) == 0) == (answer == "y")
    os.close(theirs)
    os.close(ours)
    assert kinds(folder) == left


def test_an_unknown_kind_is_the_users_mistake() -> None:
    for command in ("check", "clear"):
        result = bench(command, "activation")
        assert result.exit_code == 2
        assert "did you mean 'activations'?" in result.stderr


@pytest.mark.parametrize("given", ["", "cache", "a file"])
def test_a_cache_that_cannot_be_used_ends_a_run_in_one_line(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "file") if given == "a file" else given)
    result = CliRunner().invoke(main, ["run", "--plugin", "centre_map", "--results", str(tmp_path / "results")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "PARTBENCH_CACHE" in result.stderr
    for words in ([], ["check"], ["clear", "--yes"]):
        result = bench(*words)
        assert result.exit_code == 2
        assert "PARTBENCH_CACHE" in result.stderr


def test_torch_is_not_imported() -> None:
    code = (
        "import sys, partbench.cli.main as m\n"
        "for words in (['cache'], ['cache', 'check'], ['cache', 'clear', '--yes']):\n"
        "    m.main(words, standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
