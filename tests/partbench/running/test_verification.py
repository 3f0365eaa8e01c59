"""Cells run again, beside what was reported of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import partbench
from partbench.opening import Workbench
from partbench.registry import load
from partbench.results.agreement import ComparedValue, agreements
from partbench.results.cell_file import read_table
from partbench.results.folders import cell_paths
from partbench.results.sealed import Damaged
from partbench.running import verification
from partbench.running.cell_job import CellOutcome, Limits, Setting
from partbench.running.crew import Answer, Crew, Step
from partbench.running.recorded import recorded_job
from partbench.running.verification import Verification, reported_in, verified
from partbench.running.worker_cell import Told, run_job

PLUGIN = Path(__file__).with_name("drawn_plugin.py").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CellOutcome]:
    """A folder with the plugin and a result of it, and what came of the same cell with weights of its own."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "drawn.py").write_text(PLUGIN)
    partbench.run(folder / "drawn.py", "fauna/multi:bird", 1, {"steps": 4}, results=folder / "results")
    (path,) = cell_paths(folder / "results")
    again = Setting(
        str(folder / "again"),
        (str(folder / "drawn.py"),),
        device="cpu",
        overwrite=True,
        weights=str(folder / "weights"),
    )
    job = recorded_job(table_of(path).iloc[0], again)
    told = Told(lambda *_, **__: None, lambda *_: None, folder / "log")
    return folder, run_job(job, Workbench(load([folder / "drawn.py"])), told)[0]


def table_of(path: Path) -> pd.DataFrame:
    found: pd.DataFrame = read_table(path, aggregates_only=False).to_pandas()
    return found


def test_a_cell_is_trained_anew_and_is_equal_to_the_bit(made: tuple[Path, CellOutcome]) -> None:
    folder, outcome = made
    assert (folder / "drawn.py.trained").read_text() == "xx"
    assert len(list((folder / "weights" / "drawn").glob("*.safetensors"))) == 1
    (path,) = cell_paths(folder / "results")
    lines = agreements(table_of(path), table_of(Path(str(outcome.path))))
    assert lines
    assert all(line.equal for line in lines)


def checked(made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch, **forged: Any) -> Any:
    """What is told of the cell if these columns of it are forged, and a worker answers with the honest one."""
    folder, outcome = made
    (path,) = cell_paths(folder / "results")
    place = path.relative_to(folder / "results").as_posix()
    rows = table_of(path)
    for name, value in forged.items():
        rows[name] = value if isinstance(value, pd.Series) else pd.Series([value] * len(rows), dtype=object)
    monkeypatch.setattr(verification, "read_finished", lambda *_: rows)
    monkeypatch.setattr(verification, "_outcome", lambda answer: outcome)
    monkeypatch.setattr(verification.Crew, "run", lambda self, steps: map(_answer, steps))
    return once(folder, place)


def once(folder: Path, place: str) -> Verification:
    cells = reported_in(folder / "results", [place])
    with Crew(1, Limits()) as crew:
        (found,) = verified(cells, Setting(str(folder / "again")), crew)
    return found


def _answer(step: Step) -> Answer:
    return Answer(step, Path("log"))


def test_an_honest_cell_agrees(made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(made, monkeypatch)
    assert (found.state, found.fault, found.machine, found.weights) == ("agrees", "", "same", "same")
    assert (found.trained, found.performer) == (True, "small_vgg")
    assert found.label == "drawn (steps=4) on fauna/multi:bird, seed 1"


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        ({"cell": "0" * 16}, "what differs: the data or the network"),
        ({"cell": "0" * 16, "plugin_digest": "f00"}, "what differs: the code of the explainer"),
        ({"cell": "0" * 16, "options": '{"steps": 9}', "variant": "steps=9"}, "what differs: the options"),
    ],
)
def test_another_cell_than_that_reported_is_told_with_what_differs(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch, forged: dict[str, str], says: str
) -> None:
    found = checked(made, monkeypatch, **forged)
    assert (found.state, found.refuted) == ("not verified", True)
    assert says in found.fault


@pytest.mark.parametrize("forged", [{"variant": ""}, {"control": "floor"}, {"explainer": "srae"}])
def test_what_ranks_depend_on_cannot_be_forged(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch, forged: dict[str, str]
) -> None:
    found = checked(made, monkeypatch, **forged)
    assert [line.what for line in found.lines if not line.within] == list(forged)
    assert (found.state, found.refuted) == ("does not agree", True)


@pytest.mark.parametrize(
    ("said", "machine"),
    [
        ({"host": "elsewhere"}, "same"),
        ({"processor": "GenuineIntel family 6 model 1, AVX2"}, "another"),
        ({"threads": 7}, "another"),
        ({"torch_version": "1.0"}, "another"),
        ({"processor": ""}, "unknown"),
        ({"processor": None}, "unknown"),
    ],
)
def test_the_machine_is_the_same_by_its_processor_and_not_by_its_host(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], machine: str
) -> None:
    assert checked(made, monkeypatch, **said).machine == machine


@pytest.mark.parametrize(("said", "weights"), [("f00d", "another"), ("", "unknown"), (None, "unknown")])
def test_weights_of_the_performer_are_others_if_both_digests_are_known(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch, said: str | None, weights: str
) -> None:
    assert checked(made, monkeypatch, performer_digest=said).weights == weights


def test_one_metric_that_was_added_on_another_machine_makes_it_another(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table_of(cell_paths(made[0] / "results")[0]).astype({"metric": object, "processor": object})
    added = rows["processor"].where(rows["metric"] != rows["metric"].iloc[0], "other")
    assert checked(made, monkeypatch, processor=added).machine == "another"


def off(**about: Any) -> Verification:
    """A trained cell of which one value of four does not agree."""
    lines = [ComparedValue("m", 1.0, 1.0, 0.0, 0.1, within=n > 0, of="aggregate") for n in range(4)]
    return replace(Verification("place", "label", lines, machine="another", trained=True), **about)


@pytest.mark.parametrize(
    ("about", "state"),
    [
        ({}, "trained anew"),
        ({"machine": "unknown"}, "trained anew"),
        ({"machine": "same"}, "does not agree"),
        ({"trained": False}, "does not agree"),
        ({"weights": "another"}, "other weights"),
        ({"weights": "another", "machine": "same"}, "other weights"),
        ({"lines": [ComparedValue("control", "floor", "", within=False)], "weights": "another"}, "does not agree"),
        ({"fault": "none", "weights": "another"}, "not verified"),
    ],
)
def test_what_came_of_a_cell_of_which_some_values_do_not_agree(about: dict[str, Any], state: str) -> None:
    assert off(**about).state == state


def test_a_cell_that_is_farther_off_than_another_seed_does_not_agree_on_any_machine() -> None:
    lines = [ComparedValue("m", 1.0, 1.0, within=n > 1, of="aggregate") for n in range(4)]
    assert off(lines=lines).state == "does not agree"


def test_a_cell_that_is_refused_or_cannot_be_done_is_told(
    made: tuple[Path, CellOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outcome = made
    assert "ValueError: no" in checked((folder, replace(outcome, status="failed", reason="ValueError: no")),
                                       monkeypatch).fault  # fmt: skip

    def refused(*_: Any) -> None:
        raise Damaged("it is cut")

    monkeypatch.setattr(verification, "read_finished", refused)
    found = once(folder, "x/y/z-1.parquet")
    assert (found.state, found.fault) == ("not verified", "it is cut")
