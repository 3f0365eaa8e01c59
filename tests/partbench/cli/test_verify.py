"""Which cells `bench verify` runs again."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from planted_cells import NOON, cell, rows

from partbench.cli.main import main
from partbench.results.acceptance import withdraw
from partbench.results.agreement import ComparedValue
from partbench.results.schema import Cell
from partbench.results.store import write_cell
from partbench.running import verification
from partbench.running.verification import Verification


def bench(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, words)])


def add(results: Path, made: Cell, hours: int = 0) -> str:
    at = NOON + datetime.timedelta(hours=hours)
    return write_cell(results, [r | {"created_at": at} for r in rows([1.0])], made).relative_to(results).as_posix()


def test_cells_whose_data_are_not_here_are_no_disagreement(tmp_path: Path) -> None:
    made = cell(explainer="nn", task="animal_part/multi:cat", dataset="animal_part", options={})
    add(tmp_path / "results", made)
    found = bench(tmp_path / "results", "--jobs", 1)
    assert found.exit_code == 2
    assert "left out: 1 cells in animal_part: " in found.output
    assert "needs --data-root" in found.output.splitlines()[-1]


def test_of_a_folder_the_last_line_says_how_much_of_it_can_be_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [add(tmp_path, cell(seed=seed)) for seed in range(4)]
    withdraw(tmp_path, places[3], "Ann", "wrong")
    monkeypatch.setattr(verification, "not_here", lambda *_: {places[0]: "its code is another"})
    monkeypatch.setattr(verification, "verified", lambda cells, *_: [Verification(place, place) for place in cells])
    found = bench(tmp_path, "--sample", 1)
    assert found.exit_code == 0
    left, other, *_, last = found.output.splitlines()
    assert left == "bench: left out: 1 cells, withdrawn"
    assert other == "bench: left out: 1 cells in fauna: its code is another"
    assert last == f"2 of the 4 cells in {tmp_path} can be verified here; 1 were run"
    assert "all of these were run" in bench(tmp_path).output


def off(count: int, **about: Any) -> Verification:
    """A trained cell that was run again on another machine, of which some of ten values do not agree."""
    lines = [ComparedValue("m", 1.0, 1.5, 0.5, 0.1, n >= count, n >= count, "aggregate") for n in range(10)]
    usual = Verification("place", "srae on d/t, seed 0", lines, machine="another", trained=True, performer="net")
    return dataclasses.replace(usual, **about)


@pytest.mark.parametrize(
    ("one", "says", "counted", "code"),
    [
        (off(0), "all 10 values are equal to the bit", "1 of 1 cells agree with what was reported", 0),
        (off(2), "trained anew, as far off as another seed: 80.0% of the values of metrics and ends of intervals agree,"
         " on another type of machine", "trained anew, as far off as another seed: 1", 0),
        (off(2, machine="unknown"), "trained anew, as far off as another seed: 80.0% of the values of metrics and ends"
         " of intervals agree, on an unknown machine (the cell does not say processor and weights of net)",
         "trained anew, as far off as another seed: 1", 0),
        (off(6), "6 of 10 values do not agree, on another type of machine; 40.0%", "does not agree: 1", 1),
        (off(2, trained=False), "2 of 10 values do not agree, on another type of machine\n", "does not agree: 1", 1),
        (off(1, machine="same"), "1 of 10 values do not agree, though processor, device, threads and torch are",
         "does not agree: 1", 1),
        (off(9, weights="another"), "not compared, net was trained on another machine: its weights differ",
         "not compared, since the performer has other weights here: 1", 1),
        (off(0, fault="it is cut"), "not verified, it is cut", "not verified: 1", 1),
    ],
)  # fmt: skip
def test_the_sentence_the_count_and_the_exit_code_tell_the_states_apart(
    one: Verification, says: str, counted: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = add(tmp_path, cell())
    monkeypatch.setattr(verification, "verified", lambda *_: [one])
    found = bench(place.rpartition("-")[2].removesuffix(".parquet"), "--results", tmp_path)
    assert f"srae on d/t, seed 0: {says}" in found.stdout
    assert counted in found.stdout.splitlines()[-1]
    assert found.exit_code == code


def test_a_cell_that_is_not_compared_fails_a_verification_only_if_no_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, cell())
    monkeypatch.setattr(verification, "not_here", lambda *_: {})
    monkeypatch.setattr(verification, "verified", lambda *_: [off(9, weights="another"), off(0)])
    found = bench(tmp_path)
    assert "1 of 2 cells agree with what was reported; not compared, since" in found.stdout
    assert found.exit_code == 0
    assert bench(tmp_path, "--exact").exit_code == 1


def test_json_tells_the_state_the_share_and_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = add(tmp_path, cell())
    monkeypatch.setattr(verification, "verified", lambda *_: [off(2)])
    found = bench(place.rpartition("-")[2].removesuffix(".parquet"), "--results", tmp_path, "--json")
    [one] = json.loads(found.stdout)
    expected = {"state": "trained anew", "share": 0.8, "machine": "another", "weights": "unknown", "within": False}
    assert {name: one[name] for name in expected} == expected


def test_a_cell_that_is_named_wrong_ends_in_one_line(tmp_path: Path) -> None:
    place = add(tmp_path / "results", cell())
    found = bench("0000", "--results", tmp_path / "results")
    assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
    moved = (tmp_path / "results" / place).rename(tmp_path / "moved-1.parquet")
    found = bench(moved, "--results", tmp_path / "results")
    assert found.exit_code == 2
    assert f"does not lie where its rows say, at {place}" in found.output


def test_a_bundle_that_is_not_there_is_no_cell(tmp_path: Path) -> None:
    found = bench(tmp_path / "mine.zip")
    assert found.exit_code == 2
    assert f"no bundle '{tmp_path}/mine.zip'; `bench submit" in found.output


def test_what_is_no_cell_is_answered_with_what_is_near(tmp_path: Path) -> None:
    results = tmp_path / "results"
    add(results, cell())
    key = cell().key
    for text, hint in (
        ("srea", f"expected the key of a cell; those of srae are {key}"),
        ("*.parq*", "it is a pattern; expected the key or the file of one cell"),
        (f"{key[:-1]}zz", f"did you mean {key}?"),
    ):
        found = bench(text, "--results", results)
        assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
        assert hint in found.output
    found = bench(tmp_path / "result", "--results", tmp_path / "none")
    assert f"no file or folder '{tmp_path}/result'; did you mean '{results}'?" in found.output
