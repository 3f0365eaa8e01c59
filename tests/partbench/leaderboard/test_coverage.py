"""What a submitter is told of boards before a bundle is written."""

from __future__ import annotations

import itertools

import pandas as pd

from partbench.leaderboard.coverage import coverage_lines, tasks_by_board
from partbench.names import FIRST_PARTY

CARRIED = tasks_by_board([f"fauna/{kind}{name}" for kind in ("multi:", "") for name in "abcdefg"])
NEEDED = {**CARRIED, **tasks_by_board(["cub/multi:x", "cub/multi:y"])}


def lines(tasks: list[str], seeds: list[int], owner: str = "mine.py") -> list[str]:
    cells = itertools.product(tasks, seeds)
    rows = [{"explainer": "mine", "variant": "", "task": task, "seed": seed} for task, seed in cells]
    return list(coverage_lines(pd.DataFrame(rows).assign(distribution=owner), NEEDED, CARRIED))


def test_every_task_and_two_seeds_give_a_rank() -> None:
    assert lines([f"fauna/multi:{name}" for name in "abcdefg"], [0, 1]) == [
        "mine: ranked on fauna/multi:*, once verified"
    ]


def test_absent_tasks_and_single_seeds_are_told_board_by_board() -> None:
    tasks = [*(f"fauna/{name}" for name in "abcdefg"), "fauna/multi:a", "own/x"]
    (line,) = lines(tasks, [3])
    assert line == (
        "mine: ranked on no board, once verified; not on fauna/* (values without a rank: one seed; run a second one),"
        " fauna/multi:* (no value: 1 of 7 tasks; run also fauna/multi:b, fauna/multi:c, fauna/multi:d, fauna/multi:e"
        " and 2 more), own/* (no results of others are known)"
    )
    (line,) = lines(tasks, [3], FIRST_PARTY)
    assert line.startswith("mine: ranked on fauna/*, once verified; not on fauna/multi:* (no value")


def test_a_board_whose_published_cells_are_elsewhere_is_told_with_the_condition() -> None:
    assert lines(["cub/multi:x", "cub/multi:y"], [0, 1]) == [
        "mine: ranked on cub/multi:* (if its images and network are those of the published results), once verified"
    ]
    assert lines(["cub/multi:x"], [0, 1]) == [
        "mine: ranked on no board, once verified; not on cub/multi:* (no value: 1 of 2 tasks; run also cub/multi:y)"
    ]
