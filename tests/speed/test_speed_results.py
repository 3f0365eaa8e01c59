"""Reading results and making pages: many cells from a fresh index, and a page of a million rows.

Cells are written without a sync to the disk, which is not what is measured.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from copied_cells import write_copies
from pytest_benchmark.fixture import BenchmarkFixture

from partbench.leaderboard.build import pages
from partbench.leaderboard.site.build import SiteMaterial, site_pages
from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.sources import Sources
from partbench.results.index import AGGREGATES, EVIDENCE, NAME, indexed
from partbench.results.schema import COLUMNS, TEXTS, Cell
from partbench.results.store import load_results, write_cell

CELLS, METRICS, FIRST = 1000, 30, "d0"
REPOSITORY = Path(__file__).resolve().parents[2]
# All that `bench leaderboard --site` makes; processor time with imports, and the peak of memory in GB.
EVERYTHING = """
import resource, sys
from pathlib import Path
from partbench.leaderboard.everything import SiteWanted, write_everything
from partbench.leaderboard.site.facts import Facts
write_everything(Path(sys.argv[1]), SiteWanted(Facts))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)
"""


def cells_of(dataset: str) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """A thousand cells of 10 explainers on 20 tasks, 5 seeds each; 30 metrics, one with 20 values of images."""
    random = np.random.default_rng(0)
    names = [f"metric_{i}" for i in range(METRICS)] + ["metric_0"] * 20
    units = ["all"] * METRICS + [f"image-{i}" for i in range(20)]
    usual = {"run_id": "r", "created_at": pd.Timestamp("2026-01-01", tz="UTC"), "partbench_version": "1", "variant": ""}
    usual |= {"metric": names, "unit": units, "metric_version": "1", "status": "ok", "higher_is_better": True}
    usual |= {"unit_kind": ["all"] * METRICS + ["image"] * 20, "images": 50}
    for number in range(CELLS):
        explainer, task, seed = number // 100, number // 5 % 20, number % 5
        name = f"{dataset}/multi:c{task:02}"
        cell = Cell(f"explainer_{explainer}", "p", "1", {"k": 3}, name, "1", dataset, f"c{task:02}", "vgg", "f", seed)
        value = random.normal(size=len(names))
        yield cell, pd.DataFrame(usual | {"value": value, "low": value - 0.1, "high": value + 0.1})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand cells, indexed; nine thousand of them are copies of the first thousand, index and all."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr("partbench.results.store.COMPACT", {"compression": "zstd", "use_dictionary": TEXTS})
        started = time.perf_counter()
        for cell, rows in cells_of(FIRST):
            write_cell(folder, rows, cell)
        written = time.perf_counter()
        time.sleep(0.1)  # cells are settled
        indexed(folder, AGGREGATES)
    done = time.perf_counter()
    print(f"\n1,000 cells written in {written - started:.0f} s, indexed in {done - written:.0f} s", end="")
    for i in range(1, 10):
        shutil.copytree(folder / FIRST, folder / f"d{i}")
        shutil.copytree(folder / NAME / AGGREGATES.name / FIRST, folder / NAME / AGGREGATES.name / f"d{i}")
    return folder


def naive(results: Path, dataset: str) -> pd.DataFrame:
    """Aggregates as pandas reads them, file by file."""
    files = sorted((results / dataset).rglob("*.parquet"))
    frames = [pq.ParquetFile(file).read_row_group(0).to_pandas() for file in files]
    return pd.concat(frames, ignore_index=True)


def processor_seconds(results: Path, datasets: list[str] | None = None) -> float:
    """What loading costs whatever else the machine does."""
    started = time.process_time()
    load_results(results, datasets=datasets)
    return time.process_time() - started


def test_aggregates_of_a_thousand_cells_are_read_in_three_tenths_of_a_second(
    benchmark: BenchmarkFixture, results: Path
) -> None:
    started = time.perf_counter()
    expected = naive(results, FIRST)
    file_by_file = time.perf_counter() - started
    found = benchmark.pedantic(load_results, (results,), {"datasets": [FIRST]}, rounds=7, warmup_rounds=1)
    assert sorted(found["value"]) == sorted(expected["value"])
    taken = benchmark.stats.stats.min
    print(f"\n1,000 cells: {taken:.2f} s, {file_by_file / taken:.0f} times as fast as file by file")
    print(f"processor time {processor_seconds(results, [FIRST]):.2f} s")
    assert taken <= 0.3
    assert file_by_file / taken > 5


def test_aggregates_of_ten_thousand_cells_are_read_in_a_second(benchmark: BenchmarkFixture, results: Path) -> None:
    found = benchmark.pedantic(load_results, (results,), rounds=5, warmup_rounds=1)
    taken = benchmark.stats.stats.min
    print(f"\n10,000 cells, {len(found)} rows: {taken:.2f} s")
    print(f"processor time {processor_seconds(results):.2f} s")
    assert len(found) == 10 * CELLS * METRICS
    assert taken <= 1


def test_one_changed_cell_costs_the_reading_of_its_folder(results: Path) -> None:
    load_results(results)
    cell, rows = next(cells_of(FIRST))
    write_cell(results, rows, cell, overwrite=True)
    started = time.perf_counter()
    load_results(results)
    changed = time.perf_counter() - started
    started = time.perf_counter()
    load_results(results)
    fresh = time.perf_counter() - started
    print(f"\nafter one changed cell {changed:.2f} s, fresh {fresh:.2f} s")
    assert changed < 3 * fresh + 0.1


def test_the_evidence_of_a_thousand_cells_is_read_in_half_a_second(benchmark: BenchmarkFixture, results: Path) -> None:
    found = benchmark.pedantic(indexed, (results, EVIDENCE, [FIRST]), rounds=3, warmup_rounds=1)
    assert len(found) == CELLS * 20
    print(f"\nevidence of 1,000 cells: {benchmark.stats.stats.min:.2f} s")
    assert benchmark.stats.stats.min <= 0.5


def million() -> pd.DataFrame:
    """A million aggregate rows as `load_results` gives them: 40 explainers, 100 tasks, 5 seeds, 50 metrics."""
    shape = {"explainer": 40, "task": 100, "seed": 5, "metric": 50}
    codes = dict(
        zip(shape, (c.ravel() for c in np.meshgrid(*map(np.arange, shape.values()), indexing="ij")), strict=True)
    )
    n = len(codes["seed"])
    nothing = np.zeros(n, np.int32)
    texts = {name: (nothing, [""]) for name in TEXTS}
    texts |= {
        "cell": (np.arange(n) // 50, [f"{i:016x}" for i in range(n // 50)]),
        "explainer": (codes["explainer"], [f"e{i:02}" for i in range(40)]),
        "task": (codes["task"], [f"fauna/multi:c{i:03}" for i in range(100)]),
        "category": (codes["task"], [f"c{i:03}" for i in range(100)]),
        "metric": (codes["metric"], [f"m{i:02}" for i in range(25)] + [f"m{i:02}@reading" for i in range(25)]),
        **{name: (nothing, [value]) for name, value in (("dataset", "fauna"), ("unit", "all"), ("status", "ok"))},
    }
    value = np.random.default_rng(0).normal(size=n)
    numbers = {"seed": codes["seed"].astype(np.uint64), "value": value, "low": value - 0.1, "high": value + 0.1}
    numbers |= {"higher_is_better": np.ones(n, bool), "images": np.full(n, 50, np.int32)}
    numbers["created_at"] = pd.Timestamp("2026-01-01", tz="UTC")
    columns = {name: pd.Categorical.from_codes(*found) for name, found in texts.items()}
    return pd.DataFrame(columns | numbers).reindex(columns=list(COLUMNS))


def test_a_million_rows_make_a_page_in_five_seconds_and_less_than_a_gigabyte() -> None:
    code = f"""
