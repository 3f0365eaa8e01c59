"""Cells of a run as plain data, which any process can read: what is to be done, within which limits, what came of it.

Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from partbench.errors import InputError
from partbench.results.amendment import finish_amendments
from partbench.results.schema import AGGREGATE
from partbench.whole_files import expect_writable, sweep_unfinished

Status = Literal["finished before", "done", "skipped", "failed", "locked"]


def new_run_id() -> str:
    """12 hex digits that the rows of one run share."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True)
class Setting:
    """What the cells of a run share. Paths are absolute texts.

    `plugin_files` are loaded beside the installed plugins. `without` names installed plugins that are not imported,
    with the reason. `pictures` is the folder to draw into, None to draw nothing. `weights` is a folder in which trained
    weights of explainers lie, None for the cache.
    """

    results: str
    plugin_files: tuple[str, ...] = ()
    data_root: str | None = None
    other: str | None = None
    device: str = "auto"
    overwrite: bool = False
    pictures: str | None = None
    run_id: str = field(default_factory=new_run_id)
    without: Mapping[str, str] = field(default_factory=dict)
    weights: str | None = None

    @staticmethod
    def at(
        results: Path | None, files: Iterable[str | Path], data_root: Path | None, other: Path | None = None,
        **more: Any,
    ) -> Setting:  # fmt: skip
        """With paths as users give them, which may be relative; without `results` the folder is ""."""
        folder, root, photos = (None if path is None else str(path.resolve()) for path in (results, data_root, other))
        return Setting(folder or "", tuple(str(Path(file).resolve()) for file in files), root, photos, **more)

    @staticmethod
    def of(data: Mapping[str, Any]) -> Setting:
        """From JSON."""
        return Setting(**{**data, "plugin_files": tuple(data["plugin_files"])})


@dataclass(frozen=True)
class CellJob:
    """A cell to be run: an explainer with the options given for it, as text, a task and a seed."""

    explainer: str
    given: Mapping[str, str]
    task: str
    seed: int
    setting: Setting

    @property
    def label(self) -> str:
        """As in "srae on fauna/multi:bird, seed 0"."""
        return f"{self.explainer} on {self.task}, seed {self.seed}"

    @staticmethod
    def of(data: Mapping[str, Any]) -> CellJob:
        """From JSON."""
        return CellJob(**{**data, "setting": Setting.of(data["setting"])})


@dataclass(frozen=True)
class Limits:
    """What a cell may use: seconds of wall time, and bytes of resident memory; None for any amount.

    `loading` is how many seconds importing one plugin may take, `preparing` how many what cells share may take.
    """

    seconds: float | None = 6 * 3600.0
    memory: int | None = None
    loading: float = 60.0
    preparing: float = 24 * 3600.0

    @staticmethod
    def usual() -> Limits:
        """Six hours, and four fifths of the memory of this machine."""
        import psutil

        return Limits(memory=int(psutil.virtual_memory().total * 0.8))


@dataclass(frozen=True)
class CellOutcome:
    """What came of a cell: its file (None where it could not be written), and how it ended, in words.

    A "locked" one is being done by another run, and is asked for again.

    `failed_metrics` maps the metrics that failed in a cell that did not to their reasons. `notes` are remarks, such as
    on pictures that could not be drawn. `columns` are the identity columns of its rows.
    """

    job: CellJob
    status: Status
    path: str | None = None
    reason: str = ""
    seconds: float = 0.0
    failed_metrics: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the cell failed, or one of its metrics did."""
        return self.status == "failed" or bool(self.failed_metrics)

    @staticmethod
    def of(data: Mapping[str, Any]) -> CellOutcome:
        """From JSON."""
        lists = {name: tuple(data[name]) for name in ("pictures", "notes")}
        return CellOutcome(**{**data, **lists, "job": CellJob.of(data["job"])})


def cell_seconds(rows: Iterable[Mapping[str, Any]]) -> float:
    """Seconds that a cell took: fitting, explaining, and scoring by each metric. 0 where there are no aggregates."""
    whole = [row for row in rows if row["unit"] == AGGREGATE]
    scoring = {row["metric"].partition("@")[0]: row["score_seconds"] for row in whole}
    return float(whole[0]["fit_seconds"] + whole[0]["explain_seconds"] + sum(scoring.values())) if whole else 0.0


def plain(record: Any) -> dict[str, Any]:
    """A Setting, CellJob or CellOutcome as JSON."""
    data: dict[str, Any] = dataclasses.asdict(record)
    return data


def prepare_results(folder: Path) -> None:
    """Before a run: test that results can be written to the folder, and sweep it. Raises InputError if they cannot."""
    try:
        expect_writable(folder)
        sweep_unfinished(folder)
        finish_amendments(folder)
    except OSError as error:
        raise InputError(f"cannot write results to {folder}: {error.strerror}; choose another --results") from error
