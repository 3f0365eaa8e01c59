"""Planning in one process: groups of jobs as plain data, and mistakes before anything is computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.plugin.dataset import silent
from partbench.running.cell_job import CellJob, Setting, plain
from partbench.running.planner import planned, workbench_of


class Loud:
    """Events that are kept, and one workbench."""

    progress = staticmethod(silent)

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.known: Workbench | None = None

    def say(self, event: str, **data: Any) -> None:
        self.said.append({"event": event, **data})

    def workbench(self, setting: Setting) -> Workbench:
        self.known = self.known or workbench_of(setting, self)
        return self.known


@pytest.fixture(scope="module")
def events() -> Loud:
    return Loud()


def asked(**given: Any) -> dict[str, Any]:
    usual = {"plugins": ["srae"], "tasks": ["fauna/multi:bird"], "seeds": [0], "options": [], "metrics": []}
    return usual | {"setting": plain(Setting("/none/results", device="cpu"))} | given


def test_a_plan_is_plain_data_grouped_by_what_is_opened_together(events: Loud) -> None:
    tasks = ["fauna/multi:bird", "fauna/bird", "fauna/multi:cat"]
    found = json.loads(json.dumps(planned(events, asked(tasks=tasks, seeds=[1, 1, 2], options=["epochs=3"]))))
    names = [[CellJob.of(job).label for job in group["jobs"]] for group in found["groups"]]
    assert names == [
        [f"srae on fauna/multi:{category}, seed {seed}" for category in ("bird", "cat") for seed in (1, 2)],
        ["srae on fauna/bird, seed 1", "srae on fauna/bird, seed 2"],
    ]
    assert [group["name"] for group in found["groups"]] == ["fauna/multi@small_vgg", "fauna/bird@small_vgg"]
    assert CellJob.of(found["groups"][0]["jobs"][0]).given == {"epochs": "3"}


def test_the_end_of_loading_is_announced(events: Loud) -> None:
    planned(events, asked())
    assert [said["plugin"] for said in events.said if said["event"] == "loading"][-1] == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plugins": ["srea"]}, "did you mean 'srae'"),
        ({"tasks": ["fauna/multi:brid"]}, "did you mean 'fauna/multi:bird'"),
        ({"tasks": ["fuana/multi:bird"]}, "did you mean 'fauna'"),
        ({"tasks": ["fauna/multi:bird@smal_vgg"]}, "did you mean 'small_vgg'"),
        ({"metrics": ["localty"]}, "did you mean 'locality'"),
        ({"options": ["epoch=3"]}, "did you mean 'epochs'"),
        ({"options": ["epochs"]}, "expected option=value"),
        ({"options": {"epochs": "many"}}, "-o epochs=many: expected int"),
    ],
)
def test_a_mistake_is_one_line(events: Loud, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(events, asked(**given))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_plugins_that_are_left_out_are_broken_with_the_reason() -> None:
    setting = Setting("/none", device="cpu", without={"absent": "it exits"})
    assert workbench_of(setting, Loud()).registry.broken == []  # no installed plugin has that name


def test_a_plugin_file_is_announced_before_it_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "raises.py"
    path.write_text("raise SystemExit('no')\n")
    events = Loud()
    with pytest.raises(InputError, match="SystemExit: no"):
        workbench_of(Setting("/none", (str(path),), device="cpu"), events)
    assert events.said[-1] == {"event": "loading", "plugin": str(path)}
