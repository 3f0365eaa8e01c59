"""What `bench performer train` was asked for, and where it is kept, as plain data. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from partbench.errors import InputError

MOST = {"epochs": 100_000, "batch-size": 1_000_000, "lr": 1000}  # far beyond what anything is trained with
SCHEDULES = ("cosine", "constant", "published")
EPOCH = "epoch: "  # how reports of progress begin that say what an epoch came to


@dataclass(frozen=True)
class TrainingRequest:
    """A network to train on a task, and how. None stands for what the schedule recommends.

    `out` is the absolute path of the folder that is made. `weights` is "default", "random" or a file. `frozen` names
    layers that keep their weights. `mixed_precision`: None means where it helps, on CUDA. `threads` are those of
    the CPU: with another number the last bits of the weights differ.
    """

    task: str
    network: str
    name: str
    out: str
    weights: str = "default"
    schedule: str = "cosine"
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    frozen: tuple[str, ...] = ()
    mixed_precision: bool | None = None
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for (option, most), value in zip(MOST.items(), (self.epochs, self.batch_size, self.lr), strict=True):
            if value is not None and not 0 < value <= most:
                shown = f"{value:g}" if abs(value) < most else f"{value!s:.40}"  # whole numbers may have any length
                raise InputError(f"--{option} is {shown}, expected a number above 0 and at most {most:,}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"--schedule is '{self.schedule}', expected one of {', '.join(SCHEDULES)}")

    @property
    def folder(self) -> Path:
        """Where the performer is kept once it is trained."""
        return Path(self.out)

    @property
    def unfinished(self) -> Path:
        """Where the checkpoint lies while it is trained."""
        return self.folder.with_name(f"{self.folder.name}.training")

    def expect_new_folder(self) -> None:
        """Raise InputError where the folder is there already."""
        if self.folder.exists():
            raise InputError(f"{self.folder} is there already; choose another --name or --out, or remove it")

    @property
    def network_name(self) -> str:
        """The network with the weights that are asked for, as the name of a performer."""
        weights = [] if self.weights == "default" else [f"weights={self.weights}"]
        return ",".join([self.network, *weights])

    @property
    def kept_name(self) -> str:
        """The network without options that say which weights it began with, or which layers play which roles."""
        return ",".join(part for part in self.network.split(",") if not part.startswith(("weights=", "layers=")))

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @staticmethod
    def of(data: Mapping[str, Any]) -> TrainingRequest:
        """From JSON."""
        return TrainingRequest(**{**data, "frozen": tuple(data["frozen"])})
