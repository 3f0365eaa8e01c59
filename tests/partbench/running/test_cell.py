"""A cell: what is fitted, explained and scored, in which order, and what becomes of what goes wrong."""

from __future__ import annotations

import errno
import os
import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from toys import toy_performer, toy_task

from partbench import (
    Batch,
    Explainer,
    Explanation,
    Images,
    Metric,
    NotApplicable,
    PerformerOutputs,
    Scores,
    TrainingTask,
)
from partbench.attribution.rules import NoRule
from partbench.running import cell
from partbench.running.cell import forget_peak, part_effects, peak_memory, run_cell
from partbench.types import opaque_id


@dataclass
class Means(Explainer):
    """Explains by the mean of each colour."""

    name: ClassVar[str] = "means"
    seen: list[str] = field(default_factory=list)
    lazy: list[int] = field(default_factory=list)

    def fit(self, task: TrainingTask) -> None:
        self.noise = torch.rand(1)

    def explain(self, images: Images) -> Explanation:
        self.seen += images.ids
        means = images.pixels.mean((2, 3))
        return Explanation(lambda: self._maps(images), scores=means, logits=means.sum(1) + self.noise)

    def _maps(self, images: Images) -> torch.Tensor:
        self.lazy.append(len(images))
        return images.pixels

    def report(self) -> dict[str, float]:
        return {"noise": float(self.noise)}


@dataclass
class Brightness(Metric):
    """The mean of a map, per image."""

    name: ClassVar[str] = "brightness"
    version: ClassVar[str] = "3"
    needs: ClassVar[tuple[str, ...]] = ("maps",)
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    ids: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        assert outputs.positive.all()
        self.ids += batch.ids
        self.values += explanation.maps.mean((1, 2, 3)).tolist()

    def compute(self) -> dict[str, Scores]:
        return {self.name: Scores(self.ids, self.values)}


@dataclass
class Everywhere(Brightness):
    """The same without maps, on all images."""

    name: ClassVar[str] = "everywhere"
    needs: ClassVar[tuple[str, ...]] = ("logits",)
    images: ClassVar[str] = "all"
    bounds: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        self.ids += batch.ids
        self.values += (explanation.logits - outputs.explained).tolist()


def rows_of(run, metric: str) -> list[dict]:
    return [row for row in run.rows if row["metric"] == metric]


def test_every_unit_has_a_row_and_the_aggregate_is_their_mean(tmp_path: Path) -> None:
    run = run_cell(Means(), toy_task(tmp_path), [Brightness()])
    aggregate, *units = rows_of(run, "brightness")
    assert aggregate["unit"] == "all"
    assert aggregate["value"] == pytest.approx(np.mean([row["value"] for row in units]))
    assert aggregate["low"] < aggregate["value"] < aggregate["high"]
    assert aggregate["metric_version"] == "3"
    assert len({row["unit"] for row in units}) == len(units) == aggregate["images"]


def test_maps_are_computed_for_images_of_the_category_only(tmp_path: Path) -> None:
    task, explainer = toy_task(tmp_path), Means()
    run_cell(explainer, task, [Brightness(), Everywhere()])
    positive = int(task.positive(task.labels("test")).sum())
    assert sum(explainer.lazy) == positive
    everything, category = explainer.seen[:-positive], explainer.seen[-positive:]
    assert sorted(everything) == sorted(map(opaque_id, task.dataset.test.ids))
    assert set(category) < set(everything)


@dataclass
class Sized(Means):
    """Keeps the size of each batch."""

    name: ClassVar[str] = "sized"
    sizes: list[int] = field(default_factory=list)

    def explain(self, images: Images) -> Explanation:
        self.sizes.append(len(images))
        return super().explain(images)


def test_neither_place_nor_size_of_a_batch_tells_the_category_before_predictions_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "MIXED_BATCH", 5)
    task, explainer, metric = toy_task(tmp_path), Sized(), Everywhere()
    run_cell(explainer, task, [Brightness(), metric])
    assert explainer.sizes[:4] == [5, 5, 5, 5]
    positive = task.positive(task.labels("test")).numpy()
    shown = positive[[task.dataset.test.ids.index(name) for name in metric.ids]]
    expected = 2 * positive.mean() * (1 - positive.mean()) * (len(positive) - 1)  # of independent draws
    assert (shown[1:] != shown[:-1]).sum() > expected / 2


