"""The scene of one image of fauna_scenes: a room with objects, which alone tell what room it is.

Colours, walls, floor, light and the objects of EVERYWHERE come from random streams of their own and know nothing of the
category.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from partbench.datasets.fauna.body import Solids
from partbench.datasets.fauna.coat import Coat
from partbench.datasets.fauna.scene import Scene, Stream, draw_light, random_stream, view_of

from . import everywhere, fixtures, furniture
from .piece import FINISHES, MAIN, Piece, Rng
from .room import BACK, draw_finishes, draw_room
from .vocabulary import EVERYWHERE, ROOM_VOCABULARY, ROOMS

SCENES_VERSION = "1"
OTHER_LABEL = len(ROOMS)
LEAST_OWN = 2  # objects of a room that every image of it shows
STRAY = 0.3  # share of the images that show an object of another room too
TRIES = 14  # places that are tried for an object; the one that hides least of the others is taken


@dataclass(frozen=True)
class ObjectClass:
    """How the objects of a class are built and where they stand."""

    build: Callable[[Piece, Rng], None]
    zone: str  # "wall": with the back to the wall; "floor": anywhere; "flat": under others; "hung"; "ceiling"
    turn: float = 0.35  # radians to either side of facing the viewer
    most: int = 1  # objects of the class in a scene


KINDS: dict[str, ObjectClass] = {
    "bathtub": ObjectClass(fixtures.bathtub, "floor", 0.6),
    "toilet": ObjectClass(fixtures.toilet, "floor", 0.7),
    "washbasin": ObjectClass(fixtures.washbasin, "wall"),
    "bed": ObjectClass(furniture.bed, "floor", 0.7),
    "wardrobe": ObjectClass(furniture.wardrobe, "wall"),
    "dresser": ObjectClass(furniture.dresser, "wall"),
    "table": ObjectClass(furniture.table, "floor", 0.6),
    "chair": ObjectClass(furniture.chair, "floor", 3.1, 3),
    "chandelier": ObjectClass(fixtures.chandelier, "ceiling", 3.1),
    "stove": ObjectClass(fixtures.stove, "wall", 0.5),
    "refrigerator": ObjectClass(fixtures.refrigerator, "wall", 0.5),
    "sink": ObjectClass(fixtures.sink, "wall"),
    "sofa": ObjectClass(furniture.sofa, "floor", 0.6),
    "television": ObjectClass(fixtures.television, "wall"),
    "fireplace": ObjectClass(fixtures.fireplace, "wall", 0.3),
    "desk": ObjectClass(furniture.desk, "floor", 0.5),
    "office_chair": ObjectClass(furniture.office_chair, "floor", 1.3),
    "bookcase": ObjectClass(furniture.bookcase, "wall"),
    "lamp": ObjectClass(everywhere.lamp, "floor", 3.1),
    "plant": ObjectClass(everywhere.plant, "floor", 3.1, 2),
    "picture": ObjectClass(everywhere.picture, "hung", 0.0, 2),
    "rug": ObjectClass(everywhere.rug, "flat", 0.5),
    "carton": ObjectClass(everywhere.carton, "floor", 0.8, 2),
    "ball": ObjectClass(everywhere.ball, "floor", 3.1, 2),
}


@dataclass(frozen=True)
class RoomView:
    """An oblique view from above: a map of the axes of the room to those of the image, a zoom and an offset."""

    view: Float[ndarray, "3 3"]
    zoom: float  # frames per metre
    offset: Float[ndarray, "3"]


@lru_cache(maxsize=4)
def draw_room_scene(seed: int, index: int) -> Scene:
    """Scene `index` of the data set `seed`; the room is index mod 6."""
    stream = partial(random_stream, seed, index)
    label = index % len(ROOMS)
    return furnish(label, draw_own(stream(Stream.ATTRIBUTES), label), stream)


@lru_cache(maxsize=4)
def draw_other_room_scene(seed: int, index: int) -> Scene:
    """Scene `index` of a seed that shows none of ROOMS: things of any room and, in some images, one stray object."""
    stream = partial(random_stream, seed, index)
    rng = stream(Stream.ATTRIBUTES)
    own = [name for objects in ROOMS.values() for name in objects]
    return furnish(OTHER_LABEL, [own[rng.integers(len(own))]] if rng.random() < STRAY else [], stream, (2, 4))


def furnish(label: int, own: Sequence[str], stream: Callable[[Stream], Rng], others: tuple[int, int] = (1, 3)) -> Scene:
    """A room with these objects and between `others` classes of EVERYWHERE."""
    shapes, places = stream(Stream.THING), stream(Stream.POSE)
    names = counted([*own, *draw_others(stream(Stream.ADORNMENT), *others)], shapes)
    camera = _room_view(stream(Stream.CAMERA))
    objects = [_build(name, camera, shapes, places) for name in names]
    placed = _arrange(list(zip(names, objects, strict=True)), camera, places)
    colours = stream(Stream.COAT)
    palette = np.concatenate([np.zeros((int(MAIN), 3)), *(draw_finishes(colours) for _ in placed)])
    solids = _together([replace(one, materials=one.materials + k * FINISHES) for k, (_, one) in enumerate(placed)])
    backdrop = draw_room(stream(Stream.BACKDROP), camera.view, camera.zoom, camera.offset)
    shadows = np.array([_shadow(one) for name, one in placed if KINDS[name].zone in ("wall", "floor")]).reshape(-1, 4)
    light = draw_light(stream(Stream.LIGHT))
    return Scene(label, solids, shadows, _plain(palette), backdrop, light, None, ROOM_VOCABULARY)


def draw_own(rng: Rng, label: int) -> list[str]:
    """Two or all of the objects of a room, by their odds, and in some images a stray object of another room."""
    rooms = list(ROOMS.values())
    other = list(rooms[(label + rng.integers(1, len(rooms))) % len(rooms)])
    stray = other[rng.integers(len(other))] if rng.random() < STRAY else None
    while True:
        chosen = [name for name, share in rooms[label].items() if rng.random() < share]
        if len(chosen) >= LEAST_OWN:
            return chosen + ([stray] if stray else [])


def draw_others(rng: Rng, least: int, most: int) -> list[str]:
    """Some classes of EVERYWHERE."""
    return [EVERYWHERE[k] for k in rng.permutation(len(EVERYWHERE))[: rng.integers(least, most + 1)]]


def counted(names: Sequence[str], rng: Rng) -> list[str]:
    """Each name once or, where a class allows it, several times."""
    return [name for name in names for _ in range(rng.integers(1, KINDS[name].most + 1))]


def _room_view(rng: Rng) -> RoomView:
    view = view_of((rng.uniform(-0.45, 0.45), rng.uniform(0.26, 0.5), rng.normal(0, 0.06)))
    zoom = 1 / rng.uniform(2.9, 3.5)
    middle = np.array((0.5, rng.uniform(0.5, 0.58), 0.0)) + np.append(rng.normal(0, 0.02, 2), 0)
    return RoomView(view, zoom, middle - zoom * view @ (0, 0.72, -0.25))


def _build(name: str, camera: RoomView, shapes: Rng, places: Rng) -> Solids:
    """An object that stands where the axes of the room meet, as the camera sees it."""
    kind, piece = KINDS[name], Piece(name)
    kind.build(piece, shapes)
    turn = places.uniform(-kind.turn, kind.turn)
    around = np.array(((np.cos(turn), 0, np.sin(turn)), (0, 1, 0), (-np.sin(turn), 0, np.cos(turn))))
    return piece.body.seen_from(camera.view @ around).moved(camera.zoom, camera.offset)


def _arrange(objects: list[tuple[str, Solids]], camera: RoomView, rng: Rng) -> list[tuple[str, Solids]]:
    """The objects at places where they hide little of each other, the largest first."""
    boxes = [_frame_box(solids) for _, solids in objects]
    placed, taken = [], np.zeros((0, 4))
    for k in sorted(range(len(objects)), key=lambda k: -float(_area(boxes[k]))):
        name, solids = objects[k]
        zone = KINDS[name].zone
        shifts = camera.zoom * _places(zone, rng) @ camera.view.T
        moved = boxes[k] + np.tile(shifts[:, :2], 2)
        best = np.argmin(_costs(moved, taken[:0] if zone == "flat" else taken))
        placed.append((name, solids.moved(1.0, shifts[best])))
        taken = np.concatenate((taken, moved[best : best + 1]))
    return placed


def _places(zone: str, rng: Rng) -> Float[ndarray, "t 3"]:
    """Where an object of a zone may stand or hang, in metres."""
    low, high = {
        "hung": ((-1.25, 1.2, BACK + 0.04), (1.25, 1.7, BACK + 0.04)),
        "ceiling": ((-0.75, 1.25, -0.6), (0.75, 1.6, 0.3)),
        "wall": ((-1.25, 0.0, BACK + 0.35), (1.25, 0.0, BACK + 0.6)),
    }.get(zone, ((-1.25, 0.0, -0.6), (1.25, 0.0, 0.75)))
    return rng.uniform(low, high, (TRIES, 3))


def _frame_box(solids: Solids) -> Float[ndarray, "4"]:
    low, high = solids.corners()
    return np.concatenate((low.min(0)[:2], high.max(0)[:2]))


def _area(boxes: Float[ndarray, "*n 4"]) -> Float[ndarray, "*n"]:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _shared(a: Float[ndarray, "*n 4"], b: Float[ndarray, "*n 4"]) -> Float[ndarray, "*n"]:
    """Area that boxes have in common."""
    return _area(np.concatenate((np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])), -1))


def _costs(boxes: Float[ndarray, "t 4"], others: Float[ndarray, "o 4"]) -> Float[ndarray, "t"]:
    """How much of a box is outside the frame or shared with other boxes, relative to the smaller of two."""
    outside = 1 - _shared(boxes, np.broadcast_to((0.0, 0.0, 1.0, 1.0), boxes.shape)) / _area(boxes)
    pairs = np.broadcast_arrays(boxes[:, None], others)
    return 2.5 * outside + (_shared(*pairs) / np.minimum(*map(_area, pairs))).sum(1)


def _shadow(solids: Solids) -> Float[ndarray, "4"]:
    """A soft ellipse under an object."""
    x0, _, x1, y1 = _frame_box(solids)
    half = 0.5 * (x1 - x0)
    return np.array(((x0 + x1) / 2, y1 - 0.25 * half, 1.1 * half, 0.45 * half))


def _together(objects: Sequence[Solids]) -> Solids:
    """All solids of several objects."""

    def all_of(name: str) -> ndarray:
        return np.concatenate([getattr(one, name) for one in objects])

    numbers = [np.cumsum((0, len(one.start), len(one.centre), len(one.middle))) for one in objects]
    parts: list[str] = []
    materials: list[ndarray] = []
    for kind in range(3):  # cones of all objects, then ellipsoids, then boxes
        for one, at in zip(objects, numbers, strict=True):
            parts += one.parts[at[kind] : at[kind + 1]]
            materials.append(one.materials[at[kind] : at[kind + 1]])
    names = ("start", "end", "radii", "centre", "shape", "extent")
    start, end, radii, centre, shape, extent = map(all_of, names)
    return Solids(
        start, end, radii, centre, shape, extent, tuple(parts), np.concatenate(materials), {},
        all_of("middle"), all_of("sides"),
    )  # fmt: skip


def _plain(palette: Float[ndarray, "materials 3"]) -> Coat:
    """Colours without a pattern."""
    nothing = np.zeros((2, 2))
    return Coat(palette, np.zeros(3), "plain", 1.0, 0.0, 0.0, nothing, nothing, 0.0, 0.0)
