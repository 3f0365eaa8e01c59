"""Which differences between reported and found values are allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_cells import cell, rows

from partbench.results.agreement import SEED_SHARE, ComparedValue, agreements, as_another_seed, share_within
from partbench.results.cell_file import read_table
from partbench.results.store import write_cell

VALUES = [0.2, 0.4, 0.6, 0.8]


@pytest.fixture
def frame(tmp_path: Path) -> Any:
    """A cell with these values of images; `columns` are those of all rows."""

    def made(values: list[float] = VALUES, metric: str = "locality", **columns: Any) -> pd.DataFrame:
        usual = {"deterministic": True, "low_bound": 0.0, "high_bound": 1.0}
        found = [row | usual | columns for row in rows(values, metric)]
        found = [row | ({} if row["unit"] == "all" else {"unit_kind": "image"}) for row in found]
        path = write_cell(tmp_path, found, cell(), overwrite=True)
        return read_table(path, aggregates_only=False).to_pandas()

    return made


def outside(reported: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    return [line.what for line in agreements(reported, found) if not line.within]


def edited(table: pd.DataFrame, unit: str, column: str, value: float) -> pd.DataFrame:
    table = table.copy()
    table.loc[table["unit"] == unit, column] = value
    return table


def test_equal_cells_agree_to_the_bit(frame: Any) -> None:
    lines = agreements(frame(), frame())
    assert lines
    assert all(line.equal and line.within and line.difference == 0 for line in lines)


def test_a_value_may_differ_by_a_tenth_of_its_interval_and_a_thousandth_of_itself(frame: Any) -> None:
    found = frame()  # mean .5, interval .2 to .8
    allowed = 1e-3 * 0.5 + 0.1 * 0.6
    for off, wrong in ((0.99 * allowed, []), (1.01 * allowed, ["locality"])):
        assert outside(edited(frame(), "all", "value", 0.5 + off), found) == wrong
    trained = 1e-2 * 0.5 + 0.5 * 0.6
    for off, wrong in ((0.99 * trained, []), (1.01 * trained, ["locality"])):
        assert outside(edited(frame(), "all", "value", 0.5 - off), frame(deterministic=False))[1:] == wrong


def test_a_wide_interval_that_is_reported_allows_nothing(frame: Any) -> None:
    wide = edited(edited(edited(frame(), "all", "value", 0.9), "all", "low", -9.0), "all", "high", 9.0)
    assert outside(wide, frame()) == ["locality", "locality, low", "locality, high"]


def test_evidence_of_images_that_was_changed_is_found_although_the_mean_stays(frame: Any) -> None:
    assert outside(frame(VALUES[::-1]), frame()) == ["locality, images"]


def test_one_image_in_two_hundred_may_be_answered_otherwise(frame: Any) -> None:
    found = [0.0] * 100 + [1.0] * 100
    one, many = [1.0, *found[1:]], [1.0] * 12 + found[12:]
    assert outside(frame(one), frame(found)) == []
    assert "locality, images" in outside(frame(many), frame(found))


@pytest.mark.parametrize(
    ("column", "value"),
    [("control", "floor"), ("compared_with", "nn"), ("network", "other"), ("plugin_digest", "f00"), ("seed", 7)],
)
def test_what_pages_make_of_a_cell_must_be_the_same(frame: Any, column: str, value: Any) -> None:
    forged = frame()
    forged[column] = pd.Series([value] * len(forged), dtype=object)
    assert column in outside(forged, frame())


@pytest.mark.parametrize(
    ("column", "value"), [("status", "skipped"), ("metric_version", "2"), ("higher_is_better", True)]
)
def test_what_is_said_of_a_metric_must_be_the_same(frame: Any, column: str, value: Any) -> None:
    forged = frame()
    forged[column] = pd.Series([value] * len(forged), dtype=object)
    assert f"locality, {column}" in outside(forged, frame())


def test_missing_values_agree_with_missing_values_alone(frame: Any) -> None:
    gap, other = [0.2, 0.4, np.nan, 0.8], [0.2, np.nan, 0.6, 0.8]
    assert "locality, images" not in outside(frame(gap), frame(gap))
    assert "locality, images" in outside(frame(other), frame(gap))


def test_images_that_are_others_or_twice_there_do_not_agree(frame: Any) -> None:
    found = frame()
    assert "locality, images" in outside(frame(VALUES[:3]), found)
    twice = found.astype({"unit": object})
    twice.loc[twice["unit"] == "image-1", "unit"] = "image-0"
    assert "locality, images" in outside(twice, found)


def test_a_metric_that_is_not_here_does_not_agree_and_one_more_here_does(frame: Any) -> None:
    more = pd.concat([frame(), frame(metric="accuracy")]).reset_index(drop=True)
    assert outside(more, frame()) == ["accuracy"]
    assert outside(frame(), more) == []


def test_times_are_not_compared(frame: Any) -> None:
    times = {"metric": "training_seconds", "higher_is_better": None, "deterministic": True}
    assert outside(frame([5.0], **times), frame([9.0], **times)) == []


def test_columns_of_later_versions_are_not_compared_with_nothing(frame: Any) -> None:
    old = frame()
    old[["network", "deterministic"]] = None
    assert outside(old, frame()) == []


def lines_of(within: int, outside: int, beside: str = "") -> list[ComparedValue]:
    """Values of metrics of which some agree, one that both sides lack, and one of another kind that does not agree."""
    counts, gap = {True: within, False: outside}, float("nan")
    lines = [ComparedValue("m", 1.0, 1.0, within=good, of="aggregate") for good, n in counts.items() for _ in range(n)]
    lines.append(ComparedValue("m, low", gap, gap, of="aggregate"))
    return [*lines, *([ComparedValue("x", 1, 2, within=False, of=beside)] if beside else [])]  # type: ignore[arg-type]


def test_a_share_is_of_aggregates_that_one_side_has_at_least() -> None:
    assert share_within(lines_of(3, 1, beside="units")) == 0.75
    assert np.isnan(share_within(lines_of(0, 0)))


def test_a_cell_is_as_far_off_as_another_seed_if_enough_agrees_and_rows_say_the_same_of_themselves() -> None:
    enough = round(100 * SEED_SHARE)
    assert as_another_seed(lines_of(enough, 100 - enough, beside="units"))
    assert not as_another_seed(lines_of(enough - 1, 101 - enough))
    assert not as_another_seed(lines_of(100, 0, beside="row"))
    assert not as_another_seed([])


@pytest.mark.parametrize(("deterministic", "compared"), [(False, False), (True, True)])
def test_filters_of_a_network_that_was_trained_on_another_machine_are_not_compared(
    frame: Any, deterministic: bool, compared: bool
) -> None:
    reported, found = (frame(values, deterministic=deterministic) for values in (VALUES[::-1], VALUES))
    for table in (reported, found):
        table["unit_kind"] = table["unit_kind"].astype(object).replace("image", "concept")
    assert "locality, concepts" in [line.what for line in agreements(reported, found)]
    assert ("locality, concepts" in [line.what for line in agreements(reported, found, anew=True)]) == compared


def test_only_the_value_of_a_metric_is_a_main_line() -> None:
    lines = [ComparedValue("a", 1.0, 1.0), ComparedValue("a, low", 1.0, 1.0), ComparedValue("b", float("nan"), 1.0)]
    assert [line.main for line in lines] == [True, False, False]
