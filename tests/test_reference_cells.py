"""scripts/reference_cells.py, what it made of results/, and that the wheel holds it."""

from __future__ import annotations

import types
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest
from hatchling.builders.wheel import WheelBuilder

from partbench.results.cell_file import read_table
from partbench.results.reference.cells import FILES, FINGERPRINT, FOLDER, KEPT, TASKS_FILE, Reference
from partbench.results.schema import Cell
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import reference_cells

    return reference_cells


def test_the_files_hold_what_the_script_makes_of_the_results(script: types.ModuleType) -> None:
    """All aggregates, and the evidence of two cells of each dataset."""
    results, reference = load_results(REPOSITORY / "results"), Reference.load()
    rows = script.chosen(results)
    key = ["cell", "metric"]
    expected, found = (table.sort_values(key).reset_index(drop=True) for table in (rows, reference.rows))
    known = found[list(KEPT)]
    older = {"performer_digest": ""}  # missing in cells of earlier versions
    known, expected = (table.astype(dict.fromkeys(older, object)).fillna(older) for table in (known, expected))
    pd.testing.assert_frame_equal(known, expected, check_dtype=False, check_categorical=False)
    assert "".join(f"{task}\n" for task in reference.published_tasks) == script.published_tasks(results)
    assert set(reference.rows["task"]) < set(reference.published_tasks)
    assert all(script.fits(rows, task, of.iloc[0]) for task, of in found.groupby("task")[FINGERPRINT])

    files = results.drop_duplicates("cell").set_index("cell")["file"]
    for _, of_dataset in found.groupby("dataset"):
        for cell in of_dataset["cell"].drop_duplicates().iloc[[0, -1]]:
            table = read_table(REPOSITORY / "results" / files[cell], aggregates_only=False)
            table = table.filter(pc.equal(table["unit_kind"], "image")).select([*key, "unit", "value"]).to_pandas()
            table = table[table["metric"].isin(found[found["cell"] == cell]["metric"])].astype({"value": "float32"})
            mine, theirs = (
                of.astype(dict.fromkeys([*key, "unit"], str)).sort_values([*key, "unit"]).reset_index(drop=True)
                for of in (reference.evidence({cell}), table)
            )
            pd.testing.assert_frame_equal(mine, theirs)


def test_the_wheel_holds_the_files_and_they_are_small(script: types.ModuleType) -> None:
    included = {file.relative_path for file in WheelBuilder(str(REPOSITORY)).recurse_included_files()}
    folder = FOLDER.relative_to(REPOSITORY / "benchmark")
    assert {f"benchmark/{folder / name}" for name in (*FILES, TASKS_FILE)} <= included
    assert sum((FOLDER / name).stat().st_size for name in FILES) <= script.MOST


def test_a_fingerprint_of_other_data_fits_no_cell(script: types.ModuleType) -> None:
    cell = Cell("srae", "partbench", "1", {"beta": 3}, "d/cat", "1", "d", "cat", "net", "f00d", 0, "", "cpu")
    rows = pd.DataFrame([{**cell.columns, "metric": "accuracy"}])
    assert [script.fits(rows, "d/cat", mark) for mark in ("f00d", "beef", None)] == [True, False, False]
