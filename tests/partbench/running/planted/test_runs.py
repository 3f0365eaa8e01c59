"""Planted runs on disk: each is made once, and again if what it is made of has changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from partbench.opening import Workbench
from partbench.registry import load
from partbench.results.planted import CHEAT, ORACLE, RANDOM_WEIGHTS, TRAINED, load_planted
from partbench.running.planted import runs
from partbench.running.planted.oracles import LEVELS
from partbench.running.planted.runs import PlantedRun, make_planted, planned

TASK = "fauna/multi:bird"
QUICK = [
    PlantedRun(TASK, ORACLE, "labels"), PlantedRun(TASK, CHEAT, "many_equal_shares"),
    PlantedRun(TASK, RANDOM_WEIGHTS, "top_conv"),
]  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A workbench of two metrics, where an oracle and a cheat are planned."""
    registry = load()
    metrics = {name: registry.metrics[name] for name in ("balanced_accuracy", "contribution_entropy")}
    monkeypatch.setattr(runs, "planned", lambda tasks, explainers: QUICK[:2])
    return Workbench(dataclasses.replace(registry, metrics=metrics))


def test_runs_are_made_once_and_lost_ones_again_with_the_same_bytes(
    quick: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "planned", lambda tasks, explainers: QUICK)
    monkeypatch.setattr(runs, "layers_from_top", lambda performer: ["fc8"])
    lines: list[str] = []
    assert make_planted(tmp_path, quick, say=lines.append) == 3
    assert lines[0] == f"[1/3] oracle labels on {TASK}: made"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert make_planted(tmp_path, quick, say=lines.append) == 0
    assert lines[-1] == f"[3/3] random weights top_conv on {TASK}: made before"
    lost = next(path for path in before if path.name.startswith(CHEAT))
    lost.unlink()
    assert make_planted(tmp_path, quick, say=lines.append) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    found = load_planted(tmp_path)
    levels = {kind: list(dict.fromkeys(own["level"])) for kind, own in found.groupby("planted")}
    assert levels == {ORACLE: list(LEVELS), CHEAT: [""], RANDOM_WEIGHTS: [TRAINED, "fc8"]}
    assert set(found["task"]) == {TASK}


def test_runs_of_a_metric_that_has_changed_are_made_again(
    quick: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_planted(tmp_path, quick, say=lambda line: None)
    changed: Any = quick.registry.metrics["contribution_entropy"].cls
    monkeypatch.setattr(changed, "version", "99")
    made: list[str] = []
    assert make_planted(tmp_path, quick, say=made.append) == 1
    assert made[0].endswith("made before")  # the oracle of labels is not scored by it


def test_oracles_cheats_and_random_weights_are_planned_for_every_task() -> None:
    found = planned(["a/b", "a/c"], ["z"])
    assert len(found) == 2 * (5 + 6 + 1)
    assert len(set(found)) == len(found)
    assert [run.subject for run in found if run.kind == RANDOM_WEIGHTS] == ["z", "z"]


def test_no_planted_explanation_is_a_plugin() -> None:
    registered = {*load().explainers}
    assert not registered & {run.subject for run in planned() if run.kind != RANDOM_WEIGHTS}
