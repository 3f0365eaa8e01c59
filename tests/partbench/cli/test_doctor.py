"""The doctor sees what is broken and stays well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from partbench.cli.main import main
from partbench.registry import Broken, Registry

DATASET = """
from partbench import Dataset, hookimpl

class Sick(Dataset):
    "Cannot be opened."
    name, version, default_performer, needs_root = "sick", "1", "small_vgg", False
    categories = classes = ("cat",)
    def __init__(self, root, size):
        {body}

@hookimpl
def register_datasets(register):
    register(Sick)
"""


def test_a_dataset_that_cannot_be_opened_is_shown_as_such(tmp_path: Path) -> None:
    for body, reason in (("1 / 0", "cannot be opened: ZeroDivisionError"), ("exit(3)", "cannot be opened: SystemExit")):
        (tmp_path / "sick.py").write_text(DATASET.format(body=body))
        result = CliRunner().invoke(main, ["doctor", "--json", "--plugin-file", str(tmp_path / "sick.py")])
        assert result.exit_code == 1
        found = {row["name"]: row for row in json.loads(result.stdout)["data"]}
        assert found["sick"]["status"] == "broken"
        assert reason in found["sick"]["found"]
        assert found["fauna"]["status"] == "ok"


def test_a_cache_that_cannot_be_written_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARTBENCH_CACHE", str(tmp_path / "file"))
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 1
    assert result.stdout.count("cannot write to the cache folder") == 1
    [row] = json.loads(result.stdout)["data"]
    assert row == {"name": "datasets", "status": "absent", "found": "not looked at: they need the cache"}


def test_list_and_doctor_show_what_is_broken(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    broken = Registry(broken=[Broken("stranger", "SystemExit: 3")])
    monkeypatch.setattr("partbench.cli.doctor.load", lambda files: broken)
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert {"name": "stranger", "status": "broken", "found": "SystemExit: 3"} in json.loads(result.stdout)["plugins"]
    monkeypatch.setattr("partbench.registry.load", lambda files: broken)
    monkeypatch.setattr("partbench.catalogue._read", lambda path: None)
    monkeypatch.setattr("partbench.catalogue._write", lambda path, found: None)
    listing = json.loads(CliRunner().invoke(main, ["list", "--json"]).stdout)
    assert listing["broken"] == [{"plugin": "stranger", "error": "SystemExit: 3"}]
