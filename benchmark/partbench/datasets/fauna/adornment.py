"""The local attributes as solids of bright colours on a body of any category."""

from __future__ import annotations

from collections.abc import Callable, Set
from enum import IntEnum

import numpy as np

from .anatomy import Anatomy
from .body import Body, Material, Point, vector

SIDES = (("left", -1), ("right", 1))
_TRUNK, _HEAD = ("torso",), ("head", "muzzle")
_UP, _RIGHT = vector(0, 1, 0), vector(0, 0, 1)


class Dye(IntEnum):
    """Materials of adornments, numbered after those of the body."""

    WHITE = len(Material)
    BLACK = len(Material) + 1
    RED = len(Material) + 2
    BLUE = len(Material) + 3
    YELLOW = len(Material) + 4
    MAGENTA = len(Material) + 5
    GREEN = len(Material) + 6
    ORANGE = len(Material) + 7
    TEAL = len(Material) + 8
    IVORY = len(Material) + 9
    PINK = len(Material) + 10


def adorn(body: Body, shown: Set[str]) -> None:
    """Draw these local attributes on a body, in place, and take away what looks like others: horns, mane, long tail."""
    _strip(body, ("left_horn", "right_horn"))
    body.cones = [c for c in body.cones if not (c[0] == "neck" and c[1] == Material.SECOND)]  # a horse's mane
    _stretch_tail(body, 0.8 if "long_tail" in shown else 0.3)
    anatomy = Anatomy(body)
    for name, draw in DRAWN.items():
        if name in shown:
            draw(anatomy)


def _strip(body: Body, parts: tuple[str, ...]) -> None:
    body.cones = [c for c in body.cones if c[0] not in parts]
    body.ellipsoids = [e for e in body.ellipsoids if e[0] not in parts]
    for part in parts:
        body.landmarks.pop(part, None)


def _stretch_tail(body: Body, length: float) -> None:
    """Make the tail that long, in body units; thickness stays."""
    cones = [c for c in body.cones if c[0] == "tail"]
    fans = [e for e in body.ellipsoids if e[0] == "tail"]
    root = cones[0][2] if cones else fans[0][2] - fans[0][3][:, 0]
    reach = [c[3] for c in cones] + [e[2] + e[3][:, 0] for e in fans]
    factor = length / max(float(np.linalg.norm(point - root)) for point in reach)

    def moved(point: Point) -> Point:
        return root + factor * (point - root)

    body.cones = [(*c[:2], moved(c[2]), moved(c[3]), c[4]) if c[0] == "tail" else c for c in body.cones]
    body.ellipsoids = [(*e[:2], moved(e[2]), e[3] * (factor, 1, 1)) if e[0] == "tail" else e for e in body.ellipsoids]
    if "tail" in body.landmarks:
        body.landmarks["tail"] = ("tail", moved(body.landmarks["tail"][1]))


def _disc(a: Anatomy, part: str, at: tuple[Point, Point], radius: float, dye: Dye) -> None:
    """A flat round patch at a point of the skin, facing the direction `at[1]`."""
    point, normal = at[0], at[1] / np.linalg.norm(at[1])
    side = np.cross(normal, _UP if abs(normal[1]) < 0.9 else vector(1, 0, 0))
    side = side / np.linalg.norm(side)
    axes = np.stack((normal * 0.04, side * radius, np.cross(normal, side) * radius), 1)
    a.body.ellipsoid(part, point, axes, dye)


def _horns(a: Anatomy) -> None:
    centre, face, size = a.head
    for side, sign in SIDES:
        root = centre + face @ (np.array((0.0, 0.65, 0.6 * sign)) * size)
        bend = root + face @ (0.0, 0.1, 0.13 * sign)
        tip = bend + face @ (0.1, 0.2, 0.03 * sign)
        a.body.chain(f"{side}_horn", [root, bend, tip], [0.06, 0.05, 0.015], Dye.IVORY)