def test_images_of_the_category_are_explained_once_where_all_images_are(tmp_path: Path) -> None:
    task, explainer = toy_task(tmp_path), Means()
    task.dataset.test.labels.zero_()
    run_cell(explainer, task, [Brightness(), Everywhere()])
    assert sorted(explainer.seen) == sorted(map(opaque_id, task.dataset.test.ids))


@dataclass
class Passing(Means):
    """Empties the performer while it explains, and puts it back when it reports."""

    name: ClassVar[str] = "passing"

    def fit(self, task: TrainingTask) -> None:
        super().fit(task)
        self.weight = next(task.performer.stages["logits"].parameters())
        self.kept = self.weight.clone()

    def explain(self, images: Images) -> Explanation:
        self.weight.data.zero_()
        return super().explain(images)

    def report(self) -> dict[str, float]:
        self.weight.data.copy_(self.kept)
        return {}


def test_a_change_of_the_performer_is_found_before_metrics_use_it(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    before = next(task.performer.stages["logits"].parameters()).clone()
    run = run_cell(Passing(), task, [Brightness()])
    assert "changed the performer: logits" in run.failed
    assert torch.equal(next(task.performer.stages["logits"].parameters()), before)


@dataclass
class Forger(Means):
    """Forces other values into the frozen task that it is handed and into where activations come from."""

    name: ClassVar[str] = "forger"

    def fit(self, task: TrainingTask) -> None:
        self.noise = torch.zeros(1)
        object.__setattr__(task, "explained_categories", ("red",))
        object.__setattr__(task, "classes", ("red", "both", "green"))

    def explain(self, images: Images) -> Explanation:
        object.__setattr__(images._source, "token", "")
        return Explanation(scores=images.pixels.mean((2, 3)), logits=images.pixels.mean((1, 2, 3)))


def test_forging_the_task_and_the_source_of_activations_changes_nothing_that_metrics_read(tmp_path: Path) -> None:
    task, honest, forged = toy_task(tmp_path), Everywhere(), Everywhere()

    class Fair(Forger):
        def fit(self, task: TrainingTask) -> None:
            self.noise = torch.zeros(1)

        def explain(self, images: Images) -> Explanation:
            return Explanation(scores=images.pixels.mean((2, 3)), logits=images.pixels.mean((1, 2, 3)))

    assert not run_cell(Fair(), task, [honest]).failed
    assert not run_cell(Forger(), task, [forged]).failed
    assert (honest.ids, honest.values) == (forged.ids, forged.values)


def test_images_that_no_metric_wants_are_not_explained(tmp_path: Path) -> None:
    task, explainer = toy_task(tmp_path), Means()
    run_cell(explainer, task, [Brightness()])
    assert len(explainer.seen) == int(task.positive(task.labels("test")).sum())


def test_the_seed_decides_and_nothing_else(tmp_path: Path) -> None:
    task = toy_task(tmp_path)
    one, again, other = (run_cell(Means(), task.with_seed(s), [Everywhere()]).rows[0]["value"] for s in (1, 1, 2))
    assert one == again != other


def test_what_an_explainer_reports_becomes_rows(tmp_path: Path) -> None:
    (row,) = rows_of(run_cell(Means(), toy_task(tmp_path), []), "noise")
    assert row["status"] == "ok"
    assert row["higher_is_better"] is None


@dataclass
class Broken(Means):
    name: ClassVar[str] = "broken"
    error: type[BaseException] = RuntimeError

    def fit(self, task: TrainingTask) -> None:
        raise self.error("no\nluck")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(RuntimeError, "failed", "RuntimeError: no luck"), (NotApplicable, "skipped", "no luck")],
)
def test_an_explainer_that_raises_leaves_a_row_per_metric(tmp_path: Path, error, status: str, reason: str) -> None:
    run = run_cell(Broken(error=error), toy_task(tmp_path), [Brightness(), Everywhere()])
    assert [(row["metric"], row["status"], row["reason"]) for row in run.rows] == [
        ("brightness", status, reason),
        ("everywhere", status, reason),
    ]
    assert all(np.isnan(row["value"]) for row in run.rows)


