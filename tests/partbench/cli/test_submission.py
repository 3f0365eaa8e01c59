"""From a plugin file to a row on the board: submitted, verified, accepted, scored by a further metric, withdrawn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import partbench
from partbench.cli import submission
from partbench.cli.main import main
from partbench.leaderboard.current import current
from partbench.results.agreement import ComparedValue
from partbench.results.archive import packed, unpacked
from partbench.results.bundle import MANIFEST, bundled, read_bundle
from partbench.results.cell_file import aggregates_of
from partbench.results.folders import cell_paths
from partbench.results.provenance import sha256
from partbench.results.sealed import write_sealed
from partbench.results.store import load_results
from partbench.results.submission_history import SELF_REPORTED, VERIFIED, WITHDRAWN, statuses, submission_events
from partbench.running.verification import Verification

PLUGIN = """
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import partbench
from colours import mean_colour
from partbench import Explainer, Explanation, Images


@dataclass
class Colour(Explainer):
    name: ClassVar[str] = "own_colour"
    shift: float = 0.0

    def fit(self, task):
        if task.target is None:
            raise partbench.NotApplicable("it explains one logit")
        if "NOTES" in os.environ:
            cells = [path.name for path in Path(__file__).resolve().parents[2].rglob("*.parquet")]
            with open(os.environ["NOTES"], "a") as notes:
                notes.write(json.dumps([os.getcwd(), cells, dict(os.environ)]) + "\\n")

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=mean_colour(images.pixels) + self.shift)

    def deterministic(self):
        return True


@partbench.hookimpl
def register_explainers(register):
    register(Colour)
