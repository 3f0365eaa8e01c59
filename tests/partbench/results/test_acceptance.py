"""Cells of others among the results: which are refused, and what an interrupt leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.errors import InputError
from partbench.results import acceptance
from partbench.results.acceptance import accept, withdraw
from partbench.results.folders import cell_paths
from partbench.results.store import load_results, write_cell
from partbench.results.submission_history import COLUMN, REFERENCE, SELF_REPORTED, VERIFIED, statuses, submission_events


def sent(folder: Path, seeds: range, value: float = 1.0) -> dict[str, bytes]:
    """Cells as somebody sends them."""
    paths = [write_cell(folder, rows([value, value + 1]), cell(seed=seed), overwrite=True) for seed in seeds]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("written", range(3))
@pytest.mark.parametrize("status", [SELF_REPORTED, VERIFIED])
def test_an_interrupted_acceptance_leaves_no_reference_and_the_same_command_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int, status: str
) -> None:
    results, write = tmp_path / "results", acceptance.write_whole
    results.mkdir()
    count = iter(range(100))

    def interrupted(path: Path, data: bytes) -> None:
        if next(count) == written:
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(acceptance, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        accept(results, sent(tmp_path / "sent", range(3)), status, "Ann", "b1")
    assert len(cell_paths(results)) == written
    assert REFERENCE not in set(load_results(results)[COLUMN])
    again = sent(tmp_path / "sent", range(3), 1.0 if status == SELF_REPORTED else 1.1)  # a verification is done anew
    assert len(accept(results, again, status, "Ann", "b1")) == 3 - written
    assert set(statuses(results).values()) == {status}
    with pytest.raises(InputError, match=f"already, as {status}; nothing"):
        accept(results, again, status, "Ann", "b1")


def test_a_cell_with_the_key_of_another_is_refused_and_changes_the_status_of_none(tmp_path: Path) -> None:
    results = tmp_path / "results"
    reference = write_cell(results, rows([1.0]), cell()).relative_to(results).as_posix()
    ((place, data),) = sent(tmp_path / "sent", range(1, 2)).items()
    stolen = f"{Path(place).parent}/other-{cell().key}.parquet"
    for files in ({stolen: data}, {place: data, f"fauna/x/{Path(place).name}": data}):
        with pytest.raises(InputError, match="has the key of another cell"):
            accept(results, files, SELF_REPORTED, "Ann", "b1")
    assert set(load_results(results)[COLUMN]) == {REFERENCE}
    with pytest.raises(InputError, match="already, as a reference"):
        accept(results, {reference: data}, SELF_REPORTED, "Ann", "b1")
    assert not submission_events(results)


def test_a_cell_that_is_not_there_cannot_be_withdrawn(tmp_path: Path) -> None:
    tmp_path.joinpath("fauna").mkdir()
    with pytest.raises(InputError, match=r"no cell fauna/x-1.parquet in .*; name the folder"):
        withdraw(tmp_path, "fauna/x-1.parquet", "Ann", "why")
