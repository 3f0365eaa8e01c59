from __future__ import annotations

import csv
import datetime
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted_cells import NOON, cell, rows

from partbench.cli.main import main
from partbench.results.asked import record
from partbench.results.store import load_results, write_cell

OLD, NEW = cell(plugin_digest="old"), cell(plugin_digest="new")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A cell of older code and one of newer code."""
    folder = tmp_path / "results"
    write_cell(folder, rows([1.0, 2.0]), OLD)
    write_cell(folder, [r | {"created_at": NOON + datetime.timedelta(hours=1)} for r in rows([3.0])], NEW)
    return folder


def bench(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["results", *words, "--results", str(folder)])


def test_cells_that_no_page_uses_are_shown_and_stay(results: Path) -> None:
    found = bench(results, "prune")
    assert found.exit_code == 0
    assert OLD.path(results).name in found.output
    assert NEW.path(results).name not in found.output
    assert "1 cells; --yes removes them" in found.output
    assert len(load_results(results)) == 2


def test_cells_that_no_page_uses_are_removed_if_asked_with_their_records(results: Path) -> None:
    record(OLD.path(results), NOON)
    before = NEW.path(results).read_bytes()
    assert bench(results, "prune", "--yes").exit_code == 0
    assert [path.name for path in (results / "fauna" / "multi.cat").iterdir()] == [NEW.path(results).name]
    assert NEW.path(results).read_bytes() == before
    assert "pages use all cells" in bench(results, "prune").output


def test_damaged_files_are_not_pruned(results: Path) -> None:
    damaged = cell(seed=5).path(results)
    damaged.write_bytes(b"PAR1")
    bench(results, "prune", "--yes")
    assert damaged.is_file()


def test_the_index_is_made_anew(results: Path) -> None:
    found = bench(results, "index")
    assert found.output.splitlines() == ["aggregates: 2 rows", "evidence: 0 rows"]
    assert (results / ".index" / "aggregates" / "fauna" / "multi.cat.parquet").is_file()


@pytest.mark.parametrize("words", [("prune",), ("index",), ("query", "select 1")])
def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = bench(tmp_path / "nothing", *words)
    assert found.exit_code == 2
    assert found.stderr.startswith("bench: no folder")
    assert not (tmp_path / "nothing").exists()


def test_a_query_prints_a_table_comma_separated_values_or_json(results: Path) -> None:
    pytest.importorskip("duckdb")
    statement = "select '=1+1' as name, value, 'nan'::float as none from aggregates order by value"
    table = bench(results, "query", statement).output
    assert "=1+1" in table
    assert "1.5" in table
    found = list(csv.reader(io.StringIO(bench(results, "query", statement, "--csv").output)))
    assert found == [["name", "value", "none"], ["'=1+1", "1.5", "nan"], ["'=1+1", "3.0", "nan"]]
    read = json.loads(bench(results, "query", statement, "--json").output)
    assert read == [{"name": "=1+1", "value": value, "none": None} for value in (1.5, 3.0)]


def test_rows_of_many_columns_are_printed_one_below_the_other(results: Path) -> None:
    pytest.importorskip("duckdb")
    lines = bench(results, "query", "select *, null as nothing from aggregates order by value limit 2").stdout
    assert [line.strip() for line in lines.splitlines() if line.startswith("row ")] == ["row 1", "row 2"]
    assert re.search("│ explainer +│ srae +│", lines)
    assert re.search("│ nothing +│ NULL +│", lines)


def test_of_a_long_answer_a_table_shows_the_first_rows(results: Path) -> None:
    pytest.importorskip("duckdb")
    found = bench(results, "query", "select * from range(1003)")
    assert ("│ 999 " in found.stdout, "│ 1000 " in found.stdout) == (True, False)
    assert "3 more rows" in found.stderr
    assert len(bench(results, "query", "select * from range(1003)", "--csv").stdout.splitlines()) == 1004


def test_a_query_that_fails_costs_one_line(results: Path) -> None:
    pytest.importorskip("duckdb")
    for words in (("selec 1",), ("select 1", "--csv", "--json")):
        found = bench(results, "query", *words)
        assert (found.exit_code, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)


def test_hostile_texts_reach_no_terminal(results: Path) -> None:
    pytest.importorskip("duckdb")
    found = bench(results, "query", "select 'a' || chr(27) || '[2J' || chr(8238) || '[bold]b' as \"x\x1b\"")
    assert "\x1b" not in found.output
    assert "\u202e" not in found.output
    assert "a�[2J�[bold]b" in found.output