"""
NEIGHBOUR = "def mean_colour(pixels):\n    return pixels.mean((2, 3))\n"


def bench(*words: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin, and results of it with two values of its option."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "colour.py").write_text(PLUGIN)
    (folder / "colours.py").write_text(NEIGHBOUR)
    for shift in (0.0, 0.5):
        options = {"shift": shift}
        partbench.run(folder / "colour.py", "fauna/multi:bird", options=options, results=folder / "results")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "place"))


def submitted(place: Path) -> Path:
    out = place / "submissions" / "colour.zip"
    found = bench("submit", "--plugin", place / "colour.py", "--results", place / "results", "--out", out)
    assert found.exit_code == 0, found.output
    assert "bench: own_colour: ranked on no board, once verified; not on fauna/multi:* (no value: 1 of " in found.stderr
    return out


def changed_by_hand(bundle: Path, metric: str, value: float) -> None:
    """Change a value of the first cell in a bundle, with digests that fit."""
    found = read_bundle(bundle)
    name = found.cells[0]
    path = bundle.with_suffix(".parquet")
    path.write_bytes(found.files[name])
    table = pq.read_table(path).replace_schema_metadata(None)
    values = [
        value if (one, unit) == (metric, "all") else was
        for one, unit, was in zip(*(table[column].to_pylist() for column in ("metric", "unit", "value")), strict=True)
    ]
    table = table.set_column(table.schema.get_field_index("value"), "value", [values])
    units = table.filter([unit != "all" for unit in table["unit"].to_pylist()])
    write_sealed(path, [aggregates_of(table), units])
    files = {key: data for key, data in found.files.items() if key != MANIFEST} | {name: path.read_bytes()}
    about = {key: one for key, one in found.manifest.items() if key not in ("files", "plugins", "partbench_bundle")}
    bundle.write_bytes(bundled(files, found.plugins, about))


def test_a_bundle_holds_cells_code_and_environment_and_is_the_same_each_time(place: Path) -> None:
    bundle = submitted(place)
    first = bundle.read_bytes()
    assert submitted(place).read_bytes() == first
    found = read_bundle(bundle)
    cells = [f"results/{path.relative_to(place / 'results').as_posix()}" for path in cell_paths(place / "results")]
    assert found.cells == cells
    assert found.plugins == ["plugins/0/colour.py"]
    assert found.files["plugins/0/colours.py"].decode() == NEIGHBOUR
    assert "torch==" in found.files["requirements.txt"].decode()
    assert found.manifest["machine"]["device"] == ["cpu"]
    assert not [name for name in found.files if name.endswith((".pkl", ".pt"))]


def test_weights_beside_the_plugin_file_of_a_trained_performer_come_with_it_and_are_said(place: Path) -> None:
    (place / "performer.toml").write_text('name = "mine"\n')
    (place / "weights.safetensors").write_bytes(b"weights")
    out = place / "weights.zip"
    found = bench("submit", "--plugin", place / "colour.py", "--results", place / "results", "--out", out)
    assert f"bench: the bundle carries the weights {place / 'weights.safetensors'}, 0.0 MB" in found.stderr
    (file,) = [path for path in read_bundle(out).sources_written(place / "there") if path.name == "colour.py"]
    assert file.with_name("weights.safetensors").read_bytes() == b"weights"
    (place / "weights.safetensors").unlink()
    found = bench("submit", "--plugin", place / "colour.py", "--results", place / "results", "--out", out)
    assert (found.exit_code, "has no weights" in found.output) == (2, True)


def test_cells_that_failed_are_damaged_or_of_other_code_are_left_out_with_a_line_each(place: Path) -> None:
    first, second = cell_paths(place / "results")
    first.write_bytes(first.read_bytes()[:-9])
    results = place / "results"
    found = bench("submit", "--plugin-file", place / "colour.py", "--results", results, "--out", place / "x.zip")
    assert found.exit_code == 1
    (line,) = [line for line in found.output.splitlines() if "left out" in line]
    assert first.name in line
    assert [Path(name).name for name in read_bundle(place / "x.zip").cells] == [second.name]
    (place / "colours.py").write_text(NEIGHBOUR.replace("2, 3", "3, 2"))
    key = second.stem.rpartition("-")[2]
    found = bench("submit", key, "--plugin-file", place / "colour.py", "--results", results, "--out", place / "y.zip")
    assert found.exit_code == 2
    assert "the code in colour.py has changed since" in found.output
    assert not (place / "y.zip").exists()
    found = bench("submit", key, "--results", results)
    assert found.exit_code == 2
    assert "give this with --plugin-file" in found.output


def test_verification_tells_honest_cells_from_one_changed_by_hand(place: Path) -> None:
    bundle = submitted(place)
    changed_by_hand(bundle, "accuracy", 0.987)
    refused = bench("verify", bundle)
    assert refused.exit_code == 2
    assert "plugins/0/colour.py, plugins/0/colours.py" in refused.output
    assert len(refused.output.splitlines()) == 1
    command = [sys.executable, "-m", "partbench", "verify", str(bundle), "--trust", "--jobs", "1", "--json"]
    told = {"NOTES": str(place / "notes"), "SUBMITTED": str(bundle), "OLDPWD": str(place)}
    found = subprocess.run(
        command, capture_output=True, text=True, timeout=600, cwd=place, env={**os.environ, **told}
    )  # fmt: skip
    assert found.returncode == 1, found.stderr
    folder, cells, environment = json.loads((place / "notes").read_text().splitlines()[0])
    assert not Path(folder).is_relative_to(place)
    assert not cells, "of the first cell, nothing that was reported lies near the plugin"
    assert not [name for name, value in environment.items() if str(bundle) in value or name == "OLDPWD"]
    assert "running code of the bundle with your rights" in found.stderr
    forged, honest = json.loads(found.stdout)
    assert (forged["within"], honest["within"]) == (False, True)
    assert all(line["equal"] for line in honest["values"])
    assert [(line["what"], line["reported"]) for line in forged["values"] if not line["within"]] == [
        ("accuracy", 0.987)
    ]


def test_nothing_of_a_bundle_is_accepted_if_one_cell_does_not_agree(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, board = submitted(place), place / "board" / "results"
    first, second = cell_paths(place / "results")
    found = [Verification(first.name, "honest", found=first), Verification(second.name, "forged", fault="it differs")]
    monkeypatch.setattr(submission, "verified_bundle", lambda *_: found)
    nothing = bench("accept", bundle, "--trust", "--results", board)
    assert nothing.exit_code == 1
    assert "1 of 2 cells agree" in nothing.output
    assert "nothing was accepted" in nothing.output
    assert not cell_paths(board)
    assert not submission_events(board)


def test_cells_that_were_trained_anew_or_have_other_weights_are_accepted_as_they_were_found(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, board = submitted(place), place / "board" / "results"
    off = [ComparedValue("m", 1.0, 1.5, 0.5, 0.1, n > 0, False, "aggregate") for n in range(4)]
    about: list[dict[str, Any]] = [{"trained": True}, {"weights": "another"}]
    found = [
        Verification(
            path.relative_to(place / "results").as_posix(), "a", off, found=path, sha256=sha256(path),
            machine="another", **other,
        )
        for path, other in zip(cell_paths(place / "results"), about, strict=True)
    ]  # fmt: skip
    monkeypatch.setattr(submission, "verified_bundle", lambda *_: found)
    accepted = bench("accept", bundle, "--trust", "--by", "Ann", "--results", board)
    assert accepted.exit_code == 0, accepted.output
    assert "trained anew, as far off as another seed: 1" in accepted.output
    assert set(statuses(board).values()) == {VERIFIED}
    mine, theirs = ([path.read_bytes() for path in cell_paths(folder)] for folder in (place / "results", board))
    assert mine == theirs


def test_cells_are_accepted_as_self_reported_then_verified_then_withdrawn(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, board = submitted(place), place / "board" / "results"
    found = bench("accept", bundle, "--self-reported", "--by", "Ann", "--results", board)
    assert found.exit_code == 0, found.output
    assert set(statuses(board).values()) == {SELF_REPORTED}
    assert current(load_results(board)).empty
    again = bench("accept", bundle, "--self-reported", "--results", board)
    assert again.exit_code == 2
    assert "among the results already, as self-reported" in again.output
    found = bench("accept", bundle, "--trust", "--jobs", 1, "--by", "Bob", "--reason", "request 7", "--results", board)
    assert found.exit_code == 0, found.output
    assert set(statuses(board).values()) == {VERIFIED}
    assert "2 cells accepted; `bench leaderboard` shows them" in found.output
    assert current(load_results(board))["cell"].nunique() == 2
    monkeypatch.setattr(submission, "verified_bundle", lambda *_: pytest.fail("verified in vain"))
    again = bench("accept", bundle, "--trust", "--results", board)
    assert again.exit_code == 2
    assert "among the results already, as verified; nothing was accepted" in again.output
    key = cell_paths(board)[0].stem.rpartition("-")[2]
    assert bench("withdraw", key, "--reason", " ", "--results", board).exit_code == 2
    assert bench("withdraw", key, "--reason", "saw test images", "--by", "Bob", "--results", board).exit_code == 0
    assert [event.status for event in submission_events(board) if event.cell == key] == [
        SELF_REPORTED,
        VERIFIED,
        WITHDRAWN,
    ]
    assert key not in set(current(load_results(board))["cell"])
    assert "withdrawn already" in bench("withdraw", key, "--reason", "again", "--results", board).output
    assert bench("leaderboard", "--results", board).exit_code == 0
    page = (board.parent / "leaderboards" / "fauna" / "multi.each.md").read_text()
    history = [line for line in page.splitlines() if key in line]
    assert [status in line for status, line in zip(("self-reported", "verified", "withdrawn"), history, strict=True)]
    assert "saw test images" in history[-1]


@pytest.mark.parametrize("code", [None, "import os\n" + PLUGIN])
def test_self_reported_cells_whose_code_is_not_in_the_bundle_are_refused(code: str | None, place: Path) -> None:
    bundle = submitted(place)
    found = read_bundle(bundle)
    files = {name: data for name, data in found.files.items() if code is not None or not name.startswith("plugins/")}
    if code is not None:
        files["plugins/0/colour.py"] = code.replace("return True", "return False").encode()
    bundle.write_bytes(bundled({k: v for k, v in files.items() if k != MANIFEST}, found.plugins if code else [], {}))
    answer = bench("accept", bundle, "--self-reported", "--results", place / "board")
    assert answer.exit_code == 2
    assert len(answer.output.splitlines()) == 1
    assert "lacks the code of its explainer, colour.py with digest " in answer.output
    assert not cell_paths(place / "board")


def test_what_is_no_bundle_ends_in_one_line(place: Path) -> None:
    bundle = submitted(place)
    files = unpacked(bundle)
    cut, other, bare, compressed = (place / f"{name}.zip" for name in ("cut", "other", "bare", "compressed"))
    cut.write_bytes(bundle.read_bytes()[:-100])
    other.write_bytes(packed({**files, "plugins/0/colours.py": b"import os\n"}))
    bare.write_bytes(packed({name: data for name, data in files.items() if name != MANIFEST}))
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b"0" * 10_000_000)
    for path in (cut, other, bare, compressed, place / "colour.py", place / "none.zip"):
        for command in (["verify", path, "--trust"], ["accept", path, "--self-reported"]):
            found = bench(*command, "--results", place / "results")
            assert found.exit_code == 2, (path, found.output)
            assert len(found.output.splitlines()) == 1, (path, found.output)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["accept", "none.zip", "--trust"], "cannot read 'none.zip': No such file or directory"),
        (["withdraw", "3fa9", "--reason", "x"], "no folder results; run `bench run` first, or name one with --results"),
        (["show", "3fa9"], "no cell '3fa9' and no folder results; run `bench run` first, or name one with --results"),
        (["submit"], "no folder results; run `bench run` first, or name one with --results"),
    ],
)
def test_what_is_not_there_is_answered_in_one_line_and_no_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = bench(*words)
    assert (found.exit_code, found.output) == (2, f"bench: {line}\n")
    assert not list(tmp_path.iterdir())