def _hat(a: Anatomy) -> None:
    centre, face, size = a.head
    base = centre + face @ (0, 0.85 * size[1], 0)
    a.body.ellipsoid("head", base, face * (0.17, 0.035, 0.17), Dye.MAGENTA)
    a.body.cone("head", base, base + face @ (-0.04, 0.36, 0), (0.11, 0.02), Dye.MAGENTA)


def _big_eyes(a: Anatomy) -> None:
    for side, _ in SIDES:
        part = f"{side}_eye"
        centre = next(c[2] for c in a.body.cones if c[0] == part)
        a.body.cones = [
            (*c[:2], centre + 2.5 * (c[2] - centre), centre + 2.5 * (c[3] - centre), tuple(2.5 * r for r in c[4]))
            if c[0] == part
            else c
            for c in a.body.cones
        ]


def _long_ears(a: Anatomy) -> None:
    """Upright ears like a hare's in place of the animal's own; a landmark stays one."""
    centre, face, size = a.head
    for side, sign in SIDES:
        part = f"{side}_ear"
        known = part in a.body.landmarks
        _strip(a.body, (part,))
        root = centre + face @ (np.array((-0.5, 0.55, 0.5 * sign)) * size)
        middle, tip = root + face @ (-0.05, 0.24, 0.05 * sign), root + face @ (-0.12, 0.46, 0.1 * sign)
        a.body.chain(part, [root, middle, tip], [0.045, 0.075, 0.02])
        inner = face @ (0.035, 0, 0.04 * sign)
        a.body.cone(part, 0.5 * root + 0.5 * middle + inner, 0.7 * tip + 0.3 * middle + inner, (0.05, 0.02), Dye.PINK)
        if known:
            a.body.landmark(part, part, middle)


def _dark_muzzle(a: Anatomy) -> None:
    part, root, tip, radius = a.snout
    wide = 1.12 * radius if part != "beak" else 0.075
    a.body.cones = [(c[0], Dye.BLACK, *c[2:]) if c[0] in ("muzzle", "beak") else c for c in a.body.cones]
    a.body.cone(part, 0.4 * root + 0.6 * tip, tip, (wide * 1.1, wide if part != "beak" else 0.03), Dye.BLACK)


def _cheek_spots(a: Anatomy) -> None:
    centre, face, size = a.head
    for _, sign in SIDES:
        outward = face @ (0.15, -0.45, float(sign))
        origin = centre + face @ (-0.1 * size[0], 0, 0)
        _disc(a, "head", (a.skin(_HEAD, origin, outward), outward), 0.085, Dye.ORANGE)


def _beard(a: Anatomy) -> None:
    part, root, tip, radius = a.snout
    down = -0.5 * a.head[1][:, 1] - 0.5 * _UP
    chin = 0.45 * root + 0.55 * tip + 0.7 * radius * down
    a.body.cone(part, chin, chin + 0.3 * down / np.linalg.norm(down), (0.075, 0.015), Dye.WHITE)


def _collar(a: Anatomy) -> None:
    low, high, axes = a.neck
    middle = 0.4 * low + 0.6 * high
    girth = [float(np.linalg.norm(a.skin(("neck",), middle, axes @ d) - middle)) for d in ((0, 1, 0), (0, 0, 1))]
    a.body.ball("neck", middle, 1.2 * max(girth), Dye.RED)


def _mane(a: Anatomy) -> None:
    """Dark locks from the crown down the back of the neck to the withers."""
    low, high, axes = a.neck
    rear, front = a.trunk
    line = [(low + t * (high - low), axes) for t in (0.1, 0.4, 0.75, 1.1)]
    line += [(rear + t * (front - rear), a.along) for t in (0.88, 1.03)]
    for middle, frame in line:
        back = a.skin(("neck", "torso"), middle, frame @ (0, 1, 0))
        a.body.ball("neck", back, 0.09, Dye.BLACK)
        for sign in (-1, 1):
            a.body.ball("neck", back + frame @ (0, -0.09, 0.08 * sign), 0.08, Dye.BLACK)


def _saddle(a: Anatomy) -> None:
    _wrap(a, 0.62, 1, Dye.BLUE, 0.24)


