"""Intervals and verdicts hold in simulated worlds as docs/statistics.md says."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
import simulation  # noqa: E402 (the folder of scripts is no package)
from simulation import World  # noqa: E402

TABLES = ("coverage", "new", "families", "moderation", "far", "shares")


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def table(name: str) -> list[list[str]]:
    """The cells of a table of the page, without its head."""
    text = (REPOSITORY / "docs" / "statistics.md").read_text()
    [found] = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.S)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()[2:]]


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": 1, "seeds": 3, "images": 100},
        {"tasks": 3, "seeds": 2, "images": 100, "of_seed": 0.5},
        {"tasks": 6, "seeds": 5, "images": 20, "of_seed": 0.5},
        {"tasks": 4, "seeds": 3, "images": 20, "of_task": 2.0},
        {"tasks": 2, "seeds": 1, "images": 100},
    ],
)
def test_intervals_hold_the_true_difference_in_95_of_100_worlds(changes: dict[str, Any]) -> None:
    assert 0.93 <= simulation.coverage(World(**changes), 1500, random()) <= 0.97


def test_images_that_several_tasks_show_must_count_once() -> None:
    """Taken for different images, they make the interval too narrow."""
    world = World(6, 3, 40, of_seed=0.05)
    stack, means, _ = simulation.drawn(world, 600, random())
    truth = means[:, 0] - means[:, 1]
    held = []
    for image in (stack.image, np.arange(len(stack.image))):
        apart = simulation.Stack(stack.values, stack.listed, stack.seeds, stack.task, image)
        low, high = simulation.compared(apart, 2).these.interval().T
        held.append(np.mean((low <= truth) & (truth <= high)))
    assert held[0] > 0.93
    assert held[1] < 0.92


@pytest.mark.parametrize(("tasks", "apart"), [(1, 0.0), (4, 0.0), (4, 0.2)])
def test_a_false_verdict_in_a_family_is_rarer_than_one_in_twenty(tasks: int, apart: float) -> None:
    """Also of the wrong direction; the power shows that something is said at all."""
    error, power = simulation.family_errors(World(tasks, 3, 100, explainers=6), 400, random(), apart)
    assert error <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert np.isnan(power) if apart == 0 else power > 0.1


@pytest.mark.parametrize("kind", ["Student 2", "log-normal"])
def test_images_far_out_that_are_moved_make_no_more_false_verdicts(kind: str) -> None:
    _, error, moved = simulation.far_out(kind, 50, 300, random())
    assert error <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    assert moved > 0.1


def test_new_categories_vary_as_tasks_do() -> None:
    assert 0.92 <= simulation.coverage_of_new(World(4, 2, 20, shared=False), 300, random()) <= 0.98


def test_the_exact_table_is_what_the_script_makes_and_the_simulated_ones_are_complete() -> None:
    made = [[cell.strip() for cell in line.strip("|").split("|")] for line in simulation.of_shares().splitlines()[2:]]
    assert table("shares") == made
    assert [len(table(name)) for name in TABLES] == [20, 2, 5, 9, 12, 3]
    coverage = np.array([row[2:] for row in table("coverage")], float)
    assert coverage.min() > 0.92
    assert coverage.max() < 0.99


@pytest.mark.soak
@pytest.mark.parametrize(("tasks", "seeds"), list(itertools.product((1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5))))
def test_coverage_over_tasks_seeds_images_and_variances(tasks: int, seeds: int) -> None:
    for images, of_seed, of_task in itertools.product((20, 100, 600), (0.05, 0.5), (0.05, 0.5)):
        world = World(tasks, seeds, images, of_task, of_seed)
        found = simulation.coverage(world, 2000, random())
        print(
            f"\n{tasks} tasks, {seeds} seeds, {images} images, sd {of_seed} of seeds, {of_task} of tasks: {found:.3f}"
        )
        assert (
            0.93 - 0.01 <= found <= 0.97 + 0.015
        )  # two standard errors; with two seeds of one task intervals are wide
