"""`bench run`: fit, explain, score; write results, leaderboards and pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partbench.cli.engines import EngineChoice, engine_options
from partbench.cli.metric_names import expect_metrics
from partbench.cli.pages import write_pages_of
from partbench.cli.parameters import (
    completion_of,
    data_root_option,
    device_option,
    json_option,
    other_option,
    results_option,
    time_limit_option,
)

if TYPE_CHECKING:
    from partbench.running.cell_job import CellOutcome, Limits
    from partbench.running.engine import Plan, Request


@dataclass(frozen=True)
class RunOptions:
    """What was given to `bench run`."""

    plugins: Sequence[str]
    tasks: Sequence[str]
    seeds: Sequence[int]
    option_texts: Sequence[str]
    metrics: Sequence[str]
    overwrite: bool
    pictures: bool
    pages: bool
    time_limit: float
    memory_limit: float | None
    dry_run: bool
    as_json: bool
    results: Path
    device: str
    data_root: Path | None
    other: Path | None
    engine: EngineChoice

    @staticmethod
    def of(given: dict[str, Any]) -> RunOptions:
        """From the values of the options by name, those of `engine_options` among them."""
        engine = EngineChoice(**{field.name: given.pop(field.name) for field in fields(EngineChoice)})
        return RunOptions(**given, engine=engine)

    def request(self) -> Request:
        """What is to be run, files of plugins by their path. Raises InputError for names that are not there."""
        from partbench.cli.project import file_or_name
        from partbench.running.cell_job import Setting
        from partbench.running.engine import Request

        plugins = [file_or_name(name) for name in self.plugins]
        files = [name for name in plugins if name.endswith(".py")]
        expect_metrics(self.metrics, files=bool(files))
        drawn = str((self.results.parent / "pictures").resolve()) if self.pictures else None
        setting = Setting.at(
            self.results, files, self.data_root, self.other, device=self.device, overwrite=self.overwrite,
            pictures=drawn,
        )  # fmt: skip
        return Request(setting, plugins, self.tasks, self.seeds or (0,), list(self.option_texts), self.metrics)

    def limits(self) -> Limits:
        """Of a cell: seconds, and bytes of memory."""
        from partbench.running.cell_job import Limits

        return Limits(self.time_limit, None if self.memory_limit is None else int(self.memory_limit * 2**30))


@click.command()
@click.option(
    "--plugin", "plugins", multiple=True, required=True, metavar="NAME|FILE.py|PROJECT",
    shell_complete=completion_of("explainers"),
    help="Explainer to run, or a file or a project (a folder that `bench new` makes) with plugins of any kind; may be"
    " repeated. `all`: every explainer.",
)  # fmt: skip
@click.option(
    "--task", "tasks", multiple=True, metavar="DATASET/WHAT[@PERFORMER]", shell_complete=completion_of("tasks"),
    help="Task; may be repeated. Default: `fauna/multi:*`; for a dataset in a file, all of its tasks.",
)  # fmt: skip
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(0, 2**64 - 1), help="Seed; may be repeated. Default: 0."
)
@click.option(
    "-o",
    "option_texts",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Option of the explainers; `EXPLAINER.OPTION=VALUE` for one of them.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    shell_complete=completion_of("metrics"),
    help="Print the scores of these metrics only; may be repeated. All metrics are computed and stored all the same."
    " `bench score --metric` adds one to cells that were finished before.",
)
@click.option("--overwrite", is_flag=True, help="Run finished cells again.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the explanations of new cells.")
@click.option(
    "--pages/--no-pages", default=True, show_default=True,
    help="Write the pages of the leaderboards at the end. Before many runs of one folder: `bench leaderboard` after"
    " the last takes less time.",
)  # fmt: skip
@engine_options
@time_limit_option("A cell that takes longer fails.")
@click.option(
    "--memory-limit", type=click.FloatRange(min=0, min_open=True), metavar="GB",
    help="A cell that takes more resident memory fails. Default: four fifths of the machine's.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Run nothing: list the cells, the expected time and disk space.")
@json_option
@results_option
@device_option
@data_root_option
@other_option
def run(**given: Any) -> None:
    """Fit explainers, score them, update leaderboards and draw pictures.

    Every cell (an explainer, a task, a seed) runs in a worker process. One that fails, hangs or dies loses no other.
    Exit code 1: a cell or a metric failed. 130: interrupted; the same command goes on from there.

    \b
    Examples:
      bench run --plugin srae
      bench run --plugin srae --plugin nn --task fauna/multi:bird --seed 0 --seed 1
      bench run --plugin srae -o profile=released -o epochs=30
      bench run --plugin srae --task 'animal_part/multi:*' --data-root ~/data
      bench run --plugin ./my_explainer.py --task fauna/multi:cat
      bench run --plugin ./my_metric.py               score the floors and srae
      bench run --plugin all --jobs 8 --dry-run
      bench run --plugin all --engine dask --scheduler tcp://host:8786
      bench run --plugin all --engine dask --cluster slurm --jobs 64 --cluster-option queue=long
    """
    from partbench.cache.upkeep import prepare_cache
    from partbench.cli.progress import Display
    from partbench.cli.run_summary import print_dry_run, print_summary
    from partbench.running.cell_job import prepare_results
    from partbench.running.engine import interruptible

    asked = RunOptions.of(given)
    request, limits = asked.request(), asked.limits()
    if not asked.dry_run:
        prepare_results(asked.results)
    prepare_cache()
    outcomes: list[CellOutcome] = []
    with (
        interruptible(), Display(quiet=asked.as_json) as display,
        asked.engine.opened(request, limits, display, asked.dry_run) as engine,
    ):  # fmt: skip
        if not asked.dry_run:
            _import_ahead()
        plan = engine.planned()
        if asked.dry_run:
            print_dry_run(plan, asked.results, asked.engine.jobs or engine.size, asked.as_json)
            return
        display.total(len(plan.cells) + len(plan.lost), min(engine.size, len(plan.waiting)))
        for outcome in engine.run(plan):
            display.cell(outcome)
            outcomes.append(outcome)
    written = {str(outcome.columns["dataset"]) for outcome in outcomes if outcome.path}
    pages = write_pages_of(asked.results, written) if written and asked.pages else []
    print_summary(display, _in_order(plan, outcomes), plan.metrics, asked.as_json, asked.pages)
    display.pages(pages)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)


def _import_ahead() -> None:
    """Import what the end of a run needs, while workers come up and this process would only wait for them."""
    import partbench.cli.closing
    import partbench.leaderboard.build  # noqa: F401


def _in_order(plan: Plan, outcomes: Sequence[CellOutcome]) -> list[CellOutcome]:
    """Outcomes in the order of the plan, whatever the order in which the cells ended."""
    place = {planned.path: number for number, planned in enumerate(plan.cells)}
    return sorted(outcomes, key=lambda outcome: place.get(str(outcome.path), len(place)))
