"""Where the skin of an animal lies, from its shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench.datasets.fauna.anatomy import Anatomy
from partbench.datasets.fauna.body import Body, vector


def capsule() -> Body:
    body = Body()
    body.cone("torso", vector(-1, 0, 0), vector(1, 0, 0), (0.2, 0.4))
    body.ellipsoid("head", vector(0, 2, 0), np.diag((0.1, 0.3, 0.5)))
    return body


@given(t=st.floats(-0.9, 0.9), turn=st.floats(0, 6.28))
def test_the_skin_of_a_tapered_capsule_is_at_its_radius(t: float, turn: float) -> None:
    point = Anatomy(capsule()).skin(("torso",), vector(t, 0, 0), vector(0, np.cos(turn), np.sin(turn)))
    assert point[0] == pytest.approx(t)
    assert np.hypot(point[1], point[2]) == pytest.approx(0.3 + 0.1 * t, abs=0.011)


@pytest.mark.parametrize(("axis", "half"), [(0, 0.1), (1, 0.3), (2, 0.5)])
def test_the_skin_of_an_ellipsoid_is_at_its_half_axes(axis: int, half: float) -> None:
    direction = np.eye(3)[axis] * 7  # its length does not matter
    point = Anatomy(capsule()).skin(("head",), vector(0, 2, 0), direction)
    assert point[axis] - (0, 2, 0)[axis] == pytest.approx(half, abs=0.011)


def test_a_ray_that_meets_nothing_stays_where_it_was() -> None:
    assert Anatomy(capsule()).skin(("tail",), vector(1, 2, 3), vector(0, 1, 0)).tolist() == [1, 2, 3]