def _belly_patch(a: Anatomy) -> None:
    _wrap(a, 0.5, -1, Dye.WHITE, 0.3)


def _wrap(a: Anatomy, t: float, sign: int, dye: Dye, half_length: float) -> None:
    """A cloth around the upper (sign 1) or lower (-1) half of the trunk, `t` of the way from rear to front."""
    rear, front = a.trunk
    middle = rear + t * (front - rear)
    height = np.linalg.norm(a.skin(_TRUNK, middle, a.along @ (0, float(sign), 0)) - middle)
    width = np.linalg.norm(a.skin(_TRUNK, middle, a.along @ (0, 0.3 * sign, 1)) - middle)
    centre = middle + a.along @ (0, 0.32 * sign * height, 0)
    a.body.ellipsoid("torso", centre, a.along * (half_length, 0.78 * height, 1.05 * width), dye)


def _spikes(a: Anatomy) -> None:
    rear, front = a.trunk
    for t in (-0.2, -0.02, 0.16, 0.34):
        root = a.skin(_TRUNK, rear + t * (front - rear), a.along @ (0, 1, 0))
        a.body.cone("torso", root - a.along @ (0, 0.03, 0), root + a.along @ (-0.04, 0.2, 0), (0.075, 0.01), Dye.TEAL)


def _spots(a: Anatomy) -> None:
    rear, front = a.trunk
    for _, sign in SIDES:
        for t, height in ((-0.12, 0.1), (0.12, 0.75), (0.22, -0.15), (0.85, 0.35), (0.95, -0.3), (0.58, -0.1)):
            outward = a.along @ (0, height, float(sign))
            _disc(a, "torso", (a.skin(_TRUNK, rear + t * (front - rear), outward), outward), 0.08, Dye.YELLOW)


def _bib(a: Anatomy) -> None:
    _, front = a.trunk
    ahead = a.along @ (1, -0.35, 0)
    reach = float(np.linalg.norm(a.skin(_TRUNK, front, ahead) - front))
    a.body.ball("torso", front + 0.6 * reach * ahead, 0.8 * max(reach, 0.24), Dye.GREEN)


def _socks(a: Anatomy) -> None:
    for part, knee, ankle, radius in _shanks(a.body):
        thick = max(1.2 * radius, 0.06)
        a.body.cone(part, ankle, 0.35 * ankle + 0.65 * knee, (thick, thick), Dye.WHITE)


def _shoes(a: Anatomy) -> None:
    for part, _, ankle, _ in _shanks(a.body):
        a.body.cone(part, ankle + vector(0, -0.02, 0), ankle + vector(0.1, -0.04, 0), (0.08, 0.07), Dye.RED)


def _shanks(body: Body) -> list[tuple[str, Point, Point, float]]:
    """Part, knee, ankle and radius at the ankle of each leg."""
    return [(c[0], c[2], c[3], c[4][1]) for c in body.cones if any(np.array_equal(c[3], foot) for foot in body.feet)]


def _tail_tuft(a: Anatomy) -> None:
    cones = [c for c in a.body.cones if c[0] == "tail"]
    fans = [e for e in a.body.ellipsoids if e[0] == "tail"]
    tip = cones[-1][3] if cones else fans[1][2] + fans[1][3][:, 0]
    a.body.ball("tail", tip, 0.11, Dye.WHITE)


# Stripes are in the coat, and the length of the tail is set for every animal.
DRAWN: dict[str, Callable[[Anatomy], None]] = {
    "horns": _horns,
    "hat": _hat,
    "big_eyes": _big_eyes,
    "long_ears": _long_ears,
    "dark_muzzle": _dark_muzzle,
    "cheek_spots": _cheek_spots,
    "beard": _beard,
    "collar": _collar,
    "mane": _mane,
    "saddle": _saddle,
    "spikes": _spikes,
    "spots": _spots,
    "belly_patch": _belly_patch,
    "bib": _bib,
    "socks": _socks,
    "shoes": _shoes,
    "tail_tuft": _tail_tuft,
}
