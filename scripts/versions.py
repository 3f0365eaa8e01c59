"""Write benchmark/partbench/leaderboard/versions.csv: the versions of metrics and tasks that this partbench has.

    python scripts/versions.py

The leaderboards read this file, because they import no torch and therefore no metric or task.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partbench.leaderboard.boards import board_of
from partbench.names import FIRST_PARTY
from partbench.registry import Registry, load
from partbench.task import SINGLE_VERSION
from partbench.task_name import TaskName

PATH = Path(__file__).resolve().parents[1] / "benchmark" / "partbench" / "leaderboard" / "versions.csv"


def lines() -> list[str]:
    """The lines of the file: kind ("metric" or "board"), name and version, sorted."""
    registry = load()
    metrics = [f"metric,{entry.name},{entry.cls.version}" for entry in registry.metrics.values() if _own(entry)]
    return ["kind,name,version", *sorted({*metrics, *_boards(registry)})]


def _boards(registry: Registry) -> Iterator[str]:
    for name, entry in registry.datasets.items():
        if not _own(entry):
            continue
        for task in (*registry.tasks_of(name), *registry.tasks_with_others(name)):
            form, what = TaskName.parse(task).form, task.partition("/")[2]
            dataset = (entry.cls.attribute_images or entry.cls) if what in entry.cls.attribute_tasks else entry.cls
            performer = registry.find("performers", registry.default_performer(task)).cls
            of_task = SINGLE_VERSION if form in ("single", "others") else "1"
            yield f"board,{board_of(task)},{of_task}.{dataset.version}.{performer.version}"


def _own(entry: object) -> bool:
    return getattr(entry, "distribution", "") == FIRST_PARTY


if __name__ == "__main__":
    PATH.write_text("\n".join(lines()) + "\n", encoding="utf-8")
