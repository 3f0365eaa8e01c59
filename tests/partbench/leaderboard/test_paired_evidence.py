from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from brute_force import compare
from planted_results import TASKS, frame, row
from scipy.stats import ttest_rel

from partbench import InputError
from partbench.functional.statistics import Evidence, Pairing
from partbench.leaderboard.paired_evidence import compare_explainers

BOARD = "fauna/multi:*"


def with_images(explainer: str, category: str, values: np.ndarray, seed: int = 0, **changes: Any) -> list[dict]:
    """A cell: its aggregate, a concept, and the evidence of images 0, 1, ..., the last image first."""
    aggregate = row(explainer, category, float(np.nanmean(values)), seed=seed, **changes) | {"unit_kind": "all"}
    units = [aggregate | {"unit": f"{category} {i}", "unit_kind": "image", "value": v} for i, v in enumerate(values)]
    return [aggregate, aggregate | {"unit": "0", "unit_kind": "concept", "value": 9.0}, *units[::-1]]


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=12)


def planted(seeds: int = 2) -> tuple[pd.DataFrame, dict[str, dict[str, Evidence]]]:
    """Results of srae and nn on three tasks, and their evidence."""
    rows, sides = [], {}
    for name, shift in (("srae", 0), ("nn", 100)):
        sides[name] = {}
        for t, category in enumerate(TASKS):
            values = np.stack([drawn(shift + 10 * t + seed) for seed in range(seeds)])
            for seed in reversed(range(seeds)):
                rows += with_images(name, category, values[seed], seed)
            ids = tuple(f"{category} {i}" for i in range(12))
            sides[name][f"fauna/multi:{category}"] = Evidence(ids, values)
    return frame(rows), sides


def test_comparison_is_that_of_the_evidence_in_the_rows() -> None:
    results, sides = planted()
    found = compare_explainers(results, BOARD, "locality", "srae", "nn")
    expected = compare(sides["srae"], sides["nn"], Pairing(higher_is_better=False))
    assert found.these.difference == pytest.approx(expected.these.difference)
    assert found.these.interval() == pytest.approx(expected.these.interval())
    assert (found.tasks, found.images, found.better) == (expected.tasks, 36, pytest.approx(expected.better))


def test_one_task_of_deterministic_explainers_is_a_paired_t_test() -> None:
    rows = with_images("srae", "cat", drawn(0)) + with_images("nn", "cat", drawn(1))
    pairing = Pairing(deterministic=(True, True))
    found = compare_explainers(frame(rows), BOARD, "locality", "srae", "nn", pairing)
    assert found.these.p == pytest.approx(ttest_rel(drawn(0), drawn(1)).pvalue)


def test_cells_that_do_not_count_are_left_out() -> None:
    """An older cell of the same explainer, task and seed, another metric, another board, and a failed cell."""
    results, _ = planted()
    old = {"created_at": pd.Timestamp("2020-01-01", tz="UTC"), "cell": "old"}
    extra = with_images("srae", "cat", drawn(7), **old)
    extra += with_images("srae", "cat", drawn(8), metric="accuracy")
    extra += with_images("srae", "cat", drawn(9), task="fauna/cat", cell="other board")
    extra += with_images("srae", "cat", drawn(9), seed=5, status="failed")
    more = pd.concat([results, frame(extra)], ignore_index=True)
    found, expected = (compare_explainers(table, BOARD, "locality", "srae", "nn") for table in (more, results))
    assert found == expected


def test_without_rows_of_images_the_error_says_what_to_do() -> None:
    results, _ = planted()
    aggregates = results[results["unit"] == "all"]
    with pytest.raises(InputError, match=r"no evidence per image of 'srae' for locality on fauna/multi:\*; load"):
        compare_explainers(aggregates, BOARD, "locality", "srae", "nn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BOARD, "locality", "srae", "sae"), "no results of explainer 'sae'; there are those of nn, srae$"),
        ((BOARD, "localty", "srae", "nn"), "no results of metric 'localty'; there are those of locality$"),
        (
            ("fauna/cat", "locality", "srae", "nn"),
            r"no results of board 'fauna/cat'; there are those of fauna/multi:\*$",
        ),
    ],
)
def test_what_the_results_do_not_hold_is_answered_with_what_they_hold(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare_explainers(planted()[0], *arguments)


def test_explainers_without_a_common_task_cannot_be_compared() -> None:
    rows = with_images("srae", "cat", drawn(0)) + with_images("nn", "dog", drawn(1))
    with pytest.raises(InputError, match=r"srae and nn cannot be compared on fauna/multi:.*no task has two images"):
        compare_explainers(frame(rows), BOARD, "locality", "srae", "nn")


def test_the_direction_is_that_of_the_metric_whatever_else_is_known() -> None:
    """Less locality is better."""
    rows = with_images("srae", "cat", drawn(0)) + with_images("nn", "cat", drawn(0) + 1)
    for pairing in (None, Pairing(deterministic=(True, True))):
        assert compare_explainers(frame(rows), BOARD, "locality", "srae", "nn", pairing).better == 1


def test_explainers_of_one_network_are_paired_by_equal_seeds_only() -> None:
    rows = [each for seed in (0, 1) for each in with_images("srae", "cat", drawn(seed), seed)]
    rows += [each for seed in (1, 2) for each in with_images("nn", "cat", drawn(seed), seed)]
    pairing = Pairing(same_network=True)
    with pytest.raises(InputError, match=r"multi:cat has seeds \[0, 1\] and \[1, 2\], expected the same"):
        compare_explainers(frame(rows), BOARD, "locality", "srae", "nn", pairing)
    assert compare_explainers(frame(rows), BOARD, "locality", "srae", "nn").tasks == ("fauna/multi:cat",)
