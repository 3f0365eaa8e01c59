"""Planted runs of tasks, each a file of rows; a run that is there, and up to date, is not made again."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partbench.opening import Workbench
from partbench.plugin.metric import Metric
from partbench.results.planted import (
    CHEAT,
    ORACLE,
    RANDOM_WEIGHTS,
    TRAINED,
    is_made,
    planted_path,
    write_planted,
)
from partbench.results.provenance import digest
from partbench.results.schema import AGGREGATE, canonical
from partbench.running.cell import part_effects, passes, run_cell, score_batch
from partbench.running.planted.cheats import CHEATS
from partbench.running.planted.networks import layers_from_top, randomised_task
from partbench.running.planted.oracles import LEVELS, ORACLES
from partbench.running.planted.truth import Truth, truth_of
from partbench.running.scoring import MetricState
from partbench.task import Task
from partbench.types import Explanation

RECIPE = 1  # raised when the explanations planted change
SEED = 0
TASKS = ("fauna/multi:bird", "fauna/multi:horse")
EXPLAINERS = ("top_conv", "excitation_bp", "z", "lasso")  # quick to fit, of several kinds
Row = dict[str, Any]
Made = Callable[[Truth, Sequence[int]], Explanation]
Say = Callable[[str], None]


@dataclass(frozen=True)
class PlantedRun:
    """A planted run of a task.

    kind: `ORACLE`, `CHEAT` or `RANDOM_WEIGHTS`. subject: the name of the oracle, of the cheat, or of the explainer that
    is fitted to the network with random weights.
    """

    task: str
    kind: str
    subject: str

    @property
    def label(self) -> str:
        """As in "oracle parts on fauna/multi:bird"."""
        return f"{self.kind.replace('_', ' ')} {self.subject} on {self.task}"


def planned(tasks: Iterable[str] = TASKS, explainers: Iterable[str] = EXPLAINERS) -> list[PlantedRun]:
    """All planted runs, task by task."""
    subjects = [(ORACLE, oracle.name) for oracle in ORACLES] + [(CHEAT, name) for name in CHEATS]
    subjects += [(RANDOM_WEIGHTS, name) for name in explainers]
    return [PlantedRun(task, kind, subject) for task in tasks for kind, subject in subjects]


def make_planted(
    folder: Path, workbench: Workbench, tasks: Iterable[str] = TASKS, explainers: Iterable[str] = EXPLAINERS,
    say: Say = print,
) -> int:  # fmt: skip
    """Make the planted runs that are not made yet, with a line for each; how many were made.

    A run is made again if its metrics, its explainer, the performer or the data have changed. Raises InputError for an
    unknown task or explainer, or a folder that cannot be written.
    """
    made, runs = 0, planned(tasks, explainers)
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(workbench, Path(cache))
        for number, run in enumerate(runs, start=1):
            path = planted_path(folder, run.task, run.kind, run.subject)
            identity = bench.identity(run)
            done = is_made(path, identity)
            if not done:
                write_planted(path, bench.rows(run), identity)
                made += 1
            say(f"[{number}/{len(runs)}] {run.label}: {'made before' if done else 'made'}")
    return made


class Bench:
    """Makes planted runs; the runs of a task share its truth and its networks with random weights."""

    def __init__(self, workbench: Workbench, cache: Path) -> None:
        self.workbench, self.registry, self.cache = workbench, workbench.registry, cache
        self._truth: Truth | None = None
        self._random: dict[tuple[str, str], Task] = {}

    def identity(self, run: PlantedRun) -> str:
        """What determines the rows of a run, as a hash."""
        task = self.workbench.task(run.task)
        known: dict[str, Any] = {"recipe": RECIPE, "run": [run.task, run.kind, run.subject], "seed": SEED}
        known["task"] = [task.version, task.training.fingerprint, task.dataset.test.fingerprint]
        known["metrics"] = {name: entry.cls.version for name, entry in sorted(self._metrics(run).items())}
        if run.kind == RANDOM_WEIGHTS:
            known["explainer"] = digest(self.registry.find("explainers", run.subject).cls.__module__)
        return hashlib.sha256(canonical(known).encode()).hexdigest()[:16]

    def rows(self, run: PlantedRun) -> list[Row]:
        """The rows of all levels of a run."""
        task = self.workbench.task(run.task)
        levels = self._random_weights(run, task) if run.kind == RANDOM_WEIGHTS else self._planted(run, task)
        about: Row = {"planted": run.kind, "subject": run.subject, "task": task.name, "dataset": task.dataset.name}
        about |= {"performer": task.performer.name, "seed": SEED}
        return [
            row | about | {"level": level, "place": place}
            for place, (level, rows) in enumerate(levels)
            for row in rows
            if row["unit"] == AGGREGATE and row["higher_is_better"] is not None
        ]

    def _metrics(self, run: PlantedRun) -> Mapping[str, Any]:
        """The registered metrics that a run is scored by: those of an oracle, else all."""
        if run.kind != ORACLE:
            return self.registry.metrics
        wanted = next(oracle.metrics for oracle in ORACLES if oracle.name == run.subject)
        return {name: entry for name, entry in self.registry.metrics.items() if name in wanted}

    def _planted(self, run: PlantedRun, task: Task) -> Iterator[tuple[str, list[Row]]]:
        if self._truth is None or self._truth.task.name != task.name:
            self._truth = truth_of(task)
        metrics = [entry.cls for entry in self._metrics(run).values()]
        if run.kind == CHEAT:
            yield "", score(self._truth, CHEATS[run.subject], [cls() for cls in metrics])
            return
        oracle = next(oracle for oracle in ORACLES if oracle.name == run.subject)
        for level in LEVELS:
            yield level, score(self._truth, _at(oracle.explanation, level), [cls() for cls in metrics])

    def _random_weights(self, run: PlantedRun, task: Task) -> Iterator[tuple[str, list[Row]]]:
        cls = self.registry.find("explainers", run.subject).cls
        for level in (TRAINED, *layers_from_top(task.performer)):
            key = task.name, level
            if key not in self._random:
                self._random[key] = task if level == TRAINED else randomised_task(task, level, self.cache, SEED)
            metrics = [entry.cls() for entry in self._metrics(run).values()]
            yield level, run_cell(cls(), self._random[key], metrics).rows


def _at(explanation: Callable[[Truth, Sequence[int], str, int], Explanation], level: str) -> Made:
    return lambda truth, rows: explanation(truth, rows, level, SEED)


def score(truth: Truth, made: Made, metrics: Sequence[Metric]) -> list[Row]:
    """The rows of metrics of an explanation that is made from the truth, in the batches of a cell."""
    task, states = truth.task, [MetricState(metric) for metric in metrics]
    parts = len(task.dataset.part_names or task.dataset.landmark_names)
    for rows, size, active in passes(task, states):
        for start in range(0, len(rows) if active else 0, size):
            some = rows[start : start + size]
            batch = task.batch("test", some)
            explanation = made(truth, some).accepted(len(batch), task.device, parts)
            effects = part_effects(None, task, some, explanation)
            score_batch(task, batch, explanation, effects, [state for state in active if state.status == "ok"])
    return [row for state in states for row in state.rows()]