import sys, time, resource
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_speed_results import million
from test_speed_results import no_evidence
from partbench.leaderboard.build import pages
from partbench.leaderboard.sources import Sources
rows = million()
started = time.process_time()
pages(Sources(rows, no_evidence()), {{}})
print(time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    taken, peak = map(float, found)
    print(f"\na page of a million rows: {taken:.1f} s of processor time, peak {peak:.2f} GB")
    assert taken <= 5
    assert peak < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 < 2


def no_evidence() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in ("cell", "metric", "unit")} | {"value": []})


def with_evidence(explainers: int, tasks: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Aggregates of 16 metrics and the evidence of 300 images, of 5 seeds on boards of 10 tasks."""
    shape = {"explainer": explainers, "task": tasks, "seed": 5, "metric": 16, "image": 300}
    random = np.random.default_rng(0)
    grid = np.meshgrid(*(np.arange(n, dtype=np.int16) for n in shape.values()), indexing="ij", copy=False)
    codes = dict(zip(shape, grid, strict=True))
    cells = np.arange(explainers * tasks * 5, dtype=np.int32).reshape(explainers, tasks, 5)
    cell = np.broadcast_to(cells[..., None, None], tuple(shape.values()))
    image = (codes["task"] % 10 * 250 + codes["image"]).astype(np.int16)  # neighbouring tasks share images
    values = random.normal(size=tuple(shape.values())).astype(np.float32)
    values += np.arange(explainers, dtype=np.float32).reshape(-1, 1, 1, 1, 1) / 50
    metrics = [f"m{i:02}" for i in range(16)]

    def texts(codes: np.ndarray, names: list[str]) -> pd.Categorical:
        return pd.Categorical.from_codes(codes.ravel(), names)

    keys = [f"{i:016x}" for i in range(cells.size)]
    units = [f"image {i:05}" for i in range(int(image.max()) + 1)]
    images = {"cell": texts(cell, keys), "metric": texts(codes["metric"], metrics), "unit": texts(image, units)}
    first = {name: of[..., 0] for name, of in codes.items()}
    tasks_named = [f"d{t // 10:02}/multi:c{t:03}" for t in range(tasks)]
    nothing = np.zeros(first["metric"].size, np.int8)
    rows = {name: texts(nothing, [""]) for name in TEXTS} | {
        "cell": texts(cell[..., 0], keys), "explainer": texts(first["explainer"], [f"e{i}" for i in range(explainers)]),
        "task": texts(first["task"], tasks_named), "metric": texts(first["metric"], metrics),
        "category": texts(first["task"], tasks_named),
        "dataset": texts(first["task"] // 10, [f"d{i:02}" for i in range(-(-tasks // 10))]),
        **{name: texts(nothing, [value]) for name, value in (("unit", "all"), ("status", "ok"))},
        "seed": first["seed"].ravel().astype(np.uint64), "value": values.mean(-1, dtype=float).ravel(),
        "higher_is_better": np.ones(nothing.size, bool), "images": np.full(nothing.size, 300, np.int32),
        "created_at": pd.Timestamp("2026-01-01", tz="UTC"),
    }  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    return table, pd.DataFrame(images | {"value": values.ravel()})


@pytest.mark.parametrize(("explainers", "tasks", "seconds"), [(20, 10, 5), (40, 50, 30)])
def test_pages_and_site_of_many_cells_are_made_in_time(explainers: int, tasks: int, seconds: float) -> None:
    """1,000 and 10,000 cells."""
    rows, images = with_evidence(explainers, tasks)
    started = time.process_time()
    sources = Sources(rows, images)
    made = pages(sources, {})
    of_pages = time.process_time() - started
    site = site_pages(site_data(sources), SiteMaterial())
    taken = time.process_time() - started
    print(f"\npages and site of {explainers * tasks * 5} cells, {len(images)} values of images: {of_pages:.1f} and")
    print(f"{taken - of_pages:.1f} s of processor time, {sum(map(len, site.values())) / 1e6:.2f} MB of site")
    assert len(made) == 3 * -(-tasks // 10)
    assert taken <= seconds


@pytest.mark.parametrize(("cells", "seconds", "gigabytes"), [(1000, 8, 0.5), (10_000, 40, 1.8)])
def test_everything_is_made_of_copies_of_the_committed_cells_in_time(
    tmp_path: Path, cells: int, seconds: float, gigabytes: float
) -> None:
    """Each has 9,000 values of images. The first run makes the index."""
    write_copies(REPOSITORY / "results", tmp_path / "results", cells)
    shutil.copytree(REPOSITORY / "planted", tmp_path / "planted")
    command = [sys.executable, "-c", EVERYTHING, str(tmp_path / "results")]
    fresh, again = (
        tuple(map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))
        for _ in range(2)
    )
    print(f"\neverything of {cells} cells: {again[0]:.1f} s of processor time, peak {again[1]:.2f} GB; with a fresh")
    print(f"index {fresh[0]:.1f} s and {fresh[1]:.2f} GB")
    assert again[0] <= seconds
    assert max(fresh[1], again[1]) <= gigabytes
