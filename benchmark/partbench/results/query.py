"""SQL over a folder of results, by DuckDB (the extra `sql`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from partbench.errors import InputError
from partbench.results.index import AGGREGATES, EVIDENCE, indexed
from partbench.results.plain_text import printable

if TYPE_CHECKING:
    import duckdb

# A query reads the two tables and nothing else: no file, no extension, no variable of this process.
_SETTINGS = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def query(results: Path, statement: str) -> pa.Table:
    """The rows that one SELECT finds in the tables `aggregates` and `evidence` of the index (docs/results.md).

    Raises InputError for a wrong statement, for one that is no SELECT, and where DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError("a query needs DuckDB, which is not installed; pip install 'partbench[sql]'") from error
    with duckdb.connect(":memory:", config=dict(_SETTINGS)) as connection:
        try:
            _expect_one_select(connection, statement)
            for kind in (AGGREGATES, EVIDENCE):
                if re.search(rf"\b{kind.name}\b", statement, re.IGNORECASE):
                    connection.register(kind.name, indexed(results, kind))
            connection.execute("SET lock_configuration = true")
            found = connection.sql(statement).to_arrow_table()
        except duckdb.Error as error:
            raise InputError(f"the query fails: {_in_one_line(error)}") from error
    if twice := sorted({name for name in found.column_names if found.column_names.count(name) > 1}):
        raise InputError(f"the query has several columns named {', '.join(twice)}; name them apart with AS")
    return found


def _expect_one_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    import duckdb

    if any("\ud800" <= c <= "\udfff" for c in statement):  # an argument of bytes that are no UTF-8
        raise InputError("the query holds bytes that are no text in UTF-8; type it again")
    found = connection.extract_statements(statement)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(one.type.name for one in found) or "nothing"
        raise InputError(f"the query is {kinds}, expected one SELECT; tables: {AGGREGATES.name}, {EVIDENCE.name}")


def _in_one_line(error: Exception) -> str:
    """The message without the copy of the statement, and without line breaks."""
    text = printable(" ".join(re.split(r"\n+LINE \d+:", str(error))[0].split()))
    if absent := re.search(r"Table with name \S+ does not exist", text):
        return f"{absent[0]}; tables: {AGGREGATES.name}, {EVIDENCE.name}"
    return text
