"""The body of a species: fauna's bird, its surface divided into parts, each drawn as the truth table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from partbench.datasets.fauna.anatomy import Anatomy
from partbench.datasets.fauna.bird import bird
from partbench.datasets.fauna.body import Body, Frame, Material, Point
from partbench.datasets.fauna.pose import Pose

SIDES = ("left", "right")
_PARTS = {"torso": "belly", "neck": "nape", "head": "face"}  # of fauna's bird: what of each remains visible
BEAKS = {"short": (0.17, 0.1), "long": (0.42, 0.06)}  # length and radius at the root
WING = (1.2, 1.3, 1.1)  # times the half axes of fauna's feathers
LONG_TAIL = 2.1  # times the length of a short one


class PlumageDye(IntEnum):
    """Materials of the looks, numbered after those of the body; of FACE and TAIL each individual has its own colour."""

    BLACK = len(Material)
    WHITE = len(Material) + 1
    RED = len(Material) + 2
    YELLOW = len(Material) + 3
    FACE = len(Material) + 4
    TAIL = len(Material) + 5


@dataclass(frozen=True)
class BirdPlan:
    """A bird as fauna builds it, its axes, and the look of each part."""

    body: Body
    anatomy: Anatomy
    looks: Mapping[str, str]

    def dye(self, part: str) -> IntEnum:
        """The material that the look of a part names, else the coat."""
        named = [dye for dye in PlumageDye if dye.name.lower() in self.looks[part].split()]
        return named[0] if named else Material.COAT


def bird_of(looks: Mapping[str, str], pose: Pose) -> Body:
    """A bird whose parts have these looks (see `species.PROPERTIES`), labelled with fine parts."""
    body = bird(pose)
    plan = BirdPlan(body, Anatomy(body), looks)
    _ = plan.anatomy.head, plan.anatomy.neck, plan.anatomy.trunk, plan.anatomy.along, plan.anatomy.snout
    body.cones = [(_PARTS.get(c[0], c[0]), *c[1:]) for c in body.cones]
    body.ellipsoids = [(_PARTS.get(e[0], e[0]), *e[1:]) for e in body.ellipsoids]
    for draw in _DRAWN:
        draw(plan)
    return body


def _repainted(body: Body, part: str, old: IntEnum, new: IntEnum) -> None:
    body.cones = [(c[0], new, *c[2:]) if c[0] == part and c[1] == old else c for c in body.cones]
    body.ellipsoids = [(e[0], new, *e[2:]) if e[0] == part and e[1] == old else e for e in body.ellipsoids]


def _trunk(plan: BirdPlan) -> None:
    """Breast, back and the underside lie on the trunk itself, what else shows of it counts to the belly."""
    body, along = plan.body, plan.anatomy.along
    centre, axes = next((e[2], e[3]) for e in body.ellipsoids if e[0] == "belly")
    girth = float(np.linalg.norm(axes[:, 1]))
    under = centre + along @ (-0.02, -0.34 * girth, 0)
    body.ellipsoid("belly", under, along * (0.36, 0.72 * girth, 0.88 * girth), plan.dye("belly"))
    body.landmark("belly", "belly", under + along @ (-0.02, -0.7 * girth, 0))
    breast = along * (0.21, 0.88 * girth, 0.96 * girth)
    front = centre + along @ (0.22, -0.07, 0)
    body.ellipsoid("breast", front, breast, plan.dye("breast"))
    body.landmark("breast", "breast", front + along @ (0.17, -0.5 * girth, 0))
    if plan.looks["breast"] == "spotted":
        for ahead, up, side in _SPOTS:
            toward = np.array((ahead, up, side))
            body.ball("breast", front + breast @ (toward / np.linalg.norm(toward)), 0.04, PlumageDye.BLACK)
    top = centre + along @ (-0.07, 0.42 * girth, 0)
    body.ellipsoid("back", top, along * (0.34, 0.72 * girth, 0.88 * girth), plan.dye("back"))
    body.landmark("back", "back", top + along @ (0, 0.7 * girth, 0))


_SPOTS = [(ahead, up, side * sign) for sign in (-1, 1) for ahead, up, side in (
    (1.0, 0.15, 0.25), (1.0, -0.45, 0.2), (0.65, -0.1, 0.7), (0.6, -0.65, 0.55), (0.25, -0.4, 0.95), (0.2, 0.15, 1.0),
)]  # fmt: skip


def _neck(plan: BirdPlan) -> None:
    """Nape is what shows of the neck itself; the throat lies on it."""
    low, high, axes = plan.anatomy.neck
    _repainted(plan.body, "nape", Material.COAT, plan.dye("nape"))
    start, end = low + axes @ (0.09, -0.11, 0), high - axes @ (0.02, 0.075, 0)
    plan.body.cone("throat", start, end, (0.155, 0.14), plan.dye("throat"))
    plan.body.landmark("throat", "throat", 0.5 * start + 0.5 * end - axes @ (0, 0.14, 0))
    plan.body.landmark("nape", "nape", 0.45 * low + 0.55 * high + axes @ (0, 0.15, 0))


def _head(plan: BirdPlan) -> None:
    """Crown and forehead lie on the head, what else shows of it is the face, of a colour that tells no species."""
    centre, face, size = plan.anatomy.head
    skull, body = float(size[0]), plan.body
    _repainted(body, "face", Material.COAT, PlumageDye.FACE)
    above = centre + face @ (-0.22 * skull, 0.42 * skull, 0)
    body.ellipsoid("crown", above, face * (0.85 * skull, 0.74 * skull, 0.9 * skull), plan.dye("crown"))
    body.landmark("crown", "crown", above + face @ (0, 0.74 * skull, 0))
    if plan.looks["crown"] == "crest":
        for back, up in ((-0.1, 0.36), (-0.22, 0.33), (-0.33, 0.24)):
            root = above + face @ (0.2 * back, 0.3 * skull, 0)
            body.cone("crown", root, root + face @ (back, up, 0), (0.075, 0.015), Material.SECOND)
    front = centre + face @ (0.5 * skull, 0.4 * skull, 0)
    body.ellipsoid("forehead", front, face * (0.68 * skull, 0.62 * skull, 0.7 * skull), plan.dye("forehead"))
    body.landmark("forehead", "forehead", front + face @ (0.46 * skull, 0.4 * skull, 0))


def _eyes(plan: BirdPlan) -> None:
    centre = plan.anatomy.head[0]
    for side in SIDES:
        part = f"{side}_eye"
        middle, radius = next((c[2], c[4][0]) for c in plan.body.cones if c[0] == part)
        outward = (middle - centre) / np.linalg.norm(middle - centre)
        shift = 0.025 * outward  # crown and forehead lie on the head
        plan.body.cones = [(*c[:2], c[2] + shift, c[3] + shift, c[4]) if c[0] == part else c for c in plan.body.cones]
        plan.body.landmark(part, part, plan.body.landmarks[part][1] + shift)
        if plan.looks["eyes"] == "white ring":
            _disc(plan.body, part, (middle + shift, outward), (2.0 * radius, 0.4 * radius), PlumageDye.WHITE)


def _disc(body: Body, part: str, at: tuple[Point, Point], radii: tuple[float, float], dye: IntEnum) -> None:
    """A round plate of (radius, half thickness) at a point, facing a direction of unit length."""
    point, normal = at
    side = np.cross(normal, (0.0, 1.0, 0.0))
    side = side / np.linalg.norm(side)
    wide, thick = radii
    body.ellipsoid(part, point, np.stack((normal * thick, side * wide, np.cross(normal, side) * wide), 1), dye)


def _beak(plan: BirdPlan) -> None:
    shape, colour = plan.looks["beak"].split()
    _, root, tip, _ = plan.anatomy.snout
    ahead = (tip - root) / np.linalg.norm(tip - root)
    length, radius = BEAKS[shape]
    body, dye = plan.body, PlumageDye.YELLOW if colour == "yellow" else PlumageDye.BLACK
    body.cones = [c for c in body.cones if c[0] != "beak"]
    body.cone("beak", root, root + (length + 0.06) * ahead, (radius, 0.014), dye)
    body.landmark("beak", "beak", root + (0.06 + 0.4 * length) * ahead)


def _wings(plan: BirdPlan) -> None:
    body, look = plan.body, plan.looks["wings"]
    for side in SIDES:
        part = f"{side}_wing"
        body.ellipsoids = [(*e[:3], e[3] * WING) if e[0] == part else e for e in body.ellipsoids]
        feathers = [(e[2], e[3]) for e in body.ellipsoids if e[0] == part]
        if look == "red shoulder":
            centre, axes = feathers[0]
            body.ellipsoid(part, centre - 0.1 * axes[:, 0], axes * (0.95, 1.02, 1.25), PlumageDye.RED)
        if look == "white bars":
            for (centre, axes), reach in ((feathers[0], 0.45), (feathers[1], 0.6)):
                body.ellipsoid(part, centre + reach * axes[:, 0], axes * (0.17, 0.97, 1.35), PlumageDye.WHITE)


def _tail(plan: BirdPlan) -> None:
    """Its length tells species, its colour does not."""
    body = plan.body
    for material in (Material.COAT, Material.SECOND):
        _repainted(body, "tail", material, PlumageDye.TAIL)
    if plan.looks["tail"] == "short":
        return
    fans = [e for e in body.ellipsoids if e[0] == "tail"]
    root = fans[0][2] - 0.8 * fans[0][3][:, 0]

    def stretched(centre: Point, axes: Frame) -> tuple[Point, Frame]:
        return root + LONG_TAIL * (centre - root), axes * (LONG_TAIL, 1, 1)

    body.ellipsoids = [(*e[:2], *stretched(e[2], e[3])) if e[0] == "tail" else e for e in body.ellipsoids]
    body.landmark("tail", "tail", root + LONG_TAIL * (body.landmarks["tail"][1] - root))


def _legs(plan: BirdPlan) -> None:
    dye = PlumageDye.YELLOW if plan.looks["legs"] == "yellow" else PlumageDye.BLACK
    for part in (f"{side}_{segment}" for side in SIDES for segment in ("leg", "foot")):
        _repainted(plan.body, part, Material.KERATIN, dye)
    plan.body.cones = [
        (*c[:4], (1.5 * c[4][0], 1.5 * c[4][1])) if c[1] == dye and c[0].endswith(("_leg", "_foot")) else c
        for c in plan.body.cones
    ]


_DRAWN: tuple[Callable[[BirdPlan], None], ...] = (_trunk, _neck, _head, _eyes, _beak, _wings, _tail, _legs)
