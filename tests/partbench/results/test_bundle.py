"""Bundles: what a manifest may say, and which cells are finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_cells import cell, changed, rows, unsealed

from partbench.errors import InputError
from partbench.results import bundle
from partbench.results.archive import packed
from partbench.results.bundle import MANIFEST, bundled, read_bundle, read_finished
from partbench.results.schema import cell_path
from partbench.results.sealed import Damaged, write_sealed
from partbench.results.store import write_cell

FILES = {"results/a/b/x-1.parquet": b"rows", "plugins/0/mine.py": b"1\n", "requirements.txt": b"torch==2\n"}


def test_a_bundle_comes_back_and_is_written_where_its_names_say(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(bundled(FILES, ["plugins/0/mine.py"], {"machine": {}}))
    found = read_bundle(path)
    assert found.plugins == ["plugins/0/mine.py"]
    (place,) = found.written(tmp_path / "out")
    assert place == tmp_path / "out" / "results" / "a" / "b" / "x-1.parquet"
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


@pytest.mark.parametrize("key", ["x-1b2091d15eb4d1f4", "1b2091d15eb4d1f", "1b2091d1/5eb4d1f", "1B2091D15EB4D1F4"])
def test_a_cell_whose_status_could_not_be_looked_up_by_its_key_is_refused(key: str, tmp_path: Path) -> None:
    table = unsealed(write_cell(tmp_path, rows([1.0]), cell()))
    table = changed(table, "cell", pa.array([key] * len(table)))
    place = cell_path(Path(), table.to_pylist()[0])
    every = [unit == "all" for unit in table["unit"].to_pylist()]
    write_sealed(tmp_path / "x.parquet", [table.filter(pa.array(every))])
    with pytest.raises(Damaged, match="expected 16 hexadecimal digits"):
        read_finished(tmp_path / "x.parquet", place.as_posix())


def test_only_whole_finished_cells_at_their_place_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = cell()
    path = write_cell(tmp_path, rows([1.0, 2.0]), known)
    place = path.relative_to(tmp_path).as_posix()
    assert len(read_finished(path, place)) == 3
    with pytest.raises(Damaged, match=f"it lies at other.parquet, expected {place}"):
        read_finished(path, "other.parquet")
    monkeypatch.setattr(bundle, "MOST_ROWS", 2)
    with pytest.raises(Damaged, match="3 rows, more than 2"):
        read_finished(path, place)
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MOST_UNPACKED", 1000)
    with pytest.raises(Damaged, match="bytes when unpacked, more than 1000"):
        read_finished(path, place)
    monkeypatch.undo()
    write_cell(tmp_path, [row | {"status": "failed", "reason": "two\nlines"} for row in rows([1.0])], known, True)
    with pytest.raises(Damaged, match="locality failed: two lines"):
        read_finished(path, place)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(Damaged, match="columns differ"):
        read_finished(path, place)
    path.write_bytes(b"PAR1")
    with pytest.raises(Damaged):
        read_finished(path, place)
