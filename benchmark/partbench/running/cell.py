"""Fit, explain, score: one explainer on one task with one seed, to rows. No files, no printing."""

from __future__ import annotations

import random
import resource
import sys
import time
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from partbench import advice, options
from partbench.advice import advised
from partbench.freed_memory import return_after, return_freed_memory
from partbench.performer import ROLES
from partbench.plugin.dataset import Dataset
from partbench.plugin.explainer import Explainer, Remarked
from partbench.plugin.metric import Metric
from partbench.running.fields import field_of
from partbench.running.global_state import GlobalState, StateChanged
from partbench.running.integrity import unchanged
from partbench.running.scoring import MetricState, Row, describe
from partbench.task import Task
from partbench.types import (
    LAZY,
    Batch,
    Explanation,
    NotApplicable,
    PerformerOutputs,
)
from partbench.weight_cache import training_allowed

POSITIVE_BATCH = 32
MIXED_BATCH = 64
Progress = Callable[[str, int, int], None]
PartEffects = Callable[[Bool[Tensor, "n p"]], Float[Tensor, "n p"]]


@dataclass
class CellRun:
    """The result of one cell: rows without the identity columns, the explainer, and the exception that ended it."""

    rows: list[Row]
    explainer: Explainer
    failed: str = ""
    skipped: str = ""
    error: BaseException | None = None
    network: tuple[str, Mapping[str, Any]] | None = None  # what `explains` says, once fitted
    spoilt: bool = False  # the state of the process could not be put right: no other cell should run in it

    def end(self, error: BaseException, scores: Sequence[MetricState]) -> None:
        """Note the exception that ended the cell: whether it failed or was skipped, of all its metrics too."""
        self.error = error
        if isinstance(error, NotApplicable):
            self.skipped = describe(error)
        else:
            self.failed = describe(error)
        for score in scores:
            score.stop(error)


@dataclass
class Work:
    """An explainer at work on a task, seconds spent fitting and explaining, and who watches.

    `untouched` raises PerformerChanged if the explainer has changed the performer. `train`: whether weights that are
    not in the cache are trained.
    """

    explainer: Explainer
    task: Task
    train: bool = True
    untouched: Callable[[], None] = lambda: None
    progress: Progress | None = None
    fit: float = 0.0
    explain: float = 0.0


def run_cell(
    explainer: Explainer, task: Task, metrics: Sequence[Metric], progress: Progress | None = None,
    passing: tuple[type[BaseException], ...] = (KeyboardInterrupt,), train: bool = True,
) -> CellRun:  # fmt: skip
    """Fit `explainer` on the task with the task's seed, explain the test images, score them.

    Exceptions of the explainer fail (NotApplicable: skip) every metric of the cell; those that are `passing` pass
    through. A cell that changes the performer or the state of the process fails, and what it changed is put right.
    Without `train`, a cell whose trained weights are not in the cache ends with the error `WeightsAbsent`.
    """
    scores, work = [MetricState(metric) for metric in metrics], Work(explainer, task, train, progress=progress)
    run, reported, before = CellRun([], explainer), [], GlobalState.now()
    forget_peak(task.device)
    try:
        with warnings.catch_warnings(), unchanged(task.performer) as work.untouched:
            reported = _fit_and_explain(work, scores)
            run.network = explainer.explains(replace(task.training))
    except passing:
        before.restore()
        raise
    except BaseException as error:  # a plugin may raise anything, and call sys.exit
        run.error = error
    if changed := before.restore():
        run.error = StateChanged(f"the cell changed {', '.join(changed[:3])}")
        run.spoilt = before.lasting()
    if run.error is not None:
        reported = []
        run.end(run.error, scores)
    measured = {"fit_seconds": work.fit, "explain_seconds": work.explain, "peak_memory_mb": peak_memory(task.device)}
    rows = [row for score in scores for row in score.rows()] + reported
    run.rows = [row | measured | {"device": task.device.type} for row in rows]
    return run


