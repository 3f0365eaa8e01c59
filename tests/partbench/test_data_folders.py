"""Folders of datasets: what the config file says, what the environment says, and how an entry is written."""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partbench import InputError
from partbench.data_folders import config_file, folder_of_config, folder_of_environment, note_folder


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv("PARTBENCH_CONFIG", str(file))
    return file


def test_without_a_config_file_no_folder_is_known(config: Path) -> None:
    assert config_file() == config
    assert folder_of_config("cub") is None


def test_the_config_file_lies_where_the_platform_keeps_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("PARTBENCH_CONFIG")
    assert config_file() == Path(platformdirs.user_config_dir("partbench")) / "config.toml"


def test_a_folder_is_noted_anew_and_all_else_in_the_file_stays(config: Path) -> None:
    config.parent.mkdir()
    config.write_text(
        '# mine\ntheme = "dark"\n[data]  # disks\ncelebA = "/a" # big\n"cub" = "/old"\n[later]\ncub = 1\n'
    )
    assert note_folder("cub", Path("/new/birds")) == config
    expected = '# mine\ntheme = "dark"\n[data]  # disks\ncelebA = "/a" # big\ncub = "/new/birds"\n[later]\ncub = 1\n'
    assert config.read_text() == expected
    note_folder("celeba", Path("/faces"))
    assert folder_of_config("celeba") == Path("/faces")
    assert folder_of_config("celebA") == Path("/a")
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
    st.sampled_from(["cub", "µ.b"]),
)
def test_any_path_is_read_back_or_refused_with_the_line_to_write(config: Path, text: str, name: str) -> None:
    config.unlink(missing_ok=True)
    folder, refused = Path("/") / text, ""
    try:
        note_folder(name, folder)
    except InputError as error:
        refused = str(error)
    if refused:
        assert "write this under [data]" in refused
        assert not config.exists()
    else:
        assert folder_of_config(name) == folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[data\n", "is no TOML: .*line 1"),
        ("data = 3", r"data is 3, expected a section \[data\]"),
        ("[data]\ncub = 3", "data.cub is 3, expected an absolute path"),
        ('[data]\ncub = "here"', "data.cub is 'here', expected an absolute path"),
        ("\xff", "cannot read the config file .*; mend or remove it"),
        ("a = " + "9" * 5000, "is no TOML: .*; mend or remove it"),
        ("a = " + "[" * 5000, "is no TOML: .*; mend or remove it"),
        ("#" * 1_000_001, "is no file of at most 1,000,000 bytes; mend or remove it"),
        (
            '[data]\ncub = "~nobody-of-this-name/x"',
            "data.cub is ~nobody.*, whose home folder is not known; write the whole",
        ),
    ],
)
def test_a_broken_config_file_is_named_with_what_is_wrong(config: Path, text: str, expected: str) -> None:
    config.parent.mkdir()
    config.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=expected):
        folder_of_config("cub")
    with pytest.raises(InputError, match=expected):
        note_folder("celeba", Path("/x"))
    assert config.read_bytes() == text.encode("latin-1")


def test_a_pipe_and_a_loop_of_links_are_refused_without_waiting(config: Path) -> None:
    config.parent.mkdir()
    os.mkfifo(config)
    with pytest.raises(InputError, match=r"is no file of at most"):
        note_folder("cub", Path("/x"))
    config.unlink()
    config.symlink_to(config.name)
    with pytest.raises(InputError, match=r"cannot read the config file .*; mend or remove it"):
        folder_of_config("cub")


def test_line_ends_a_link_and_permissions_of_the_config_file_stay(config: Path) -> None:
    config.parent.mkdir()
    real = config.with_name("real.toml")
    real.write_bytes(b"# mine\r\n[data]\r\n")
    real.chmod(0o600)
    config.symlink_to(real.name)
    note_folder("cub", Path("/x"))
    assert config.is_symlink()
    assert real.read_bytes().startswith(b"# mine\r\n[data]\r\ncub")
    assert real.stat().st_mode & 0o777 == 0o600
    assert folder_of_config("cub") == Path("/x")
    assert sorted(path.name for path in config.parent.iterdir()) == [config.name, real.name]


def test_folders_noted_at_the_same_time_are_all_noted(config: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: note_folder(name, Path("/x")), map(str, range(40))))
    assert len(tomllib.loads(config.read_text())["data"]) == 40


def test_what_would_take_more_than_a_line_is_left_to_the_user(config: Path) -> None:
    config.parent.mkdir()
    config.write_text('data = { celeba = "/a" }\n')
    with pytest.raises(InputError, match=r'write this under \[data\]: cub = "/x"'):
        note_folder("cub", Path("/x"))
    assert tomllib.loads(config.read_text()) == {"data": {"celeba": "/a"}}


def test_a_file_that_cannot_be_written_is_a_mistake_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARTBENCH_CONFIG", str(tmp_path / "file" / "config.toml"))
    with pytest.raises(InputError, match=r"cannot (read|write) the config file"):
        note_folder("cub", Path("/x"))


def test_the_environment_names_a_folder_unless_it_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert folder_of_environment() is None
    monkeypatch.setenv("PARTBENCH_DATA", " ")
    assert folder_of_environment() is None
    monkeypatch.setenv("PARTBENCH_DATA", str(tmp_path))
    assert folder_of_environment() == tmp_path
