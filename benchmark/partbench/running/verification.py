"""Verification: cells are fitted, explained and scored again, and their values are compared. Imports no torch.

Nothing of a plugin runs in this process: a worker runs each cell, in a folder of results of its own. Networks
that explainers train are trained anew, in a folder of weights of their own; the performers and activations of the
cache are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from partbench.errors import InputError
from partbench.names import FIRST_PARTY
from partbench.results.agreement import ComparedValue, agreements
from partbench.results.cell_file import read_finished, read_table
from partbench.results.plain_text import printable
from partbench.results.provenance import sha256
from partbench.results.schema import AGGREGATE, label
from partbench.results.sealed import Damaged
from partbench.running.cell_job import CellJob, CellOutcome, Limits, Setting, plain
from partbench.running.crew import Answer, Crew, Listener, Step
from partbench.running.engine import outcome_of
from partbench.running.recorded import recorded_job


@dataclass(frozen=True)
class Verification:
    """A cell that was run again, beside what was reported of it.

    place: of the reported file below its folder of results. lines: the values compared. fault: why they could not be,
    "" if they were. found: the file of the new cell. machine: whether host, device, threads and version of torch are
    those reported, so that equal values are expected. sha256: of that file as it was compared, since code that runs
    later could change it.
    """

    place: str
    label: str
    lines: Sequence[ComparedValue] = ()
    fault: str = ""
    found: Path | None = None
    machine: bool = False
    sha256: str = ""

    @property
    def within(self) -> bool:
        """Whether all that was reported agrees with what was found."""
        return not self.fault and all(line.within for line in self.lines)


def verified(
    results: Path, places: Sequence[str], setting: Setting, jobs: int, limits: Limits, listener: Listener | None = None
) -> Iterator[Verification]:
    """Run the cells at `places` below `results` again, `jobs` at once, and compare each as it is finished.

    `setting` says where the new cells and weights go; the device is that of each cell. Raises InputError where its
    plugin files take the place of installed metrics, datasets or performers: values would be those of other formulas.
    """
    reported: dict[str, pd.DataFrame] = {}
    steps: dict[str, Step] = {}
    for place in places:
        try:
            reported[place] = read_finished(results / place, place)
            steps[place] = _step(place, reported[place], setting)
        except (Damaged, InputError) as error:
            yield Verification(place, place, fault=str(error))
    with Crew(min(jobs, max(1, len(steps))), limits, listener) as crew:
        if steps and setting.plugin_files:
            _expect_nothing_replaced(crew, setting)
        for answer in crew.run(steps.values()):
            place = answer.step.name
            yield _verification(place, reported.pop(place), _outcome(answer))


def without_data(results: Path, places: Sequence[str], setting: Setting, limits: Limits) -> dict[str, str]:
    """Folders of datasets that cannot be opened here, with the reason, such as that their photographs are not given.

    For each dataset the task of a cell of a first-party explainer is opened. Datasets without one are not tried.
    """
    steps = {}
    for place in places:
        dataset = place.partition("/")[0]
        if dataset not in steps:
            with suppress(Damaged, InputError):
                first = read_table(results / place, aggregates_only=True).to_pandas().iloc[0]
                job = plain(recorded_job(first, replace(setting, device=str(first["device"]))))
                if first["distribution"] == FIRST_PARTY:
                    steps[dataset] = Step(dataset, {"do": "open", "jobs": [job]}, f"opening {dataset}", dataset)
    with Crew(1, limits) as crew:
        return {answer.step.name: answer.text for answer in crew.run(steps.values()) if answer.kind == "mistake"}


def _expect_nothing_replaced(crew: Crew, setting: Setting) -> None:
    """Raise InputError where plugin files bring a metric, dataset or performer in place of an installed one."""
    request = {"do": "replaced", "setting": plain(setting)}
    [answer] = crew.run([Step("plugins", request, "loading plugins")])
    found = answer.result if answer.kind == "done" else []  # a file that cannot be loaded fails each cell
    if measured := [text for kind, text in found if kind != "explainers"]:
        raise InputError(f"cells are verified with what is installed, and {measured[0]}; rename it")


def _step(place: str, rows: pd.DataFrame, setting: Setting) -> Step:
    first = rows[rows["unit"] == AGGREGATE].iloc[0]
    job = recorded_job(first, replace(setting, device=str(first["device"])))
    return Step(place, {"do": "cell", "job": plain(job), "wait": True}, job.label, job.task)


def _outcome(answer: Answer) -> CellOutcome:
    job = CellJob.of(answer.step.request["job"])
    if answer.kind == "mistake":  # such as of an explainer that is not installed
        return CellOutcome(job, "failed", reason=answer.text)
    return outcome_of(job, answer)


def _verification(place: str, reported: pd.DataFrame, outcome: CellOutcome) -> Verification:
    one = reported[reported["unit"] == AGGREGATE].iloc[0]
    name = f"{label(one['explainer'], one['variant'])} on {one['task']}, seed {one['seed']}"
    if outcome.path is None or outcome.status == "failed":
        return Verification(place, name, fault=printable(outcome.reason))
    path = Path(outcome.path)
    digest = sha256(path)  # before it is read: what is accepted has this digest
    found = read_table(path, aggregates_only=False).to_pandas()
    other = found[found["unit"] == AGGREGATE].iloc[0]
    machine = all(one[column] == other[column] for column in ("host", "device", "threads", "torch_version"))
    if fault := _other_cell(one, other):
        return Verification(place, name, fault=fault, found=path, machine=machine)
    return Verification(place, name, agreements(reported, found), found=path, machine=machine, sha256=digest)


def _other_cell(reported: pd.Series, found: pd.Series) -> str:
    """Why the cell found is not the one reported; "" if it is."""
    if reported["cell"] == found["cell"]:
        return ""
    named = {
        "plugin_digest": "the code of the explainer", "options": "the options", "distribution": "the distribution",
        "task_version": "the version of the task", "performer": "the performer",
    }  # fmt: skip
    differing = [what for column, what in named.items() if reported[column] != found[column]]
    why = ", ".join(differing) or "the data or the network"
    return f"the cell here is {found['cell']}, reported was {reported['cell']}; what differs: {why}"
