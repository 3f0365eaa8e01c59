"""Verification: cells are fitted, explained and scored again, and their values are compared. Imports no torch.

Nothing of a plugin runs in this process: a worker runs each cell, in a folder of results of its own. Networks
that explainers train are trained anew, in a folder of weights of their own; the performers and activations of the
cache are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from partbench.errors import InputError
from partbench.results.agreement import ComparedValue, agreements, as_another_seed
from partbench.results.cell_file import read_finished, read_table
from partbench.results.plain_text import printable
from partbench.results.provenance import sha256
from partbench.results.schema import AGGREGATE, label
from partbench.results.sealed import Damaged
from partbench.running.cell_job import CellJob, CellOutcome, Setting, plain
from partbench.running.crew import Answer, Crew, Step
from partbench.running.engine import outcome_of
from partbench.running.recorded import recorded_job

Same = Literal["same", "another", "unknown"]
# trained anew: values are as far off as those of another seed, on another type of processor. other weights: those of
# the performer are not those of the reported cell, so that the values tell nothing.
State = Literal["agrees", "trained anew", "other weights", "does not agree", "not verified"]
OTHER = "code, data or network are not those that made them"
MACHINE = ("processor", "device", "threads", "torch_version")


@dataclass(frozen=True)
class Verification:
    """A cell that was run again, beside what was reported of it.

    place: of the reported file below its folder of results. lines: the values compared. fault: why they could not be,
    "" if they were. found: the file of the new cell. machine: whether processor, device, threads and version of torch
    are those reported, so that equal values are expected; "unknown" where the reported rows do not say the processor.
    trained: whether the explainer draws random numbers. performer: its name. weights: whether its weights are those
    of the reported cell. sha256: of the new file as it was compared, since code that runs later could change it.
    """

    place: str
    label: str
    lines: Sequence[ComparedValue] = ()
    fault: str = ""
    found: Path | None = None
    machine: Same = "unknown"
    trained: bool = False
    performer: str = ""
    weights: Same = "unknown"
    sha256: str = ""

    @property
    def within(self) -> bool:
        """Whether all that was reported agrees with what was found."""
        return not self.fault and all(line.within for line in self.lines)

    @property
    def state(self) -> State:
        """What came of it; in all states but the last two, rows say the same of themselves."""
        if self.fault:
            return "not verified"
        if not all(line.within for line in self.lines if line.of == "row"):
            return "does not agree"
        if self.weights == "another":
            return "other weights"
        if self.within:
            return "agrees"
        if self.trained and self.machine != "same" and as_another_seed(self.lines):
            return "trained anew"
        return "does not agree"

    @property
    def refuted(self) -> bool:
        """Whether what was reported could not be confirmed, though the performer's weights are the same."""
        return self.state in ("not verified", "does not agree")


Reported = Mapping[str, pd.DataFrame | str]


def reported_in(results: Path, places: Sequence[str]) -> Reported:
    """The rows of the cells at places below a folder of results; of a cell that is refused, why."""
    found: dict[str, pd.DataFrame | str] = {}
    for place in places:
        try:
            found[place] = read_finished(results / place, place)
        except (Damaged, InputError) as error:
            found[place] = str(error)
    return found


def verified(cells: Reported, setting: Setting, crew: Crew) -> Iterator[Verification]:
    """Run cells again and compare each as it is finished. The values reported stay in this process.

    `setting` says where the new cells and weights go; the device is that of each cell. Raises InputError where its
    plugin files take the place of installed metrics, datasets or performers: values would be those of other formulas.
    """
    reported: dict[str, pd.DataFrame] = {}
    steps: dict[str, Step] = {}
    for place, rows in cells.items():
        if isinstance(rows, str):
            yield Verification(place, place, fault=rows)
            continue
        try:
            steps[place] = _step(place, rows, setting)
            reported[place] = rows
        except InputError as error:
            yield Verification(place, place, fault=str(error))
    if steps and setting.plugin_files:
        _expect_nothing_replaced(crew, setting)
    for answer in crew.run(steps.values()):
        place = answer.step.name
        yield _verification(place, reported.pop(place), _outcome(answer))


def not_here(rows: pd.DataFrame, setting: Setting, crew: Crew) -> dict[str, str]:
    """The files of the cells that code, data and networks of this machine do not make, each with the reason.

    `rows` has an aggregate row of each cell, of `load_results`. Nothing is fitted: the keys of the cells are compared.
    """
    reasons: dict[str, str] = {}
    groups: dict[tuple[str, str], list[tuple[Any, dict[str, Any]]]] = {}
    for row in rows.to_dict("records"):
        device = str(row["device"])
        try:
            job = plain(recorded_job(row, replace(setting, device=device)))
            groups.setdefault((str(row["dataset"]), device), []).append((row, job))
        except InputError as error:
            reasons[str(row["file"])] = str(error)
    named = {" on ".join(of): found for of, found in groups.items()}
    request = {"do": "call", "function": "partbench.running.prepare:keys"}
    steps = [Step(of, {**request, "jobs": [job for _, job in found]}, f"opening {of}") for of, found in named.items()]
    for answer in crew.run(steps):
        if answer.kind == "done":  # else each cell says for itself what is wrong
            for (row, _), found in zip(named[answer.step.name], answer.result, strict=True):
                if found.get("key") != row["cell"]:
                    reasons[str(row["file"])] = found.get("reason", OTHER)
    return reasons


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
    if fault := _other_cell(one, other):
        return Verification(place, name, fault=fault, found=path)
    machine, weights = (_same(reported, found, columns) for columns in (MACHINE, ("performer_digest",)))
    return Verification(
        place, name, agreements(reported, found, anew=machine != "same"), found=path, machine=machine,
        trained=not other["deterministic"], performer=str(other["performer"]), weights=weights, sha256=digest,
    )  # fmt: skip


def _same(reported: pd.DataFrame, found: pd.DataFrame, columns: Sequence[str]) -> Same:
    """Whether all metrics of two cells were made with the same of these columns; unknown if the first one is absent.

    A metric that `bench score` added may be from another machine than the others.
    """
    one, other = (frame.loc[frame["unit"] == AGGREGATE, list(columns)].astype(object) for frame in (reported, found))
    if one[columns[0]].fillna("").eq("").any():
        return "unknown"
    return "same" if set(one.itertuples(index=False)) == set(other.itertuples(index=False)) else "another"


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