def test_a_metric_that_raises_fails_alone(tmp_path: Path) -> None:
    class Raises(Brightness):
        name = "raises"

        def update(self, batch, explanation, outputs) -> None:
            raise ZeroDivisionError("by zero")

    run = run_cell(Means(), toy_task(tmp_path), [Raises(), Brightness()])
    assert rows_of(run, "raises")[0]["status"] == "failed"
    assert rows_of(run, "brightness")[0]["status"] == "ok"


def test_a_metric_and_an_explainer_that_exit_lose_their_own_cell(tmp_path: Path) -> None:
    class Exits(Brightness):
        name = "exits"

        def compute(self) -> dict[str, Scores]:
            raise SystemExit("no licence")

    run = run_cell(Means(), toy_task(tmp_path), [Exits(), Brightness()])
    assert rows_of(run, "exits")[0]["reason"] == "SystemExit: no licence"
    assert rows_of(run, "brightness")[0]["status"] == "ok"
    assert run_cell(Broken(error=SystemExit), toy_task(tmp_path), []).failed == "SystemExit: no luck"


@pytest.mark.parametrize(
    ("computed", "reason"),
    [
        (None, "compute() returned None, expected a dict of Scores by name"),
        ({}, "compute() returned {}, expected a dict of Scores by name"),
        ({"odd": 0.5}, "compute() returned {'odd': 0.5}, expected a dict of Scores by name"),
        ({"accuracy": Scores(value=0.5)}, "compute() returned scores named 'accuracy', expected odd or odd@variant"),
        ({"odd": Scores(value="much")}, "could not convert string to float: 'much'"),
        ({"odd": Scores(["a"], [1.0, 0.5])}, "zip() argument 2 is longer than argument 1"),
        ({"odd": Scores(value=1.5)}, "odd is 1.5, outside its bounds (0.0, 1.0)"),
        ({"odd": Scores(["a", "b"], [0.5, -1.5])}, "odd is -0.5, outside its bounds (0.0, 1.0)"),
    ],
)
def test_scores_that_cannot_be_rows_fail_their_metric_alone(tmp_path: Path, computed: object, reason: str) -> None:
    class Odd(Brightness):
        name = "odd"

        def compute(self) -> dict[str, Scores]:
            return computed

    run = run_cell(Means(), toy_task(tmp_path), [Odd(), Brightness()])
    (row,) = rows_of(run, "odd")
    assert (row["status"], row["reason"]) == ("failed", f"ValueError: {reason}")
    assert rows_of(run, "brightness")[0]["status"] == "ok"


def test_values_of_single_images_may_leave_the_bounds_if_their_mean_does_not(tmp_path: Path) -> None:
    class Weighted(Brightness):
        name = "weighted"

        def compute(self) -> dict[str, Scores]:
            return {self.name: Scores(["a", "b", "c"], [3.0, 0.0, 0.0])}

    aggregate, *units = rows_of(run_cell(Means(), toy_task(tmp_path), [Weighted()]), "weighted")
    assert (aggregate["status"], aggregate["value"]) == ("ok", 1.0)
    assert [row["value"] for row in units] == [3.0, 0.0, 0.0]
    assert (aggregate["low"], aggregate["high"]) == (0.0, 1.0)  # and their bootstrapped means go up to 3


def test_variants_may_leave_the_bounds_of_their_metric(tmp_path: Path) -> None:
    class Varied(Brightness):
        name = "varied"

        def compute(self) -> dict[str, Scores]:
            return {"varied": Scores(value=1.0), "varied@difference": Scores(value=-3.0)}

    run = run_cell(Means(), toy_task(tmp_path), [Varied()])
    assert [row["value"] for row in run.rows if row["metric"].startswith("varied")] == [1.0, -3.0]


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        (None, "report() returned a NoneType, expected a dict of numbers by name"),
        ({"loss": "small"}, "report() gives 'small' as loss, expected a number"),
        ({3: 1.0}, "report() names a value 3, expected a text that is no metric's name"),
        ({"brightness": 1.0}, "report() names a value 'brightness', expected a text that is no metric's name"),
    ],
)
def test_a_report_that_is_no_numbers_by_name_fails_the_cell(tmp_path: Path, reported: object, reason: str) -> None:
    class Reports(Means):
        def report(self) -> dict[str, float]:
            return reported

    run = run_cell(Reports(), toy_task(tmp_path), [Brightness()])
    assert run.failed == f"ValueError: {reason}"
    assert {row["status"] for row in run.rows} == {"failed"}


