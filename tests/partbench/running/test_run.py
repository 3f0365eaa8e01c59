"""Running cells from Python: `partbench.run` in a script as users write it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import pytest
import torch
from annotated_types import Ge

import partbench
from partbench import Explainer, Explanation, Images, InputError, TrainingTask
from partbench.results.folders import cell_paths
from partbench.results.schema import COLUMNS
from partbench.results.store import load_results
from partbench.running.run import one_thread, registry_of

TASK = "fauna/multi:bird"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "partbench-saliency" / "partbench_saliency.py"

SCRIPT = '''
from dataclasses import dataclass
from typing import ClassVar

import torch
import partbench
from partbench import Explainer, Explanation, Images, TrainingTask

torch.set_num_threads(2)

@dataclass
class Mine(Explainer):
    """Scores by the mean of each colour."""

    name: ClassVar[str] = "mine"
    power: float = 1.0

    def fit(self, task: TrainingTask) -> None:
        self.threads = torch.get_num_threads()

    def explain(self, images: Images) -> Explanation:
        assert self.threads == torch.get_num_threads() == 1
        return Explanation(scores=images.pixels.mean((2, 3)) ** self.power)

    def report(self) -> dict[str, float]:
        return {"power": self.power}

frame = partbench.run([Mine, "random_maps"], "fauna/multi:bird", seeds=[0, 3], options={"mine.power": 0.5})
print(frame[["explainer", "task", "seed", "variant", "metric", "status", "value"]].to_json(orient="records"))
print(torch.get_num_threads())
'''


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, str]:
    """A script without `if __name__ == "__main__"`: its folder, the frame it printed, and its last line."""
    folder = tmp_path_factory.mktemp("script")
    (folder / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    result = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    *_, table, last = result.stdout.splitlines()
    return folder, pd.DataFrame(json.loads(table)), last


def test_a_bare_script_runs_its_own_explainer_beside_a_registered_one(scripted) -> None:
    frame = scripted[1]
    cells = frame[["explainer", "seed"]].drop_duplicates()
    assert sorted(map(tuple, cells.to_numpy().tolist())) == [
        ("mine", 0),
        ("mine", 3),
        ("random_maps", 0),
        ("random_maps", 3),
    ]
    assert set(frame["task"]) == {TASK}
    assert "failed" not in set(frame["status"])
    assert ((frame["explainer"] == "random_maps") & (frame["status"] == "ok")).any()


def test_options_of_a_script_reach_the_explainer_they_name(scripted) -> None:
    frame = scripted[1]
    own = frame[frame["explainer"] == "mine"]
    assert set(own["variant"]) == {"power=0.5"}
    assert own[own["metric"] == "power"]["value"].tolist() == [0.5, 0.5]
    assert set(frame[frame["explainer"] == "random_maps"]["variant"]) == {""}


def test_a_script_that_names_no_results_folder_leaves_no_file(scripted) -> None:
    assert [path.name for path in scripted[0].iterdir()] == ["script.py"]


def test_cells_run_on_one_thread_and_the_script_gets_its_own_back(scripted) -> None:
    assert scripted[2] == "2"


def interrupted(threads: int) -> None:
    assert threads == 1
    raise KeyboardInterrupt


def test_the_thread_count_is_put_back_when_a_cell_is_interrupted() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyboardInterrupt), one_thread():
            interrupted(torch.get_num_threads())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@dataclass
class Counted(Explainer):
    """Counts how often it was fitted; has options of several types."""

    name: ClassVar[str] = "counted"
    fitted: ClassVar[list[dict[str, Any]]] = []
    count: Annotated[int, Ge(1)] = 1
    layers: tuple[str, ...] = ("fc1",)
    label: str | None = None
    exact: bool = False

    def fit(self, task: TrainingTask) -> None:
        Counted.fitted.append({name: getattr(self, name) for name in ("count", "layers", "label", "exact")})

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=images.pixels.mean((2, 3)))


@pytest.fixture(autouse=True)
def nothing_fitted() -> None:
    Counted.fitted.clear()


def test_options_are_python_values_or_texts() -> None:
    partbench.run(Counted, TASK, options={"count": 3, "layers": ["fc1", "fc2"], "label": None, "exact": True})
    partbench.run(Counted, TASK, options={"count": "3", "layers": "fc1,fc2", "label": "none", "exact": "true"})
    expected = {"count": 3, "layers": ("fc1", "fc2"), "label": None, "exact": True}
    assert Counted.fitted == [expected, expected]


def test_the_frame_has_the_aggregates_of_every_cell_with_their_identity() -> None:
    frame = partbench.run([Counted, "random_maps"], TASK, seeds=2)
    assert set(frame["unit"]) == {"all"}
    assert set(frame["seed"]) == {2}
    assert set(frame.columns) <= set(COLUMNS)
    assert frame.groupby("explainer")["cell"].nunique().to_dict() == {"counted": 1, "random_maps": 1}
    assert set(frame["dataset"]) == {"fauna"}
    assert set(frame[frame["explainer"] == "random_maps"]["control"]) == {"floor"}


def test_a_results_folder_is_written_as_by_the_command_line_and_read_again(tmp_path: Path) -> None:
    first = partbench.run(Counted, TASK, results=tmp_path / "results")
    (path,) = cell_paths(tmp_path / "results")
    before = path.stat().st_mtime_ns
    again = partbench.run(Counted, TASK, results=str(tmp_path / "results"))
    assert len(Counted.fitted) == 1
    assert path.stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(first, again)
    kept = load_results(tmp_path / "results", aggregates_only=True)
    assert set(kept["explainer"]) == {"counted"}
    assert kept["value"].equals(first["value"])


def test_values_are_the_same_whether_they_are_written_or_not(tmp_path: Path) -> None:
    kept, shown = (partbench.run("random_maps", TASK, results=folder) for folder in (tmp_path / "results", None))
    same = ["cell", "metric", "status", "value", "low", "high", "variant", "control"]
    left, right = (frame[same].astype(dict.fromkeys(same, object)) for frame in (kept, shown))
    pd.testing.assert_frame_equal(left.fillna("-").reset_index(drop=True), right.fillna("-").reset_index(drop=True))


def test_an_explainer_in_a_file_is_run_by_its_path_and_a_text_is_the_same_path(tmp_path: Path) -> None:
    for path in (EXAMPLE, str(EXAMPLE)):
        frame = partbench.run(path, TASK, results=tmp_path)
        assert set(frame["explainer"]) == {"saliency"}
        assert "failed" not in set(frame["status"])
    assert len(cell_paths(tmp_path)) == 1


def test_a_class_takes_the_place_of_a_registered_explainer_of_its_name() -> None:
    class Own(Counted):
        """Stands in for the random maps."""

        name = "random_maps"

    assert registry_of([Own]).find("explainers", "random_maps").cls is Own
    assert registry_of(["random_maps"]).find("explainers", "random_maps").cls is not Own


def test_a_failure_of_an_explainer_is_rows_and_the_others_go_on() -> None:
    class Bad(Counted):
        """Fails."""

        name = "bad"

        def fit(self, task: TrainingTask) -> None:
            raise RuntimeError("out of cheese")

    frame = partbench.run([Bad, "random_maps"], TASK)
    assert set(frame[frame["explainer"] == "bad"]["status"]) == {"failed"}
    assert frame[frame["explainer"] == "bad"]["reason"].str.contains("out of cheese").all()
    assert set(frame[frame["explainer"] == "random_maps"]["status"]) == {"ok", "skipped"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plugins": "srea"}, "did you mean 'srae'"),
        ({"tasks": "fauna/multi:brid"}, "did you mean 'fauna/multi:bird'"),
        ({"tasks": "celeba/*"}, "no task matches"),
        ({"options": {"coun": 2}}, "did you mean 'count'"),
        ({"options": {"count": 0}}, "count=0: expected greater than or equal to 1"),
        ({"options": {"counted.count": "many"}}, "count=many: expected int"),
        ({"jobs": 0}, "jobs is 0, expected 1 or more"),
        ({"jobs": 2}, "Counted is a class of this process, which workers cannot import; give its file, or jobs=1"),
        ({"plugins": "./none.py"}, r"no plugin file .*none\.py"),
    ],
)
def test_mistakes_end_before_anything_is_fitted(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        partbench.run(**{"plugins": Counted, "tasks": TASK} | given)
    assert "\n" not in str(error.value)
    assert not Counted.fitted


def test_a_results_folder_that_cannot_be_written_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write results to"):
        partbench.run(Counted, TASK, results=tmp_path / "file" / "results")
    assert not Counted.fitted


def test_workers_give_the_values_of_this_process(tmp_path: Path) -> None:
    given = {"plugins": "mean_logit", "tasks": TASK, "seeds": [1, 2]}
    there, here = partbench.run(**given, jobs=2, results=tmp_path / "results"), partbench.run(**given)
    texts = {"cell": str, "metric": str, "status": str}
    left, right = (found.astype(texts).set_index(["cell", "metric"]).sort_index() for found in (there, here))
    compared = ["value", "status"]
    pd.testing.assert_frame_equal(left[compared], right[compared], check_exact=True)
    assert len(list((tmp_path / "results" / "fauna").rglob("*.parquet"))) == 2


@dataclass
class Says(Explainer):
    """Says of itself what it is made with."""

    name: ClassVar[str] = "says"
    said: ClassVar[Any] = ""
    rival: ClassVar[Any] = None
    fixed: ClassVar[Any] = False

    def fit(self, task: TrainingTask) -> None: ...

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=images.pixels.mean((2, 3)))

    def control(self) -> Any:
        return self.said

    def compared_with(self) -> Any:
        return self.rival

    def deterministic(self) -> Any:
        return self.fixed


class Nameless(Says):
    name = property(lambda self: "nameless")  # type: ignore[assignment]


class Unprepared(Says):
    def __post_init__(self) -> None:
        raise RuntimeError("no licence")


class Refitted(Says):
    def control(self) -> Any:
        return self.known_after_fit


@pytest.mark.parametrize(
    ("cls", "members", "message"),
    [
        (Says, {"said": "perhaps"}, "says: control() is 'perhaps', expected one of"),
        (Says, {"fixed": "perhaps"}, "says: deterministic() is 'perhaps', expected True or False"),
        (Says, {"rival": "srae"}, "says: control(), deterministic() or compared_with() fails before fit: ValueError"),
        (
            Says,
            {"rival": ("srae", {"sizes": 3})},
            "says: control(), deterministic() or compared_with() fails before fit: TypeError",
        ),
        (Refitted, {}, "says: control(), deterministic() or compared_with() fails before fit: AttributeError"),
        (Unprepared, {}, "says: no licence"),
        (Nameless, {}, "expected a class attribute `name`, a text"),
        (type("Alone", (), {"name": "alone"}), {}, "expected a subclass of partbench.Explainer"),
    ],
)
def test_a_class_that_is_no_sound_explainer_is_one_line(cls: type, members: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        partbench.run(type(cls.__name__, (cls,), members), TASK)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_rows_tell_the_network_that_an_explainer_names_and_whether_it_draws() -> None:
    cls = type("Other", (Says,), {"fixed": True, "explains": lambda self, task: ("interp_cnn", {"rho": 1.0})})
    frame = partbench.run(cls, TASK)
    assert frame[["network", "deterministic"]].drop_duplicates().values.tolist() == [["interp_cnn (rho=1.0)", True]]
    assert partbench.run(Says, TASK)["network"].unique().tolist() == [""]


def test_a_network_that_cannot_be_named_fails_the_cell() -> None:
    cls = type("Other", (Says,), {"explains": lambda self, task: 1 / 0})
    frame = partbench.run(cls, TASK)
    assert set(frame["status"]) == {"failed"}
    assert frame["reason"].str.contains("ZeroDivisionError").all()
