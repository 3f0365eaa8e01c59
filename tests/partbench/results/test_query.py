from __future__ import annotations

import sys
from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.errors import InputError
from partbench.results import query as module
from partbench.results.query import query
from partbench.results.store import write_cell

duckdb = pytest.importorskip("duckdb")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for seed in (0, 2**64 - 1):
        write_cell(tmp_path / "results", [r | {"unit_kind": "image"} for r in rows([1.0, 2.0])], cell(seed=seed))
    return tmp_path / "results"


def test_a_query_reads_aggregates_and_evidence(results: Path) -> None:
    statement = (
        "select seed, a.value, count(*) n, avg(e.value) mean from aggregates a join evidence e using (cell, seed)"
    )
    found = query(results, f"{statement} group by all order by seed")
    assert found.to_pylist() == [
        {"seed": seed, "value": 1.5, "n": 2, "mean": 1.5} for seed in (0, 2**64 - 1)
    ]  # fmt: skip


def test_a_table_that_is_not_named_is_not_read(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(folder: Path, kind: module.AGGREGATES.__class__) -> None:
        raise AssertionError(kind.name)

    monkeypatch.setattr(module, "indexed", read)
    assert query(results, "select 1 as one").to_pylist() == [{"one": 1}]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("selec 1", "Parser Error"),
        ("", "nothing, expected one SELECT"),
        ("select 1; drop table aggregates", "SELECT, DROP, expected one SELECT"),
        ("select nope from aggregates", '"nope" not found'),
        ("select * from aggregate", "aggregate does not exist; tables: aggregates, evidence"),
        ("select value + 'x' from aggregates", "Could not convert"),
        ("select 1 as a, 2 as a", "several columns named a"),
        ("update aggregates set value = 1", "UPDATE, expected one SELECT"),
    ],
)
def test_a_wrong_query_ends_in_one_line(results: Path, statement: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        query(results, statement)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{file}')",
        "select * from read_text('{file}')",
        "select * from '{file}'",
        "select * from glob('{folder}/*')",
        "copy (select 1) to '{folder}/out.csv'",
        "attach '{folder}/out.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "export database '{folder}/out'",
        "select * from rows",
        "select * from statement",
        "select getenv('HOME')",
    ],
)
def test_a_query_reads_and_writes_nothing_else(results: Path, tmp_path: Path, statement: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        query(results, statement.format(file=secret, folder=tmp_path))
    assert sorted(tmp_path.iterdir()) == before


def test_without_duckdb_the_answer_says_what_to_install(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"pip install 'partbench\[sql\]'"):
        query(results, "select 1")
