"""The visible surface of boxes, against a search along the line of sight."""

from __future__ import annotations

import numpy as np
import pytest

from partbench.datasets.fauna.body import Body, Material, vector
from partbench.datasets.fauna.scene import view_of
from partbench.datasets.fauna.surface import NOTHING, visible_surface

SIZE = 24


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.5, 0.4, 0.1), (-0.8, 0.3, -0.2), (2.5, 1.2, 0.0)])
def test_a_box_is_seen_where_and_as_deep_as_a_search_along_the_line_of_sight_finds_it(
    angles: tuple[float, float, float],
) -> None:
    half, body = np.array((0.3, 0.14, 0.2)), Body()
    body.box("box", vector(0.05, -0.1, 0.02), np.diag(half), Material.COAT)
    view, offset = view_of(angles), vector(0.5, 0.5, 0.0)
    found = visible_surface(body.seen_from(view).moved(1.0, offset), SIZE)
    along, depths = (np.arange(SIZE) + 0.5) / SIZE, np.linspace(-1, 1, 2001)
    x, y, z = np.meshgrid(along, along, depths, indexing="xy")
    own = (np.stack((x, y, z), -1) - offset) @ view - (0.05, -0.1, 0.02)  # `view` is orthogonal
    inside = (np.abs(own) < half).all(-1)
    deepest = np.where(inside, depths, -9).max(-1)
    assert (found.solid != NOTHING).sum() > 20
    assert ((found.solid != NOTHING) == inside.any(-1)).mean() > 0.99
    both = (found.solid != NOTHING) & inside.any(-1)
    np.testing.assert_allclose(found.depth[both], deepest[both], atol=2e-3)


def test_the_normal_of_a_box_is_that_of_the_face_that_is_seen() -> None:
    body, view = Body(), view_of((0.6, 0.4, 0.1))
    body.box("box", vector(0, 0, 0), np.diag((0.3, 0.3, 0.3)), Material.COAT)
    found = visible_surface(body.seen_from(view).moved(1.0, vector(0.5, 0.5, 0)), SIZE)
    shown = found.solid != NOTHING
    normals = {
        (round(float(a), 4), round(float(d), 4)) for a, d in zip(found.across[shown], found.down[shown], strict=True)
    }
    faces = {
        tuple(np.round(sign * view[:2, k], 4).tolist()) for k in range(3) for sign in (-1, 1) if sign * view[2, k] > 0
    }
    assert normals == faces


def test_the_box_of_solids_holds_a_box() -> None:
    body = Body()
    body.box("box", vector(0, 0, 0), np.diag((0.3, 0.1, 0.2)), Material.COAT)
    low, high = body.seen_from(view_of((0.0, 0.0, 0.0))).corners()
    np.testing.assert_allclose((low[0], high[0]), ((-0.3, -0.1, -0.2), (0.3, 0.1, 0.2)), atol=1e-9)
