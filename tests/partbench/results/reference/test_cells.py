"""The reference cells as they are written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_cells import cell, rows

from partbench.results.reference.cells import FILES, FINGERPRINT, KEPT, Reference, write_reference
from partbench.results.store import load_evidence, load_results, write_cell

VERDICTS = pd.DataFrame([("locality", "fauna", "ranks")], columns=["metric", "dataset", "verdict"])


@pytest.fixture
def written(tmp_path: Path) -> tuple[pd.DataFrame, Path]:
    """The evidence of two cells, one of which lacks an image and a value; the folder of reference cells."""
    for seed, values in ((0, [0.1, 0.2, 0.3]), (1, [0.5, np.nan])):
        made = [row | ({"unit_kind": "image"} if row["unit"] != "all" else {}) for row in rows(values)]
        write_cell(tmp_path / "results", made, cell(seed=seed))
    images, aggregates = load_evidence(tmp_path / "results"), load_results(tmp_path / "results")
    write_reference(tmp_path, aggregates[list(KEPT)].assign(**{FINGERPRINT: "f00d"}), images, VERDICTS)
    return images, tmp_path


def test_evidence_is_read_as_it_was_written(written: tuple[pd.DataFrame, Path]) -> None:
    images, folder = written
    reference = Reference.load(folder)
    columns = ["cell", "metric", "unit"]
    mine, theirs = (
        of[[*columns, "value"]].astype(dict.fromkeys(columns, str)).sort_values(columns).reset_index(drop=True)
        for of in (reference.evidence(set(reference.rows["cell"])), images)
    )
    assert len(mine) == 5
    pd.testing.assert_frame_equal(mine, theirs)


def test_equal_results_are_equal_bytes(written: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    images, folder = written
    (tmp_path / "again").mkdir()
    shuffled = Reference.load(folder).rows.iloc[::-1]
    write_reference(tmp_path / "again", shuffled, images, VERDICTS)
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in FILES)
