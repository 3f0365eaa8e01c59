"""Bundles: what a manifest may say, and which cells are finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partbench.errors import InputError
from partbench.results.archive import packed
from partbench.results.bundle import MANIFEST, bundled, read_bundle

FILES = {"results/a/b/x-1.parquet": b"rows", "plugins/0/mine.py": b"1\n", "requirements.txt": b"torch==2\n"}


def test_a_bundle_comes_back_and_is_written_where_its_names_say(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(bundled(FILES, ["plugins/0/mine.py"], {"machine": {}}))
    found = read_bundle(path)
    assert found.plugins == ["plugins/0/mine.py"]
    assert found.cells_written(tmp_path / "in") == tmp_path / "in" / "results"
    assert (tmp_path / "in" / "results" / "a" / "b" / "x-1.parquet").read_bytes() == b"rows"
    assert not (tmp_path / "in" / "plugins").exists()
    (place,) = found.sources_written(tmp_path / "out")
    assert place == tmp_path / "out" / "plugins" / "0" / "mine.py"
    assert (tmp_path / "out" / "plugins" / "0" / "mine.py").read_bytes() == b"1\n"


def test_a_source_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="more than the"):
        bundled({"plugins/0/mine.py": bytes(3 << 20)}, ["plugins/0/mine.py"], {})


WHOLE: dict[str, Any] = {"partbench_bundle": 1, "plugins": [], "files": {}}
MANIFESTS = {
    "not UTF-8": (b"\xff{}", "no JSON in UTF-8"),
    "no JSON": (b"{", "no JSON in UTF-8"),
    "very deep": (b"[" * 200_000, "no JSON in UTF-8|format None"),
    "a list": (b"[]", "bundle of format None, expected 1"),
    "of a later format": (b'{"partbench_bundle": 2}', "bundle of format 2, expected 1"),
    "without files": (b'{"partbench_bundle": 1, "plugins": []}', "lacks the digests"),
    "with files of numbers": (json.dumps(WHOLE | {"files": {"x": 1}}).encode(), "lacks the digests"),
    "of other files": (json.dumps(WHOLE | {"files": {"x": "0"}}).encode(), "differ in 'x'"),
    "with a plugin elsewhere": (json.dumps(WHOLE | {"plugins": ["../mine.py"]}).encode(), "no source file in plugins"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_is_none_ends_in_one_line(name: str, tmp_path: Path) -> None:
    text, says = MANIFESTS[name]
    path = tmp_path / "x.zip"
    path.write_bytes(packed({MANIFEST: text}))
    with pytest.raises(InputError, match=says):
        read_bundle(path)


def test_a_file_that_the_manifest_does_not_tell_of_or_that_differs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(bundled(FILES, [], {}))
    files = read_bundle(path).files
    for name, data in (("plugins/0/more.py", b"2\n"), ("plugins/0/mine.py", b"2\n")):
        path.write_bytes(packed({**files, name: data}))
        with pytest.raises(InputError, match=name):
            read_bundle(path)


def test_a_bundle_without_a_cell_or_with_files_of_other_kinds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for files, says in (({}, "holds no cell"), (FILES | {"more.sh": b""}, "more.sh is no part of a bundle")):
        path.write_bytes(bundled(files, [], {}))
        with pytest.raises(InputError, match=says):
            read_bundle(path)
