"""Files of results: their bytes, and tables of strange values under a valid digest; into pages, `show` and queries."""

from __future__ import annotations

import datetime
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from mutation import MARKS, NUMBERS, STRANGE, damaged
from planted_cells import as_version_2, cell, rows, unsealed
from verdicts import same, verdicts

from partbench import InputError
from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.unused import unused_cells
from partbench.opening import Workbench
from partbench.registry import Registry, load
from partbench.results.query import query
from partbench.results.schema import picture_path
from partbench.results.sealed import Damaged, write_sealed
from partbench.results.store import find_cell, finished, load_evidence, load_results, read_cell, write_cell
from partbench.running.jobs import job_of

SELECT = "select explainer, count(*) as n, sum(value) as total from aggregates group by explainer order by 1"
FAR = (datetime.datetime(1, 1, 1, tzinfo=datetime.UTC), datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two explainers on two tasks."""
    folder = tmp_path / "results"
    for explainer in ("srae", "lasso"):
        for task in ("cat", "bird"):
            values = list(np.random.default_rng(1).normal(size=20))
            made = rows(values) + rows(values[::-1], metric="accuracy")
            options = {"beta": 3.0} if explainer == "srae" else {}
            who = {"explainer": explainer, "options": options, "category": task, "task": f"fauna/multi:{task}"}
            write_cell(folder, made, cell(**who))
    return folder


MUTATED = cell(category="cat", explainer="srae", options={"beta": 3.0}, task="fauna/multi:cat")


def everything(results: Path, registry: Registry) -> tuple[object, ...]:
    """What the commands make of results: pages, unused cells, evidence, a query, the job of each cell for `show`."""
    frame = load_results(results)
    jobs = []
    for path in sorted(results.rglob("*.parquet")):
        if ".index" not in path.parts:
            try:
                row = find_cell(results, str(path))
                assert picture_path(results, row).resolve().is_relative_to(results.resolve())
                job = job_of(registry, row)
                job.explainer()
                jobs.append(str(Workbench(registry).parse(job.task)))
            except InputError as error:
                jobs.append(str(error))
    images = load_evidence(results)
    evidence = images["value"].to_numpy()
    return (
        pages(Sources(frame, images), {}),
        unused_cells(frame)["file"].tolist(),
        evidence,
        query(results, SELECT).to_pylist(),
        jobs,
    )


@pytest.mark.parametrize("n", [20, pytest.param(1500, marks=pytest.mark.soak)])
@pytest.mark.parametrize("version", [2, 3])
def test_mutated_files_are_refused_or_hold_the_same_rows(version: int, n: int, tmp_path: Path) -> None:
    path = write_cell(tmp_path, rows(list(np.random.default_rng(1).normal(size=100))), cell())
    if version == 2:
        as_version_2(path)
    data, frame = path.read_bytes(), read_cell(path)

    def read(content: bytes) -> object:
        path.write_bytes(content)
        if finished(tmp_path, cell()) is None:
            raise Damaged("warned of")
        return {name: frame_column.tolist() for name, frame_column in read_cell(path).items()}

    found = verdicts(damaged(data, n), read, {name: column.tolist() for name, column in frame.items()})
    assert found["refused"] > n / 2
    if version == 3:
        assert set(found) <= {"refused", "equal"}


@pytest.mark.parametrize("n", [10, pytest.param(1000, marks=pytest.mark.soak)])
def test_pages_and_queries_are_made_without_mutated_files(n: int, results: Path, registry: Registry) -> None:
    path = MUTATED.path(results)
    data, whole = path.read_bytes(), values(results)
    path.write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without = values(results)
        assert "srae" in "".join(everything(results, registry)[0].values())

    def read(content: bytes) -> object:
        path.write_bytes(content)
        found = values(results)
        return same(found, without) or same(found, whole)

    assert not same(whole, without)
    assert verdicts(damaged(data, n), read, True) == Counter(equal=n)


def values(results: Path) -> tuple[object, ...]:
    """The values of aggregates and of images."""
    frame = load_results(results)
    return frame["value"].to_numpy(), frame["file"].astype(str).tolist(), load_evidence(results)["value"].to_numpy()


@pytest.mark.parametrize("n", [20, pytest.param(1500, marks=pytest.mark.soak)])
def test_a_mutated_index_changes_no_value(n: int, results: Path) -> None:
    whole = values(results)
    files = {path: path.read_bytes() for path in sorted((results / ".index").rglob("*.parquet"))}
    assert len(files) == 4
    for number, path in enumerate(files):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for content in damaged(files[path], n // 4, seed=number):
                path.write_bytes(content)
                assert same(values(results), whole)


def forgeries(table: pa.Table, n: int) -> Iterator[pa.Table]:
    """Tables of the same columns with strange values, absent values, absent or repeated rows."""
    for number in range(n):
        draw = random.Random(number)
        changed = table
        for _ in range(draw.choice((1, 1, 3))):
            changed = forge(changed, draw)
        yield changed


def forge(table: pa.Table, draw: random.Random) -> pa.Table:
    if draw.random() < 0.1:
        kept = draw.choice((0, 1, 2, len(table)))
        return pa.concat_tables([table.slice(0, kept), table.slice(0, draw.choice((0, 2)))])
    field = table.schema.field(draw.randrange(len(table.schema)))
    value = None if draw.random() < 0.2 else strange(field.type, draw)
    new = pa.array([value] * len(table), field.type)
    where = pa.array([draw.random() < 0.5 for _ in range(len(table))]) if draw.random() < 0.5 else True
    column = pc.if_else(where, new, table[field.name])
    return table.set_column(table.schema.get_field_index(field.name), field, column)


def strange(kind: pa.DataType, draw: random.Random) -> Any:
    """An extreme value of a type."""
    if pa.types.is_floating(kind):
        return draw.choice((np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0))
    if pa.types.is_boolean(kind):
        return draw.random() < 0.5
    if pa.types.is_timestamp(kind):
        return draw.choice(FAR)
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - (1 if pa.types.is_signed_integer(kind) else 0)) - 1
        return draw.choice((0, 1, most, most // 2))
    known = ("all", "ok", "image", "floor", "srae", "fauna", "fauna/multi", "{}", "[]", '{"beta": "x"}', "x" * 5000, "")
    text = draw.choice(draw.choice((known, STRANGE, MARKS, NUMBERS)))
    return text.encode(errors="ignore").decode()


@pytest.mark.parametrize("n", [4, pytest.param(400, marks=pytest.mark.soak)])
def test_strange_values_under_a_valid_digest_make_pages_or_are_refused(
    n: int, results: Path, registry: Registry
) -> None:
    path = MUTATED.path(results)
    table = unsealed(path)

    def read(forged: pa.Table) -> object:
        every = np.array([unit == "all" for unit in forged["unit"].to_pylist()], bool)
        write_sealed(path, [forged.filter(pa.array(every)), forged.filter(pa.array(~every))])
        made = everything(results, registry)[0]
        assert all(c.isprintable() or c in "\n\u00a0" for text in made.values() for c in text)
        return True

    assert verdicts(forgeries(table, n), read, True)["other"] == 0
