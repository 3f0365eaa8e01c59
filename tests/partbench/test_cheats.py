"""Cheats: explainers that explain nothing. A floor is as good or better, the boards mark them, or they are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pandas as pd
import pytest
import torch
from planted_results import frame, row
from torch import Tensor

from partbench import Explainer, Explanation, Images, Task, TrainingTask
from partbench.leaderboard.standings import standings
from partbench.opening import Workbench
from partbench.plugin.metric import Metric
from partbench.registry import Registry, load
from partbench.running.cell import run_cell
from partbench.testing import ContractError, check_explainer

REGISTRY: Registry = load()
FLOORS = ("random_maps", "centre_map", "corner_map", "uniform", "edges", "colour", "mean_logit")
COPIED = ("faithfulness_regression", "relative_deviation", "part_following", "location_instability", "locality")
CELLS = 16


@pytest.fixture(scope="module")
def task() -> Task:
    return Workbench(REGISTRY).task("fauna/multi:bird")


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def floors(task: Task) -> dict[str, Rows]:
    """The rows of each floor, of all metrics that cheats are compared with it in."""
    metrics = (*COPIED, "contribution_entropy")
    return {name: rows_of(REGISTRY.explainers[name].cls(), task, metrics) for name in FLOORS}


@dataclass
class Cheat(Explainer):
    """A cheat that learns nothing; its subclasses say what they show."""

    name: ClassVar[str] = "cheat"

    def fit(self, task: TrainingTask) -> None:
        """Keep the task."""
        self.task = task

    def floor_maps(self, images: Images, name: str) -> Tensor:
        """The maps of a floor, as if they were one's own."""
        floor = REGISTRY.explainers[name].cls()
        floor.fit(self.task)
        return floor.explain(images).maps


@dataclass
class CopiedLogit(Cheat):
    """The performer's own logit, in shares that add up to it, beside maps that have nothing to do with it."""

    maps: Literal["", "uniform", "centre_map", "random_maps", "edges"] = "uniform"

    def explain(self, images: Images) -> Explanation:
        logits = self.task.explained(images)
        maps = self.floor_maps(images, self.maps) if self.maps else None
        k = 5 if maps is None else maps.shape[1]
        return Explanation(maps, contributions=(logits / k)[:, None].repeat(1, k), logits=logits)


@dataclass
class ManyShares(Cheat):
    """10,000 equal contributions: whatever they mean, none is larger than another."""

    def explain(self, images: Images) -> Explanation:
        return Explanation(contributions=torch.ones(len(images), 10_000))


@dataclass
class OnePart(Cheat):
    """All concepts are called the same part: then all of the logit is that part's, by contribution and by ablation."""

    def explain(self, images: Images) -> Explanation:
        logits = self.task.explained(images)
        shares = (logits / 4)[:, None].repeat(1, 4)
        drops = torch.zeros(len(images), len(self.task.part_names))
        drops[:, 0] = 1
        return Explanation(contributions=shares, parts=torch.zeros(4, dtype=torch.long), part_drops=drops)


