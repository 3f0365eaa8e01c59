from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from brute_force import compare
from planted_results import INSTABILITY, ORDINARY, cells, planted

from partbench.functional.statistics import ratio_of_means
from partbench.leaderboard.claims_measured import MeasuredClaim, measured
from partbench.leaderboard.claims_on_boards import CLAIM as ROLE
from partbench.leaderboard.claims_on_boards import ClaimOnBoard
from partbench.leaderboard.claims_stated import PublishedClaim, stated
from partbench.leaderboard.judged import judged
from partbench.leaderboard.verdicts import Board

[CLAIM] = [claim for claim in stated().claims if claim.id == "icnn-instability"]


def board(interpretable: float, ordinary: float, **changes: Any) -> Board:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: interpretable + 0.001 * s}, binary=True, **changes)
    rows += cells(ORDINARY, lambda t, s: {INSTABILITY: ordinary + 0.002 * t}, binary=True)
    [found] = judged(*planted(rows)).boards
    return found


def one_measured(
    claim: PublishedClaim, board: Board, other: str = ORDINARY, only: tuple[str, ...] = ()
) -> MeasuredClaim | None:
    [found] = measured(board, [ClaimOnBoard(claim, ROLE, board.aligned.board, "interp_cnn", other)], only)
    return found


def test_a_ratio_and_its_p_are_those_of_the_statistics() -> None:
    stack = board(0.10, 0.15)
    sides = stack.aligned.evidence("interp_cnn"), stack.aligned.evidence(ORDINARY)
    found = one_measured(CLAIM, stack)
    assert found is not None
    pairing = stack.pairing("interp_cnn", ORDINARY)
    assert (found.value, found.low, found.high) == pytest.approx(ratio_of_means(*sides, pairing))
    assert (found.p, found.direction) == (pytest.approx(compare(*sides, pairing).these.p), 1)


def test_only_tasks_of_both_are_measured() -> None:
    stack = board(0.10, 0.15, tasks=2)
    found = one_measured(CLAIM, stack)
    assert found is not None
    assert (found.tasks, found.images) == (("fauna/t0", "fauna/t1"), 100)
    assert found.value == pytest.approx(0.101 / 0.151)
    one = one_measured(CLAIM, stack, only=("fauna/t1",))
    assert one is not None
    assert (one.tasks, one.value) == (("fauna/t1",), pytest.approx(0.101 / 0.152))
    assert one_measured(CLAIM, stack, only=("fauna/t3",)) is None


def test_an_image_that_several_tasks_show_counts_once() -> None:
    rows = cells("interp_cnn", lambda t, s: {INSTABILITY: 0.1}) + cells(ORDINARY, lambda t, s: {INSTABILITY: 0.15})
    table, images = planted(rows)
    [stack] = judged(table, images.assign(unit=images["unit"].str.extract(r"(\d+)$")[0])).boards
    found = one_measured(CLAIM, stack)
    assert found is not None
    assert (len(found.tasks), found.images) == (4, 50)


@pytest.mark.parametrize("ordinary", [-0.004, -0.1])
def test_there_is_no_ratio_to_what_is_not_above_0(ordinary: float) -> None:
    found = one_measured(CLAIM, board(0.10, ordinary))
    assert found is not None
    assert (found.unit, found.value) == ("difference", pytest.approx(0.101 - ordinary - 0.003))
    assert found.direction == -1


@pytest.mark.parametrize(("bound", "direction"), [(0.0, 1), (-0.06, -1), (0.1, 1)])
def test_the_bound_of_a_claim_moves_what_counts_as_the_claimed_side(bound: float, direction: int) -> None:
    claim = replace(CLAIM, bound=bound, unit="difference")
    found = one_measured(claim, board(0.10, 0.15))
    assert found is not None
    assert (found.direction, found.value) == (direction, pytest.approx(0.101 - 0.153))


def test_without_another_explainer_the_value_itself_is_measured() -> None:
    claim = replace(CLAIM, other="", unit="value", bound=0.2)
    found = one_measured(claim, board(0.10, 0.15), "")
    assert found is not None
    assert (found.unit, found.value, found.direction) == ("value", pytest.approx(0.101), 1)
    assert found.low < 0.101 < found.high


def test_claims_that_are_measured_together_are_those_measured_one_by_one() -> None:
    stack = board(0.10, 0.15, tasks=3)
    values = replace(CLAIM, other="", unit="value", bound=0.2)
    both = [(CLAIM, ORDINARY), (values, ""), (replace(CLAIM, unit="difference"), ORDINARY)]
    asked = [ClaimOnBoard(claim, ROLE, stack.aligned.board, "interp_cnn", other) for claim, other in both]
    assert measured(stack, asked) == [one_measured(claim, stack, other) for claim, other in both]