def _fit_and_explain(work: Work, scores: Sequence[MetricState]) -> list[Row]:
    """Feed the metrics; returns the rows of what the explainer reports of itself."""
    started = time.perf_counter()
    with training_allowed(work.train):
        fit(work.explainer, work.task)
    work.fit = time.perf_counter() - started
    work.untouched()
    seed_generators(work.explainer, work.task)  # `fit` draws less where it finds its weights in the cache
    _explain_all(work, scores)
    return report_rows(work.explainer, {score.metric.name for score in scores})


def fit(explainer: Explainer, task: Task) -> None:
    """Fit with the global generators seeded by task and explainer.

    Where an explainer names a role that no layer plays, or an option of its own that is no layer, as in "toy has no
    layer 'fc1'", its NotApplicable goes on with the reason, where the performer tells it, and with the layers that
    there are.
    """
    seed_generators(explainer, task)
    performer = task.performer
    try:
        explainer.fit(replace(task.training))  # its own, whatever it writes there
    except NotApplicable as error:
        names = [*ROLES, *map(str, options.resolved(explainer).values())]
        there = performer.layers_in_words()
        absent = [name for name in names if f"'{name}'" in str(error) and not performer.has(name)]
        if there not in str(error) and absent:
            raise NotApplicable(f"{error}{performer.why_lacking(absent[0])}; {there}") from error
        raise