@dataclass
class FewAlike(Cheat):
    """A filter that is alive on the few images that look most like an image of the category, at a fixed place."""

    share: float = 0.08

    def fit(self, task: TrainingTask) -> None:
        """Remember an image of the category, and how alike its nearest neighbours are."""
        self.task = task
        rows = torch.nonzero(task.positive(task.labels)).flatten().tolist()
        pixels = torch.cat([batch.pixels.flatten(1) for batch in task.batches(64, rows)])
        self.example = pixels.mean(0)
        self.near = (pixels - self.example).norm(dim=1).quantile(self.share)

    def explain(self, images: Images) -> Explanation:
        alike = (images.pixels.flatten(1) - self.example).norm(dim=1) < self.near
        maps = torch.zeros(len(images), 1, CELLS, CELLS)
        maps[:, 0, CELLS // 2, CELLS // 2] = alike.float()
        return Explanation(maps)


@dataclass
class DeadMaps(Cheat):
    """49 maps of 50 are dead: a dead map correlates with no other."""

    def explain(self, images: Images) -> Explanation:
        maps = torch.zeros(len(images), 50, CELLS, CELLS)
        maps[:, 0] = images.activations("target").mean(1)
        return Explanation(maps)


@dataclass
class IntegerMaps(Cheat):
    """Maps of whole numbers, which do not survive a division by their sum."""

    def explain(self, images: Images) -> Explanation:
        return Explanation(torch.ones(len(images), 1, CELLS, CELLS, dtype=torch.long))


@dataclass
class WritesTruth(Cheat):
    """Moves the landmarks of the images to where its map peaks."""

    def explain(self, images: Images) -> Explanation:
        images.landmarks[:] = CELLS / 2  # type: ignore[attr-defined]
        return Explanation(torch.ones(len(images), 1, CELLS, CELLS))


@dataclass
class PretendedFloor(CopiedLogit):
    """Says that it is a floor, so that others are marked that do not beat it, and that it needs one seed only."""

    def control(self) -> Literal["floor"]:
        return "floor"

    def deterministic(self) -> bool:
        return True


def metric(name: str) -> Metric:
    made: Metric = REGISTRY.metrics[name].cls()
    return made


def rows_of(explainer: Explainer, task: Task, names: Sequence[str]) -> Rows:
    return list(run_cell(explainer, task, [metric(name) for name in names]).rows)


def aggregates(rows: Rows) -> dict[str, dict[str, Any]]:
    return {found["metric"]: found for found in rows if found["unit"] == "all"}


def scored(explainer: Explainer, task: Task, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The aggregate row of each metric and variant."""
    return aggregates(rows_of(explainer, task, names))


def board(cheats: Sequence[Cheat], task: Task, names: Sequence[str], floors: dict[str, Rows]) -> pd.DataFrame:
    """What the leaderboard makes of these cheats and of the floors, by explainer and metric."""
    columns = ("metric", "value", "low", "high", "higher_is_better", "status", "images", "unit")
    rows, images = [], []
    measured = [(cheat, rows_of(cheat, task, names)) for cheat in cheats]
    measured += [(REGISTRY.explainers[name].cls(), found) for name, found in floors.items()]
    for explainer, of_explainer in measured:
        for found in of_explainer:
            known = found["metric"].partition("@")[0] in names
            if known and (found["unit"] == "all" or found.get("unit_kind") == "image"):
                about = {name: found[name] for name in columns} | {"control": explainer.control()}
                about["distribution"] = "cheat.py" if isinstance(explainer, Cheat) else "partbench"
                made = row(explainer.name, "bird", **about)
                (rows if found["unit"] == "all" else images).append(made)
    table = standings(frame(rows), pd.DataFrame(images))
    return table[~table["metric"].str.contains("@")].set_index(["explainer", "metric"])


def best_floor(floors: dict[str, Rows], name: str) -> float:
    """The best value that a floor has of a metric."""
    found = [aggregates(rows)[name] for rows in floors.values()]
    values = [one["value"] for one in found if one["status"] == "ok"]
    return max(values) if metric(name).higher_is_better else min(values)


@pytest.mark.parametrize("maps", ["", "uniform", "centre_map", "random_maps", "edges"])
def test_a_copy_of_the_logit_is_marked_on_the_board_that_it_leads(
    maps: str, task: Task, floors: dict[str, Rows]
) -> None:
    table = board([CopiedLogit(maps=maps)], task, COPIED, floors).loc["cheat"]
    for name in ("faithfulness_regression", "relative_deviation"):
        assert table.loc[name, "value"] < 1e-5
        assert table.loc[name, "unsupported"], name
    measured = table[table["value"].notna()]
    assert (measured["unsupported"] | measured["beaten_by_control"]).all()


def test_a_cheat_that_declares_itself_a_floor_is_a_marked_explainer_of_one_seed(
    task: Task, floors: dict[str, Rows]
) -> None:
    names = ("faithfulness_regression", "part_following")
    without, beside = (board(cheats, task, names, floors) for cheats in ([], [PretendedFloor()]))
    cheat = beside.loc["cheat"]
    assert set(cheat["control"]) == {""}
    assert cheat["one_seed"].all()
    assert cheat["rank_low"].isna().all()
    assert cheat.loc["faithfulness_regression", "unsupported"]
    assert beside.loc[without.index, "floors"].equals(without["floors"])


def test_no_number_of_equal_contributions_beats_the_uniform_floor(task: Task, floors: dict[str, Rows]) -> None:
    name = "contribution_entropy"
    value, best = scored(ManyShares(), task, [name])[name]["value"], best_floor(floors, name)
    assert value == pytest.approx(1)
    assert value <= best + 1e-6
    marks = board([ManyShares()], task, [name], floors).loc["cheat", "beaten_by_control"]
    assert marks.all()


def test_concepts_that_are_all_called_one_part_have_no_contribution_error(task: Task) -> None:
    found = scored(OnePart(), task, ["contribution_error"])["contribution_error"]
    assert math.isnan(found["value"])
    assert found["status"] == "skipped"
    assert "two" in found["reason"]


def test_a_filter_alive_on_a_few_images_has_no_location_instability(task: Task) -> None:
    explainer = FewAlike()
    found = scored(explainer, task, ["location_instability"])["location_instability"]
    assert math.isnan(found["value"])
    assert found["status"] == "skipped"
    rows = torch.nonzero(task.positive(task.labels("test"))).flatten().tolist()
    alive = explainer.explain(task.batch("test", rows).images).maps.amax((1, 2, 3)) > 0
    assert 2 <= int(alive.sum()) < 10


@pytest.mark.parametrize("name", ["orthogonality_frobenius", "orthogonality_logdet"])
def test_dead_maps_are_not_orthogonal_to_a_live_one(name: str, task: Task) -> None:
    found = scored(DeadMaps(), task, [name])[name]
    assert math.isnan(found["value"])
    assert found["status"] == "skipped"


def test_maps_of_integers_are_refused(task: Task) -> None:
    run = run_cell(IntegerMaps(), task, [metric("locality")])
    assert "maps are int64, expected floating point numbers" in run.failed
    with pytest.raises(ContractError, match="maps are int64"):
        check_explainer(IntegerMaps, task)


def test_an_explainer_finds_no_landmarks_to_write_into(task: Task) -> None:
    run = run_cell(WritesTruth(), task, [metric("location_instability")])
    assert "'Images' object has no attribute 'landmarks'" in run.failed


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_says_that_it_is_one(name: str) -> None:
    assert REGISTRY.explainers[name].cls().control() == "floor"
