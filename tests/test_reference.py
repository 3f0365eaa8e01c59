"""`make reference`: what it plans, what it drops, and a run of one small part."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from partbench.errors import InputError
from partbench.opening import Workbench
from partbench.registry import load
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import reference

    return reference


def test_variants_are_dropped_from_the_end_and_nothing_else(reference: types.ModuleType) -> None:
    board, first, last = (
        reference.Part(("srae",), (task,), variant=variant)
        for task, variant in (("fauna/multi:*", False), ("fauna/multi:cat", True), ("fauna/multi:dog", True))
    )
    taken = [(board, 100.0), (first, 50.0), (last, 50.0)]
    assert reference.within(taken, 200.0) == [board, first, last]
    assert reference.within(taken, 150.0) == [board, first]
    assert reference.within(taken, 100.0) == [board]
    with pytest.raises(InputError, match="allow more with --hours"):
        reference.within(taken, 99.0)


def test_parts_that_are_done_are_not_dropped(reference: types.ModuleType) -> None:
    done = reference.Part(("srae",), ("fauna/multi:cat",), variant=True)
    taken = [(reference.Part(("nn",), ("fauna/multi:cat",)), 10.0), (done, 0.0)]
    assert reference.within(taken, 10.0) == [part for part, _ in taken]


def test_no_two_parts_hold_the_same_cells(reference: types.ModuleType) -> None:
    cells = [
        (explainer, tuple(sorted(part.options)), task, seed)
        for part in reference.PARTS
        for explainer in part.explainers
        for task in part.tasks
        for seed in part.seeds
    ]
    assert len(cells) == len(set(cells))


def test_a_part_of_photographs_holds_no_rendered_images(reference: types.ModuleType) -> None:
    tasks = ("animal_part/*", "animal_part/multi", "fauna/multi")
    of_each = [part.tasks for part in reference.Part(("srae",), tasks).by_dataset()]
    assert of_each == [tasks[:2], tasks[2:]]
    assert [part for part in reference.PARTS if len({task.partition("/")[0] for task in part.tasks}) > 1] == []


def test_parts_are_left_out_whose_photographs_or_performers_are_not_there(
    reference: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cub").mkdir()
    here, rendered, elsewhere = (
        reference.Part(("srae",), (tasks,)) for tasks in ("cub/multi:*", "fauna/multi:*", "animal_part/multi:*@lite0")
    )
    ours = reference.Part(("srae",), (f"fauna/multi:*@{reference.TRAINED.name}",))
    workbench, every = Workbench(load(), tmp_path), (here, rendered, elsewhere, ours)
    monkeypatch.setattr(reference, "TRAINED", tmp_path / reference.TRAINED.name)
    assert reference.at_hand(every, workbench) == [here, rendered]
    (tmp_path / reference.TRAINED.name).mkdir()
    assert reference.at_hand(every, workbench) == [here, rendered, ours]


def test_a_part_is_planned_run_and_then_done(
    reference: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    part = reference.Part(("mean_logit",), ("fauna/multi:bird",), (0,))
    monkeypatch.setattr(reference, "PARTS", (part, reference.Part(("srae",), ("animal_part/multi:*",))))
    monkeypatch.setenv("PARTBENCH_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(reference, "trained", lambda train: [])
    given = ["--results", str(tmp_path / "results"), "--jobs", "1"]
    assert reference.main([*given, "--plan"]) == 0
    assert not (tmp_path / "results").exists()
    printed = capfd.readouterr().out
    assert "no folder of animal_part and cub in --data-root, nor noted by `bench data add`: 1 of 2 parts" in printed
    assert " 1.0 min  mean_logit on fauna/multi:bird\n1 parts, about 1.0 min" in printed
    assert reference.main(given) == 0
    assert load_results(tmp_path / "results")["explainer"].unique().tolist() == ["mean_logit"]
    assert not (tmp_path / "leaderboards").exists()
    capfd.readouterr()
    assert reference.main([*given, "--plan"]) == 0
    assert "done  mean_logit on fauna/multi:bird" in capfd.readouterr().out
