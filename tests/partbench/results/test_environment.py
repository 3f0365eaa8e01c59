"""What is installed here."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from partbench.errors import InputError
from partbench.results.environment import distribution, lock, machine, processor


def test_the_lock_names_each_distribution_once_in_order() -> None:
    lines = lock().splitlines()
    assert f"torch=={importlib.metadata.version('torch')}" in lines
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(names)
    assert len(set(lines)) == len(lines)
    assert set(machine()) == {"python", "system", "processor"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon\n\nvendor_id: other",
         "GenuineIntel family 6 model 143"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n",
         "implementer 0x41 part 0xd40 variant 0x1"),
        ("processor\t: 0\nmodel name\t: POWER9\n", "POWER9"),
    ],
)  # fmt: skip
def test_a_processor_is_told_by_its_numbers_else_by_its_name(tmp_path: Path, told: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(told)
    assert processor(tmp_path / "cpuinfo") == expected


def test_a_system_that_tells_nothing_of_the_processor_has_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert processor(tmp_path / "none") == "arm64"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution on the path."""
    folder = tmp_path / "nmf_concepts-0.3.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nmf-concepts\nVersion: 0.3\n")
    (folder / "RECORD").write_text("nmf_concepts.py,sha256=abc,12\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


NOTED = {"url": "file:///home/ann/dist/nmf_concepts-0.3.whl", "archive_info": {"hashes": {"sha256": "f00d"}}}


@pytest.mark.parametrize(
    ("noted", "archive"),
    [
        (json.dumps(NOTED), ("nmf_concepts-0.3.whl", "f00d")),
        (json.dumps(NOTED | {"archive_info": {"hash": "sha256=beef"}}), ("nmf_concepts-0.3.whl", "beef")),
        (json.dumps({"url": "file:///home/ann", "dir_info": {"editable": True}}), ("", "")),
        ("no JSON", ("", "")),
        ("[]", ("", "")),
        (None, ("", "")),
    ],
)
def test_a_distribution_tells_its_archive_and_record_but_no_folder(
    installed: Path, noted: str | None, archive: tuple[str, str]
) -> None:
    if noted is not None:
        (installed / "direct_url.json").write_text(noted)
    known, text = distribution("nmf-concepts")
    assert known == {
        "name": "nmf-concepts", "version": "0.3", "archive": archive[0],
        "archive_sha256": archive[1].removeprefix("sha256="),
    }  # fmt: skip
    assert text == b"nmf_concepts.py,sha256=abc,12\n"
    assert "ann" not in str(known)


def test_one_that_is_not_installed_ends_in_one_line() -> None:
    with pytest.raises(InputError, match="'nowhere' is not installed"):
        distribution("nowhere")
