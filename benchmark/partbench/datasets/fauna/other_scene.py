"""Scenes of no animal of the categories: a thing in its place, with the same coats, backdrops, light and occluders."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

from .coat import draw_coat
from .scene import Scene, Stream, draw_camera, random_stream, stage
from .things import draw_thing
from .vocabulary import CATEGORIES

OTHER_VERSION = "1"
OTHER_LABEL = len(CATEGORIES)
LARGER = 1.06  # than animals: things fill less of their box


@lru_cache(maxsize=4)
def draw_other_scene(seed: int, index: int) -> Scene:
    """Scene `index` of a seed that shows no animal; its label is OTHER_LABEL."""
    stream = partial(random_stream, seed, index)
    thing = draw_thing(stream(Stream.THING))
    camera = draw_camera(stream(Stream.CAMERA))
    camera = replace(camera, size=LARGER * camera.size)
    return stage(OTHER_LABEL, thing, camera, draw_coat(stream(Stream.COAT)), stream)
