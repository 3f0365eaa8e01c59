"""How far apart two trainings are, and what the documentation says of it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from planted_cells import cell, rows

from partbench.results.agreement import SEED_SHARE, agreements, share_within
from partbench.results.seed_pairs import QUANTILE, shares, shares_of_others, trained
from partbench.results.store import load_results, read_cell, write_cell

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs" / "publishing.md").read_text()
USUAL = {"deterministic": False}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The rows of the committed results that count here."""
    return trained(load_results(REPOSITORY / "results"))


def test_the_share_of_two_seeds_is_that_of_a_verification(tmp_path: Path) -> None:
    paths = []
    for seed, values in enumerate(([0.1, 0.5, 0.9], [0.2, 0.5, 0.9], [0.6, 0.7, 0.8])):
        planted = [*rows(values), *rows(values[:1], "accuracy"), *rows([0.5], "precision")]
        planted += [{**rows([1.0], "epochs")[0], "low": None, "high": None}]
        paths.append(write_cell(tmp_path, [row | USUAL for row in planted], cell(seed=seed)))
    tables = [read_cell(path) for path in paths]
    found = shares(trained(load_results(tmp_path)))
    assert len(found) == 6
    assert 0.3 < found.min() < found.max() < 1
    for reported in tables:
        for other in tables:
            if reported is not other:
                expected = share_within(agreements(reported, other))
                assert found["srae", reported["cell"].iloc[0], other["cell"].iloc[0]] == pytest.approx(expected)


def test_floors_what_draws_nothing_and_other_options_are_no_pairs(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_cell(tmp_path, [r | USUAL | {"control": "floor"} for r in rows([1.0])], cell(explainer="a", seed=seed))
        write_cell(tmp_path, [r | {"deterministic": True} for r in rows([1.0])], cell(explainer="b", seed=seed))
        write_cell(tmp_path, [r | USUAL for r in rows([1.0])], cell(options={"beta": seed}, seed=seed))
    assert shares(trained(load_results(tmp_path))).empty


def test_other_explainers_are_compared_on_one_task_with_one_seed(tmp_path: Path) -> None:
    for explainer, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_cell(tmp_path, [row | USUAL for row in rows([1.0])], cell(explainer=explainer, seed=seed))
    found = shares_of_others(trained(load_results(tmp_path)))
    assert sorted(found.index.get_level_values("explainer")) == ["a", "b"]


def test_nineteen_of_twenty_pairs_of_seeds_of_the_committed_results_have_the_share(published: pd.DataFrame) -> None:
    found = shares(published)
    assert math.floor(100 * found.quantile(QUANTILE)) / 100 == SEED_SHARE


def test_the_page_says_what_the_committed_results_give(published: pd.DataFrame) -> None:
    found, others = shares(published), shares_of_others(published)
    below = (found < SEED_SHARE).groupby("explainer").mean()
    (said,) = re.findall(
        r"share is (\d+) %.* of ([\d,]+) ordered pairs.* `(\w+)`, of which (\d+) %.* and (\d+) % of the pairs of diff",
        PAGE.replace("\n", " "),
    )
    expected = f"{100 * SEED_SHARE:.0f}", f"{len(found):,}", below.idxmax(), f"{100 * below.max():.0f}"
    assert said == (*expected, f"{100 * (others >= SEED_SHARE).mean():.0f}")