def test_a_full_disk_fails_the_cell_with_that_reason_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Reading(Means):
        def fit(self, task: TrainingTask) -> None:
            super().fit(task)
            task.activations("top_conv")

    monkeypatch.setattr("partbench.cache.item.os.fsync", full)
    run = run_cell(Reading(), toy_task(tmp_path), [Brightness()])
    assert "No space left on device while writing to the cache" in run.failed
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert not run_cell(Reading(), toy_task(tmp_path), [Brightness()]).failed


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NoRule("excitation backprop has no rule for layer 'act' (GELU)"), "excitation backprop has no rule for layer"),
        (NotApplicable("toy has no layer 'fc1'"), "toy has no layer 'fc1': its vectors are negative"),
        (NotApplicable("toy has no layer 'fc2'"), "toy has no layer 'fc2'"),
    ],
)
def test_a_layer_without_a_rule_or_that_is_lacking_skips_the_cell_with_the_reason(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    class Lacks(Means):
        def fit(self, task: TrainingTask) -> None:
            raise error

    task = toy_task(tmp_path)
    roles = {role: layer for role, layer in task.performer.roles.items() if not role.startswith("fc")}
    stages = {f"stage {name}": stage for name, stage in task.performer.stages.items()}
    roles = {role: f"stage {layer}" for role, layer in roles.items()}
    lacking = {"fc1": "its vectors are negative"}
    task = replace(task, performer=replace(task.performer, stages=stages, roles=roles, lacking=lacking))
    run = run_cell(Lacks(), task, [Brightness()])
    assert run.skipped.startswith(reason)
    assert {row["status"] for row in run.rows} == {"skipped"}


def test_ctrl_c_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_cell(Broken(error=KeyboardInterrupt), toy_task(tmp_path), [Brightness()])


def test_what_is_missing_is_skipped_with_the_reason(tmp_path: Path) -> None:
    class NeedsMasks(Brightness):
        name = "needs_masks"
        needs = ("maps", "masks")

    class NeedsContributions(Brightness):
        name = "needs_contributions"
        needs = ("contributions",)

    run = run_cell(Means(), toy_task(tmp_path), [NeedsMasks(), NeedsContributions()])
    assert [(r["status"], r["reason"]) for r in run.rows[:2]] == [
        ("skipped", "the dataset has no masks"),
        ("skipped", "the explanation has no contributions"),
    ]


def test_units_without_a_value_are_counted(tmp_path: Path) -> None:
    class Partial(Brightness):
        name = "partial"

        def compute(self) -> dict[str, Scores]:
            return {self.name: Scores(["a", "b", "c"], [0.25, float("nan"), 1.0])}

    row = run_cell(Means(), toy_task(tmp_path), [Partial()]).rows[0]
    assert row["value"] == 0.625
    assert row["reason"] == "1 of 3 images have no value"


def test_part_effects_are_falls_of_the_performers_logit_and_nothing_is_explained_again(tmp_path):
    task = toy_task(tmp_path)
    split, explained = task.dataset.test, []
    task.dataset.part_names = ("red", "nothing")
    without = {"red": lambda images: images.clamp(max=0.3), "nothing": lambda images: images}

    def batch_without(rows, part):
        batch = split.batch(rows)
        ids = tuple(f"{name} without {part}" for name in batch.ids)
        return replace(batch, ids=ids, pixels=without[part](batch.pixels))

    split.batch_without, split.has_removals = batch_without, True
    explainer = SimpleNamespace(explain=lambda batch: explained.append(batch))
    wanted = torch.tensor([[True, True], [False, True], [True, False]])
    falls = part_effects(explainer, task, [4, 5, 6], Explanation(scores=torch.ones(3, 1)))(wanted)
    batch = task.batch("test", [4, 5, 6])
    dim = task.performer.logits(batch.pixels.clamp(max=0.3))[:, task.target]
    torch.testing.assert_close(falls[[0, 2], 0], (task.explained(batch) - dim)[[0, 2]])
    torch.testing.assert_close(falls[:2, 1], torch.zeros(2), atol=1e-6, rtol=0)
    assert falls.isnan().tolist() == (~wanted).tolist()
    assert not explained


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system does not forget an earlier peak")
def test_the_peak_of_memory_is_that_of_the_cell() -> None:
    cpu = torch.device("cpu")
    held = np.ones(200 << 17)  # 200 MB
    before = peak_memory(cpu)
    del held
    forget_peak(cpu)
    after = peak_memory(cpu)
    assert after < before - 150


@dataclass
class Drawing(Means):
    """Draws from all generators in `fit`, more or less often, and explains by what it draws next."""

    name: ClassVar[str] = "drawing"
    draws: int = 0

    def fit(self, task: TrainingTask) -> None:
        for _ in range(self.draws):
            torch.rand(1), np.random.rand(), random.random()

    def explain(self, images: Images) -> Explanation:
        drawn = float(torch.rand(1)) + float(np.random.rand()) + random.random()
        return Explanation(images.pixels, scores=images.pixels.mean((2, 3)) * drawn)

    def report(self) -> dict[str, float]:
        return {}


def test_what_is_drawn_while_explaining_does_not_depend_on_what_fit_drew(tmp_path: Path) -> None:
    torch.rand(3)
    few, many = (run_cell(Drawing(draws=draws), toy_task(tmp_path), [Total()]) for draws in (1, 5))
    assert few.rows[0]["value"] == many.rows[0]["value"]
    assert few.rows[0]["value"] != run_cell(Drawing(), toy_task(tmp_path).with_seed(1), [Total()]).rows[0]["value"]


@dataclass
class Total(Metric):
    """The sum of all scores."""

    name: ClassVar[str] = "total"
    needs: ClassVar[tuple[str, ...]] = ("scores",)
    images: ClassVar[str] = "all"
    higher_is_better: ClassVar[bool] = True
    sum: float = 0.0

    def update(self, batch: Batch, explanation: Explanation, outputs: PerformerOutputs) -> None:
        self.sum += float(explanation.scores.sum())

    def compute(self) -> dict[str, Scores]:
        return {"total": Scores(value=self.sum)}


@pytest.mark.parametrize("error", [GeneratorExit(), SystemExit(2), BaseException("odd")])
def test_whatever_an_explainer_raises_fails_its_cell(tmp_path: Path, error: BaseException) -> None:
    class Raising(Means):
        """Raises."""

        def fit(self, task: TrainingTask) -> None:
            raise error

    run = run_cell(Raising(), toy_task(tmp_path), [Total()])
    assert run.failed.startswith(type(error).__name__)
    assert run.error is error
    assert [row["status"] for row in run.rows] == ["failed"]


def test_an_interrupt_passes_through_unless_it_cannot_be_the_users(tmp_path: Path) -> None:
    class Interrupting(Means):
        """Raises what Ctrl-C raises."""

        def fit(self, task: TrainingTask) -> None:
            torch.set_default_dtype(torch.float64)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(Interrupting(), toy_task(tmp_path), [Total()])
    assert torch.get_default_dtype() is torch.float32
    run = run_cell(Interrupting(), toy_task(tmp_path), [Total()], passing=())
    assert run.failed == "StateChanged: the cell changed torch's default dtype"
    assert not run.spoilt


def _raise_in_words(task: TrainingTask, layer: str = "fc1") -> None:
    raise NotApplicable(f"{task.performer.name} has no layer '{layer}'")


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("fit", lambda self, task: _raise_in_words(task)),
        ("fit", lambda self, task: task.activations("fc1")),
        ("fit", lambda self, task: task.performer.segment("fc1", "logits")),
        ("explain", lambda self, images: images.activations("fc1")),
    ],
)
def test_an_explainer_that_needs_a_role_which_no_layer_plays_is_skipped_with_the_layers_there_are(
    tmp_path: Path, method: str, asked: object
) -> None:
    task = toy_task(tmp_path, performer=toy_performer(without=["fc1"]))
    ended = run_cell(type("Needy", (Means,), {method: asked})(), task, [Brightness()])
    assert ended.failed == ""
    assert re.match("toy has no layer 'fc1'; its layers: .*top_conv", ended.skipped)
    assert {row["status"] for row in ended.rows} == {"skipped"}


def test_an_option_that_is_no_layer_of_the_network_is_answered_with_those_there_are(tmp_path: Path) -> None:
    @dataclass
    class Layered(Means):
        """Reads a layer that is an option."""

        layer: str = "conv9"

        def fit(self, task: TrainingTask) -> None:
            _raise_in_words(task, self.layer)

    ended = run_cell(Layered(), toy_task(tmp_path), [Brightness()])
    assert re.match("toy has no layer 'conv9'; its layers: ", ended.skipped)
