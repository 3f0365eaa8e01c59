"""A metric added to finished cells, of an explainer that trains."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load as load_tensors

import partbench
from partbench.cli.main import main
from partbench.opening import Workbench
from partbench.registry import load
from partbench.results.cell_file import read_table
from partbench.results.folders import cell_paths
from partbench.results.provenance import now, sha256
from partbench.results.store import load_results, read_cell
from partbench.results.submission_history import VERIFIED, SubmissionEvent, record, statuses, submission_events
from partbench.running.cell_job import CellOutcome, Setting
from partbench.running.recorded import recorded_job
from partbench.running.worker_score import MetricRequest, score_job

PLUGIN = Path(__file__).with_name("drawn_plugin.py").read_text().replace('= "drawn"', '= "drawn_to_score"')
METRIC = """
from dataclasses import dataclass

import partbench
from partbench import ImageMetric, NotApplicable


@dataclass
class Spread(ImageMetric):
    name = "spread"
    needs = ("scores",)
    higher_is_better = True
    version = "VERSION"
    bounds = (0.0, 10.0)

    def readings(self, batch, explanation, outputs):
        HOW
        found = explanation.scores.amax(1).cpu().numpy()
        return {"": found, "@double": 2 * found}


@partbench.hookimpl
def register_metrics(register):
    register(Spread)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin and a result of it, with an option of its own."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "drawn.py").write_text(PLUGIN)
    partbench.run(folder / "drawn.py", "fauna/multi:bird", 3, {"steps": 5}, results=folder / "results")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of the results, the same plugin, and the metric beside it."""
    shutil.copytree(made / "results", tmp_path / "results")
    (tmp_path / "drawn.py").write_bytes((made / "drawn.py").read_bytes())
    write_metric(tmp_path)
    return tmp_path


def write_metric(place: Path, version: str = "1", how: str = "pass") -> None:
    place.joinpath("spread.py").write_text(METRIC.replace("VERSION", version).replace("HOW", how))


def cell_of(place: Path) -> Path:
    (path,) = cell_paths(place / "results")
    return path


def scored(place: Path, refit: bool = False) -> CellOutcome:
    """Add the metric in this process."""
    files = (str(place / "drawn.py"), str(place / "spread.py"))
    row = read_cell(cell_of(place)).iloc[0]
    job = recorded_job(row, Setting(str(place / "results"), files, device="cpu"))
    wanted = MetricRequest("spread", str(cell_of(place)), row["cell"], refit)
    return score_job(job, wanted, Workbench(load(files)))[0]


def rows_of(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the metric, and all others."""
    table = read_table(path, aggregates_only=False).to_pandas()
    own = table["metric"].astype(str).str.startswith("spread")
    return table[own].astype(object), table[~own].astype(object)


def weights(cache: Path) -> list[Path]:
    return list((cache / "drawn_to_score").glob("*.safetensors"))


def test_rows_are_added_from_cached_weights_and_all_others_stay(place: Path, made: Path) -> None:
    trained = (made / "drawn.py.trained").stat().st_size
    _, before = rows_of(cell_of(place))
    assert scored(place).status == "done"
    assert not (place / "drawn.py.trained").exists()
    assert (made / "drawn.py.trained").stat().st_size == trained
    own, others = rows_of(cell_of(place))
    pd.testing.assert_frame_equal(others.reset_index(drop=True), before.reset_index(drop=True))
    assert set(own["metric"]) == {"spread", "spread@double"}
    assert (own["unit"] != "all").sum() == 2 * own.loc[own["unit"] == "all", "images"].iloc[0]
    for column in ("cell", "variant", "options", "seed", "created_at", "fit_seconds", "deterministic"):
        assert set(own[column]) == set(before[column]), column
    assert set(own["run_id"]) != set(before["run_id"])
    values = load_results(place / "results").set_index("metric")["value"]
    assert values["spread@double"] == pytest.approx(2 * values["spread"])


