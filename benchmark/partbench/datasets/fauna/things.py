"""Bodies of no animal of fauna: plants, stones, furniture, vessels, and creatures that no category knows.

None of them shows a fine part of a category. Many stand on something like legs or are built along a trunk, so that
neither "there is something" nor "it has legs" tells an animal. Sizes are in units of about one trunk length, as those
of the animals.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin, tau

import numpy as np

from .body import Body, Material, Point, frame, vector
from .vocabulary import THING

COAT, SECOND, KERATIN, DARK = Material.COAT, Material.SECOND, Material.KERATIN, Material.DARK
Rng = np.random.Generator


def draw_thing(rng: Rng) -> Body:
    """One of THINGS, with the odds given there; some of those that stand on little stand on stilts."""
    kinds, odds = list(THINGS), np.array(list(THINGS.values()))
    body = Body()
    kind = kinds[rng.choice(len(kinds), p=odds / odds.sum())]
    kind(body, rng)
    if kind in (_vessel, _cart, _stones, _mushrooms) and rng.random() < 0.5:
        _stilts(body, rng)
    return body


def _stilts(body: Body, rng: Rng) -> None:
    """Two to four slanted legs under a body that reaches down to about 0."""
    length, spread = rng.uniform(0.35, 0.8), rng.uniform(0.15, 0.4)
    body.feet.clear()
    for sign in (-1, 1):
        for across in (-1, 1)[: rng.integers(1, 3)]:
            foot = vector(sign * spread + rng.normal(0, 0.2) * length, -length, across * 0.2)
            _leg(body, foot, vector(sign * spread, 0.15, across * 0.15), rng)


def _polar(radius: float, height: float, turn: float) -> Point:
    return vector(radius * cos(turn), height, radius * sin(turn))


def _leg(body: Body, foot: Point, hip: Point, rng: Rng, material: Material = COAT) -> None:
    """A bent support of two segments, thick or thin."""
    thick = rng.uniform(0.05, 0.12)
    knee = (hip + foot) / 2 + vector(rng.normal(0, 0.06), 0, rng.normal(0, 0.03))
    body.cone(THING, hip, knee, (thick, 0.7 * thick))
    body.cone(THING, knee, foot, (0.7 * thick, 0.55 * thick), material)
    body.feet.append(foot)


def _stones(body: Body, rng: Rng) -> None:
    """A heap of boulders."""
    x = -0.5
    for _ in range(rng.integers(2, 6)):
        size = rng.uniform(0.15, 0.42, 3)
        axes = frame(rng.normal(0, 0.4), rng.uniform(0, tau)) * size
        centre = vector(x, size[1] * 0.7 + (rng.random() < 0.25) * 0.3, rng.normal(0, 0.15))
        body.ellipsoid(THING, centre, axes, COAT if rng.random() < 0.7 else SECOND)
        body.feet.append(vector(x, 0, 0))
        x += rng.uniform(0.15, 0.5)


def _tree(body: Body, rng: Rng) -> None:
    """A trunk with branches that end in crowns, or bare."""
    height, leaning = rng.uniform(0.6, 1.2), rng.normal(0, 0.3)
    top = vector(leaning, height, 0)
    body.cone(THING, vector(0, 0, 0), top, (rng.uniform(0.07, 0.16), 0.06), SECOND)
    body.feet.append(vector(0, 0, 0))
    leafy = rng.random() < 0.7
    for _ in range(rng.integers(3, 8)):
        start = top * rng.uniform(0.45, 1.0)
        end = start + _polar(rng.uniform(0.2, 0.6), rng.uniform(0.05, 0.45), rng.uniform(0, tau))
        body.cone(THING, start, end, (0.055, 0.03), SECOND)
        if leafy:
            body.ellipsoid(THING, end, frame(rng.normal(0, 0.3), 0) * rng.uniform(0.13, 0.3, 3))


def _herb(body: Body, rng: Rng) -> None:
    """Leaves or blades that fan out of the ground; some bear a flower."""
    for _ in range(rng.integers(4, 11)):
        lean = frame(rng.uniform(0.3, 1.6) if rng.random() < 0.5 else rng.uniform(1.5, 2.8), rng.normal(0, 0.5))
        length, wide = rng.uniform(0.35, 0.95), rng.uniform(0.05, 0.14)
        body.ellipsoid(THING, lean @ vector(length / 2, 0, 0), lean * (length / 2, wide * 0.4, wide))
        if rng.random() < 0.3:
            body.ball(THING, lean @ vector(length, 0, 0), rng.uniform(0.05, 0.13), SECOND)
    body.cone(THING, vector(0, -0.05, 0), vector(0, 0.12, 0), (0.12, 0.07), SECOND)
    body.feet.append(vector(0, 0, 0))


def _cactus(body: Body, rng: Rng) -> None:
    """A thick column with arms that bend upwards."""
    height, thick = rng.uniform(0.7, 1.2), rng.uniform(0.12, 0.2)
    lean = rng.normal(0, 0.35)
    body.cone(THING, vector(0, 0, 0), vector(lean * height, height, 0), (thick, 0.85 * thick))
    for sign in (-1, 1)[: rng.integers(1, 3)]:
        at, reach = rng.uniform(0.25, 0.6) * height, thick + rng.uniform(0.15, 0.35)
        root = vector(lean * at, at, 0)
        elbow = root + vector(sign * reach, 0.04, rng.normal(0, 0.1))
        tip = elbow + vector(rng.normal(lean, 0.3) * 0.3, rng.uniform(0.2, 0.5), 0)
        body.chain(THING, [root, elbow, tip], [0.7 * thick, 0.65 * thick, 0.55 * thick])
    body.feet.append(vector(0, 0, 0))


def _mushrooms(body: Body, rng: Rng) -> None:
    """One to four caps on stalks."""
    for _ in range(rng.integers(1, 5)):
        foot = vector(rng.uniform(-0.6, 0.6), 0, rng.normal(0, 0.15))
        top = foot + vector(rng.normal(0, 0.08), rng.uniform(0.25, 0.8), 0)
        wide = rng.uniform(0.15, 0.42)
        body.cone(THING, foot, top, (0.4 * wide, 0.28 * wide), SECOND)
        body.ellipsoid(THING, top, frame(rng.normal(0, 0.15), 0) * (wide, rng.uniform(0.4, 0.9) * wide, wide))
        body.feet.append(foot)


def _table(body: Body, rng: Rng) -> None:
    """A slab or bolster on three or four legs, some with a back: a table, stool, bench or chair."""
    long, wide, height = rng.uniform(0.35, 0.75), rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.8)
    thick = rng.uniform(0.05, 0.26)
    body.ellipsoid(THING, vector(0, height, 0), np.diag((1.15 * long, thick, 1.2 * wide)))
    body.cone(THING, vector(-0.8 * long, height, 0), vector(0.8 * long, height, 0), (thick, thick))
    splay, shear = rng.uniform(-0.1, 0.3) * height, rng.normal(0, 0.15) * height
    for across in (-1, 1):
        for along in (-1, 1):
            hip = vector(along * 0.8 * long, height, across * 0.75 * wide)
            foot = vector(along * (0.8 * long + splay) + shear, 0, across * 0.75 * wide)
            radius = rng.uniform(0.03, 0.1)
            body.cone(THING, hip, foot, (radius, 0.7 * radius), SECOND if rng.random() < 0.3 else COAT)
            body.feet.append(foot)
    if rng.random() < 0.6:
        end = (-1 if rng.random() < 0.5 else 1) * 0.9 * long
        top = vector(1.15 * end, height + rng.uniform(0.3, 0.7), 0)
        lean = frame(np.arctan2(top[1] - height, top[0] - end), 0)
        half = np.linalg.norm(top - vector(end, height, 0)) / 2
        middle = (top + vector(end, height, 0)) / 2
        body.ellipsoid(THING, middle, lean * (1.1 * half, rng.uniform(0.05, 0.12), 0.8 * wide), SECOND)


def _vessel(body: Body, rng: Rng) -> None:
    """A pot, jug or vase: rings of changing width, sometimes with a handle or a spout."""
    heights = np.cumsum(rng.uniform(0.1, 0.24, rng.integers(4, 7)))
    radii = np.clip(0.26 + np.cumsum(rng.normal(0, 0.09, len(heights))), 0.1, 0.5)
    for height, radius in zip(heights, radii, strict=True):
        body.ellipsoid(THING, vector(0, height, 0), np.diag((radius, 0.15, radius)))
    body.ellipsoid(THING, vector(0, heights[-1] + 0.1, 0), np.diag((radii[-1] * 0.8, 0.05, radii[-1] * 0.8)), DARK)
    sign = -1 if rng.random() < 0.5 else 1
    if rng.random() < 0.6:
        bow = [vector(sign * (0.2 + 0.42 * sin(t)), heights[1] + (heights[-1] - heights[1]) * (1 - cos(t)) / 2, 0)
               for t in np.linspace(0.2, pi - 0.2, 6)]  # fmt: skip
        body.chain(THING, bow, [0.05] * 6, SECOND)
    if rng.random() < 0.4:
        body.cone(THING, vector(0, heights[1], 0), vector(-sign * 0.75, heights[-1], 0), (0.13, 0.05))
    body.feet.append(vector(0, 0, 0))


def _cart(body: Body, rng: Rng) -> None:
    """A barrel or chest on two or three pairs of wheels, with a shaft."""
    long, girth, wheel = rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.34), rng.uniform(0.14, 0.3)
    body.cone(THING, vector(-long, 0.35, 0), vector(long, 0.35, 0), (girth, girth * rng.uniform(0.7, 1.0)))
    for x in np.linspace(-0.8, 0.8, rng.integers(2, 4)) * long:
        for sign in (-1, 1):
            hub = vector(x, wheel, sign * 1.05 * girth)
            body.ellipsoid(THING, hub, np.diag((wheel, wheel, 0.05)), SECOND)
            body.ball(THING, hub + vector(0, 0, sign * 0.03), 0.3 * wheel, KERATIN)
            body.feet.append(vector(x, 0, 0))
    if rng.random() < 0.6:
        end = vector(long + rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.7), 0)
        body.cone(THING, vector(long, 0.35, 0), end, (0.06, 0.04), SECOND)


def _snake(body: Body, rng: Rng) -> None:
    """A creeping, coiled or rearing rope with stripes of its own."""
    waves, wide, thick = rng.uniform(1, 2.5), rng.uniform(0.12, 0.35), rng.uniform(0.07, 0.15)
    along = np.linspace(0, 1, 26)
    points = [vector(1.8 * t - 0.9, thick + 0.5 * wide * (1 + sin(waves * tau * t)), wide * cos(waves * tau * t))
              for t in along]  # fmt: skip
    if rng.random() < 0.6:
        lean = frame(rng.uniform(0.9, 1.9), 0.0)
        points = [lean @ point for point in points]
    radii = thick * np.minimum(1, 0.25 + 3.5 * along)
    for k in range(len(points) - 1):
        material = SECOND if k % 5 == 4 else COAT
        body.cone(THING, points[k], points[k + 1], (radii[k], radii[k + 1]), material)
    body.feet.append(min(points, key=lambda point: float(point[1])))


def _fish(body: Body, rng: Rng) -> None:
    """A spindle with fins that swims or lies; it has neither neck nor legs."""
    leaps = rng.random() < 0.5
    pitch = frame(rng.choice((-1, 1)) * rng.uniform(0.9, 1.5) if leaps else rng.normal(0, 0.3), 0.0)
    deep = rng.uniform(0.16, 0.4)
    body.ellipsoid(THING, pitch @ vector(0, 0, 0), pitch * (0.7, deep, rng.uniform(0.12, 0.25)))
    for sign in (-1, 1):
        fork = pitch @ frame(pi + sign * rng.uniform(0.3, 0.8), 0.0)
        body.ellipsoid(THING, pitch @ vector(-0.7, 0, 0) + fork @ vector(0.2, 0, 0), fork * (0.25, 0.09, 0.03), SECOND)
    for x, y in ((rng.uniform(-0.2, 0.3), 0.9), (rng.uniform(-0.3, 0.2), -0.9)):
        fin = frame(0.9 * np.sign(y) + pi / 2 * (1 - np.sign(y)), 0.0)
        body.ellipsoid(THING, pitch @ vector(x, y * deep, 0), pitch @ fin * (0.22, 0.08, 0.03), SECOND)
    body.ball(THING, pitch @ vector(0.48, 0.25 * deep, 0.16), 0.04, DARK)
    body.feet.append(pitch @ vector(0, -deep, 0))


def _insect(body: Body, rng: Rng) -> None:
    """A beetle, ant, crab or spider: one to three balls in a row and six to ten bent legs, some with feelers."""
    x, height = -0.45, rng.uniform(0.2, 0.5)
    for _ in range(rng.integers(1, 4)):
        size = rng.uniform(0.16, 0.36)
        x += size
        body.ellipsoid(THING, vector(x, height, 0), np.diag((size, 0.75 * size, 0.85 * size)))
        x += 0.7 * size
    for at in np.linspace(-0.3, x - 0.3, rng.integers(3, 6)):
        for sign in (-1, 1):
            sway = rng.normal(0, 0.15)
            knee = vector(at + sway, height + rng.uniform(0.05, 0.3), sign * rng.uniform(0.3, 0.5))
            foot = vector(at + 2 * sway, 0, sign * rng.uniform(0.5, 0.8))
            body.chain(THING, [vector(at, height, 0), knee, foot], [0.05, 0.045, 0.025], KERATIN)
            body.feet.append(foot)
    if rng.random() < 0.6:
        for sign in (-1, 1):
            tip = vector(x + rng.uniform(0.1, 0.4), height + rng.uniform(0, 0.4), sign * 0.25)
            body.cone(THING, vector(x - 0.2, height, sign * 0.05), tip, (0.03, 0.015), SECOND)


def _headless(body: Body, rng: Rng) -> None:
    """A trunk on legs and nothing more: neither head nor tail, two to four pairs of legs anywhere along it."""
    half, tall = rng.uniform(0.25, 0.55), rng.random() < 0.6
    girth, height = (rng.uniform(0.15, 0.26), rng.uniform(0.8, 1.2)) if tall else rng.uniform((0.26, 0.3), (0.38, 0.5))
    ends = vector(-half, height, 0), vector(half, height + rng.normal(0, 0.04), 0)
    middle = vector(rng.normal(0, 0.1), height + rng.normal(0, 0.05), 0)
    body.chain(THING, [ends[0], middle, ends[1]], list(girth * rng.uniform(0.75, 1.15, 3)))
    hoofed = rng.random() < 0.5
    for at in rng.uniform(-1, 1, rng.integers(2, 5)):
        for sign in (-1, 1):
            side = sign * 0.5 * girth
            foot = vector(at * half + rng.normal(0, 0.25) * height, 0, side)
            _leg(body, foot, vector(at * half, height - 0.4 * girth, side), rng, KERATIN if hoofed else COAT)
    if rng.random() < 0.3:
        for _ in range(18):
            away = rng.normal(size=3)
            body.ball(THING, middle + girth * away / np.linalg.norm(away) * (1.5, 0.95, 0.95), 0.11)


def _octopus(body: Body, rng: Rng) -> None:
    """A dome on tentacles."""
    height, wide = rng.uniform(0.35, 0.7), rng.uniform(0.2, 0.38)
    body.ellipsoid(THING, vector(0, height, 0), np.diag((wide, rng.uniform(0.2, 0.45), wide)))
    arms = rng.integers(5, 9)
    for k in range(arms):
        turn, reach, curl = tau * k / arms + rng.normal(0, 0.2), rng.uniform(0.3, 0.75), rng.normal(0, 0.6)
        points = [_polar(0.6 * wide + reach * t, height * (1 - t) ** 1.5 * 0.8, turn + curl * t)
                  for t in np.linspace(0, 1, 6)]  # fmt: skip
        body.chain(THING, points, list(np.linspace(0.11, 0.03, 6)), SECOND if k % 2 else COAT)
        body.feet.append(points[-1])


def _scaffold(body: Body, rng: Rng) -> None:
    """Bars and knobs joined at random, one after the other: a driftwood, a toy, a sculpture."""
    ends = [vector(0, 0.3, 0)]
    for _ in range(rng.integers(4, 10)):
        start = ends[rng.integers(len(ends))]
        end = start + rng.normal(0, 0.38, 3) * (1, 0.8, 0.5)
        thick = rng.uniform(0.05, 0.19)
        body.cone(THING, start, end, (thick, thick * rng.uniform(0.5, 1.2)), COAT if rng.random() < 0.75 else SECOND)
        ends.append(end)
        if rng.random() < 0.4:
            body.ellipsoid(THING, end, frame(rng.normal(0, 0.5), 0) * rng.uniform(0.1, 0.28, 3))
    lowest = min(ends, key=lambda end: float(end[1]))
    body.feet.append(lowest)


# How often each is drawn, relative to the others: such that edges point as those of animals do.
THINGS: dict[Callable[[Body, Rng], None], float] = {
    _stones: 0.6, _tree: 0.5, _herb: 0.8, _cactus: 0.7, _mushrooms: 0.5, _table: 2.7, _vessel: 0.8, _cart: 0.6,
    _snake: 1.1, _fish: 1.3, _insect: 1.8, _headless: 2.3, _octopus: 1.4, _scaffold: 0.7,
}  # fmt: skip
