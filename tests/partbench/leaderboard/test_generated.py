from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from partbench.leaderboard.generated import as_csv, differing, is_generated, write_files
from partbench.leaderboard.markdown import HEADER


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    contents = {"a.md": "one", "below/b.md": "two", "c.bin": b"\xff"}
    assert write_files(tmp_path, contents) == [tmp_path / name for name in contents]
    before = (tmp_path / "a.md").stat().st_mtime_ns
    assert differing(tmp_path, {"a.md": "one", "below/b.md": "three", "d.md": ""}) == {"below/b.md", "d.md"}
    write_files(tmp_path, {"a.md": "one", "below/b.md": "three"})
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
    assert (tmp_path / "below" / "b.md").read_text() == "three"


def test_pages_of_others_are_not_taken_for_generated_ones(tmp_path: Path) -> None:
    (tmp_path / "made.md").write_text(f"{HEADER}\n\ntext")
    (tmp_path / "own.md").write_bytes(b"\xff# mine")
    assert [is_generated(tmp_path / name) for name in ("made.md", "own.md", "absent.md")] == [True, False, False]


def test_no_text_of_a_table_starts_a_formula() -> None:
    table = pd.DataFrame({"name": ["=1+1", "plain"], "value": [-0.5, 1 / 3]})
    rows = list(csv.reader(io.StringIO(as_csv(table))))
    assert rows == [["name", "value"], ["'=1+1", "-0.5"], ["plain", "0.333333"]]