def test_a_cell_that_has_the_metric_is_left_alone_and_an_earlier_version_is_replaced(place: Path) -> None:
    scored(place)
    data = cell_of(place).read_bytes()
    assert scored(place).status == "finished before"
    assert cell_of(place).read_bytes() == data
    write_metric(place, version="2")
    assert scored(place).status == "done"
    own, _ = rows_of(cell_of(place))
    assert set(own["metric_version"]) == {"2"}


@pytest.mark.parametrize(
    ("how", "says"),
    [("raise ValueError('no')", "ValueError: no"), ("import sys; sys.exit(3)", "SystemExit: 3")],
)
def test_a_metric_that_fails_adds_nothing(place: Path, how: str, says: str) -> None:
    data = cell_of(place).read_bytes()
    write_metric(place, how=how)
    outcome = scored(place)
    assert (outcome.status, outcome.reason) == ("failed", says)
    assert cell_of(place).read_bytes() == data


def test_a_metric_that_does_not_apply_is_added_as_skipped(place: Path) -> None:
    write_metric(place, how="raise NotApplicable('no parts')")
    assert scored(place).status == "done"
    own, _ = rows_of(cell_of(place))
    assert own[["status", "reason"]].values.tolist() == [["skipped", "no parts"]]


def test_other_code_is_named(place: Path) -> None:
    source = (place / "drawn.py").read_text()
    (place / "drawn.py").write_text(source.replace("(2, 3))", "(3, 2))"))
    outcome = scored(place)
    assert outcome.status == "failed"
    assert "code, options, data or network are not those of the cell" in outcome.reason


def bench(place: Path, *words: str) -> Result:
    files = [word for name in ("drawn.py", "spread.py") for word in ("--plugin", str(place / name))]
    command = ["score", "--metric", "spread", *files, "--results", str(place / "results"), "--jobs", "1", *words]
    return CliRunner().invoke(main, command)


def test_the_command_adds_it_where_weights_are_and_names_the_cells_that_lack_it(place: Path, cache: Path) -> None:
    path, before = cell_of(place), set(weights(cache))
    publish(place, path)
    partbench.run(place / "drawn.py", "fauna/multi:bird", 4, {"steps": 5}, results=place / "results")
    (added,) = set(weights(cache)) - before
    added.unlink()
    (other,) = set(cell_paths(place / "results")) - {path}
    data = other.read_bytes()
    found = bench(place)
    assert found.exit_code == 1, found.output
    (line,) = [line for line in found.output.splitlines() if line.startswith("lacks spread: ")]
    assert "seed 4" in line
    assert line.endswith("trained weights are not in the cache; --refit trains them")
    assert "spread: added to 1 cells, 0 had it, 1 lack it" in found.output
    assert other.read_bytes() == data
    assert not rows_of(path)[0].empty
    assert (place / "leaderboards" / "fauna.md").is_file()
    assert set(statuses(place / "results").values()) == {VERIFIED}  # its history says that a metric was added
    assert submission_events(place / "results")[-1].reason == "spread added"


def test_weights_that_are_not_there_are_trained_to_the_bit_if_asked(place: Path, cache: Path) -> None:
    kept = {path: load_tensors(path.read_bytes())["w"].tolist() for path in weights(cache)}
    for path in kept:
        path.unlink()
    assert scored(place).reason.endswith("--refit trains them")
    assert not weights(cache)
    assert scored(place, refit=True).status == "done"
    (anew,) = weights(cache)
    assert load_tensors(anew.read_bytes())["w"].tolist() in kept.values()


def publish(place: Path, path: Path) -> None:
    key, file = path.stem.rpartition("-")[2], path.relative_to(place / "results").as_posix()
    record(place / "results", [SubmissionEvent(key, file, sha256(path), VERIFIED, "Ann", now())])


def test_no_cells_end_in_one_line(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["score", "--metric", "accuracy", "--results", str(tmp_path)])
    assert found.exit_code == 2
    assert "no cells in" in found.output