def seed_generators(explainer: Explainer, task: Task) -> None:
    """Seed Python's, numpy's and torch's global generators, see `TrainingTask.random_seed`."""
    seed = task.training.random_seed(explainer.name)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def forget_peak(device: torch.device) -> None:
    """Let `peak_memory` begin anew, without the memory that earlier cells have freed."""
    return_freed_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> float:
    """Peak memory in MB since `forget_peak`: of the device, or of this process on a CPU.

    Where the system cannot forget an earlier peak, such as on macOS, it is that of this process so far.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024  # KB
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _explain_all(work: Work, scores: Sequence[MetricState]) -> None:
    planned = passes(work.task, scores)
    done, total = 0, sum(len(rows) for rows, _, active in planned if active)
    for rows, size, active in planned:
        chunks = [rows[start : start + size] for start in range(0, len(rows) if active else 0, size)]
        for some, batch in zip(chunks, work.task.activation_cache.batches("test", chunks), strict=True):
            _explain_batch(work, some, batch, active)
            return_after(batch.pixels.nbytes)
            done += len(some)
            if work.progress:
                work.progress("explaining and scoring", done, total)


def passes(task: Task, scores: Sequence[MetricState]) -> list[tuple[list[int], int, list[MetricState]]]:
    """Test images, the size of their batches, and the metrics that are fed them, pass by pass.

    All images, then those of the explained category once more, for the metrics that need each. All images come mixed,
    in batches of one size: neither place nor size tells which are of the category. What is predicted of them is scored
    before the second pass, in which all are. Only there are maps needed, so that they are computed for these images
    alone.
    """
    positive = task.positive(task.labels("test"))
    every = [score for score in scores if score.metric.images == "all"]
    of_category = [score for score in scores if score.metric.images != "all"]
    mixed = np.random.default_rng(0).permutation(len(positive)).tolist()
    own = torch.nonzero(positive).flatten().tolist()
    if positive.all():
        return [(own, POSITIVE_BATCH, [*scores])]
    return [(mixed, MIXED_BATCH, every), (own, POSITIVE_BATCH, of_category)]


def _explain_batch(work: Work, rows: Sequence[int], batch: Batch, scores: Sequence[MetricState]) -> None:
    explainer, task = work.explainer, work.task
    started = time.perf_counter()
    explanation = task.explain(explainer, batch)
    working = [score for score in scores if score.status == "ok"]
    for name in LAZY:
        if explanation.has(name) and any(name in score.metric.needs for score in working):
            getattr(explanation, name)
    work.explain += time.perf_counter() - started
    work.untouched()
    effects = part_effects(explainer, task, rows, explanation)
    score_batch(task, batch, explanation, effects, working)


def score_batch(
    task: Task, batch: Batch, explanation: Explanation, effects: PartEffects | None, scores: Sequence[MetricState]
) -> None:
    """Feed metrics the explanation of a batch of the task, with the true effects of parts (see `part_effects`)."""
    field = partial(field_of, task, explanation.grid)
    outputs = replace(outputs_of(task, batch), part_effects=effects, measured_field=field)
    for score in scores:
        score.update(batch, explanation, outputs)
        return_after(batch.pixels.nbytes)


def outputs_of(task: Task, batch: Batch) -> PerformerOutputs:
    """What the performer computes for a batch, without part effects and measured field."""
    logits = batch.images.activations("logits")
    explained = None if task.target is None else logits[:, task.target]
    rivals, places = task.training.rivals(logits)

    def predict(pixels: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n c"]:
        return_after(pixels.nbytes)
        return task.training.rivals(task.performer.logits(pixels))[0]

    return PerformerOutputs(
        rivals,
        task.positive(batch.labels),
        None if task.target is None else places[0],
        explained,
        predict,
        category=task.category_of(batch.labels),
        category_logits=logits[:, list(task.targets)],
        parts=tuple(task.dataset.part_names),
        located=_located(task.dataset),
    )


def part_effects(
    explainer: Explainer | None, task: Task, rows: Sequence[int], explanation: Explanation
) -> PartEffects | None:
    """How much the explained logit of test images at `rows` falls without each part; NaN for parts not asked for.

    `explanation` is the explainer's of these images. The logit is the performer's, or that of the network that the
    explainer explains instead; without an explainer the performer's. None where images cannot be had without a part, or
    where several logits are explained.
    """
    if not task.dataset.test.has_removals or task.target is None:
        return None

    def logit(shown: Batch) -> Float[Tensor, "n"]:
        own = None
        if explainer is not None and explanation.explained is not None:
            own = task.explain(explainer, shown).explained
        return task.explained(shown) if own is None else own

    def effects(wanted: Bool[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        whole = None if explainer is None else explanation.explained
        if whole is None:
            whole = task.explained(task.batch("test", rows))
        falls = torch.full(wanted.shape, torch.nan, device=whole.device)
        for part, name in enumerate(task.dataset.part_names):
            images = torch.nonzero(wanted[:, part]).flatten()
            if len(images):
                lacking = task.batch_without("test", [rows[i] for i in images.tolist()], name)
                falls[images, part] = whole[images] - logit(lacking)
        return falls

    return effects


def _located(dataset: Dataset) -> tuple[int, ...] | None:
    if dataset.located is None:
        return None
    return tuple(dataset.landmark_names.index(name) for name in dataset.located)


def report_rows(explainer: Explainer, taken: Container[str]) -> list[Row]:
    """What a fitted explainer reports of itself, as rows. Raises ValueError for what is no number by a name of its own.

    `taken` are the names of metrics.
    """
    found, rows = explainer.report(), []
    if not isinstance(found, dict):
        raise advised(
            ValueError(f"report() returned a {type(found).__name__}, expected a dict of numbers by name"), advice.REPORT
        )
    blank: Row = {"metric_version": "1", "unit": "all", "low": None, "high": None, "higher_is_better": None}
    blank |= {"status": "ok", "reason": "", "images": 0, "score_seconds": 0.0}
    for name, reported in found.items():
        value, remark = reported if isinstance(reported, Remarked) else (reported, "")
        if not isinstance(name, str) or name.partition("@")[0] in taken:
            raise advised(
                ValueError(f"report() names a value {name!r:.60}, expected a text that is no metric's name"),
                advice.REPORT,
            )
        if not isinstance(value, Real):
            raise advised(ValueError(f"report() gives {value!r:.60} as {name}, expected a number"), advice.REPORT)
        rows.append(blank | {"metric": name, "value": float(value), "reason": str(remark)})
    return rows
