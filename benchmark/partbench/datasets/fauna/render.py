"""Render fauna: an image, its exact part masks, landmarks and box, from a seed and an index."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from .backdrop import cast_shadow, paint_backdrop, paint_occluder
from .body import Material
from .coat import UNMARKED, field, marked
from .render_pool import chunks_in_order
from .scene import Light, Scene, draw_scene
from .surface import FAR, NOTHING, Surface, softened_normals, visible_surface
from .vocabulary import (
    ALL_LANDMARKS,
    CATEGORIES,
    CUB_LANDMARKS,
    FINE_PARTS,
    LANDMARK_NAMES,
    OTHER,
    PART_NAMES,
    Vocabulary,
)

__all__ = [
    "ALL_LANDMARKS",
    "CATEGORIES",
    "CUB_LANDMARKS",
    "FAUNA_VERSION",
    "FINE_PARTS",
    "LANDMARK_NAMES",
    "PART_NAMES",
    "Sample",
    "render",
    "render_many",
]

FAUNA_VERSION = "1"
SceneOf = Callable[[int, int], Scene]
_SUPER = 2  # samples per pixel and axis
_HOLLOW = 0.025  # of the frame: how far around a pixel the surface counts in its shading
_LEAST_AREA = 3e-4  # of the frame: a part that shows less has no landmark


@dataclass(frozen=True)
class Sample:
    """One rendered image and its truth.

    image: (H, W, 3) uint8, red green blue.
    label: index into CATEGORIES; len(CATEGORIES) in a scene of no animal, which has no box, landmarks or masks.
    box: (4,) float32 x0 y0 x1 y1 in px, tight around the visible animal; all zero if nothing of it is visible.
    landmarks: (len(ALL_LANDMARKS), 2) float32 x, y in px (pixel i spans i to i + 1); NaN where absent: not a landmark
        of the category, outside the frame, behind the occluder or another part, or left out.
    masks: (len(PART_NAMES), H, W) bool, disjoint; together the pixels at least half covered by the animal.
    """

    image: UInt8[ndarray, "h w 3"]
    label: int
    box: Float[ndarray, "4"]
    landmarks: Float[ndarray, "l 2"]
    masks: Bool[ndarray, "p h w"]


class _Layer(NamedTuple):
    """The animal before it meets its backdrop, at the supersampled size."""

    colour: Float[ndarray, "s s 4"]  # red, green, blue in [0, 1], and 1 where the animal is; else all 0
    fine: Int[ndarray, "s s"]  # 0 where the animal is not
    depth: Float[ndarray, "s s"]


def render(
    seed: int, index: int, size: int = 64, without: tuple[str, ...] = (), scene_of: SceneOf = draw_scene
) -> Sample:
    """Image `index` of the data set `seed` at `size` x `size` pixels; the same scene at every size.

    `without` names parts to leave out: merged (PART_NAMES), fine (FINE_PARTS) or a pair ("ears", "eyes", "horns",
    "wings"). Where such a part was visible appears what lies behind it; pixels it did not touch keep their values to
    the bit, including the animal's soft shadow on the ground. Names of parts that the category lacks remove nothing.
    `scene_of` draws the scene of a seed and an index.

    Raises ValueError for a negative seed or index, a size below 8, and a name that no category has.
    """
    if seed < 0 or index < 0 or size < 8:
        raise ValueError(f"seed and index must be >= 0 and size >= 8, found seed {seed}, index {index}, size {size}")
    scene, layer, ground = (_whole if without else _whole.__wrapped__)(scene_of, int(seed), int(index), size * _SUPER)
    words = scene.vocabulary
    removed = words.removed((*words.categories, OTHER)[scene.label], without, set(scene.solids.parts))
    if removed:
        layer = _uncover(scene, layer, removed)
    picture, fine = _compose(scene, layer, ground)
    image = _develop(scene.light, picture)
    masks = _part_masks(fine, words)
    landmarks = _landmarks(scene, layer._replace(fine=fine), removed)
    return Sample(image, scene.label, _box(np.logical_or.reduce(masks)), landmarks, masks)


def rendered(
    seed: int,
    indices: Sequence[int],
    size: int = 64,
    workers: int | None = None,
    without: Sequence[str] = (),
    scene_of: SceneOf = draw_scene,
) -> Generator[Sample, None, None]:
    """Samples of several indices, in order, one by one; see `render`.

    `workers` processes draw them, or this one if None; the samples do not depend on it. The processes import `scene_of`
    by name and nothing else of the caller.
    """
    if not workers or workers < 2:
        yield from (render(seed, int(index), size, tuple(without), scene_of) for index in indices)
        return
    name = f"{scene_of.__module__}:{scene_of.__qualname__}"
    job = {"seed": int(seed), "size": int(size), "without": list(without), "scene_of": name}
    with closing(chunks_in_order(job, [int(index) for index in indices], workers)) as chunks:
        for chunk in chunks:
            yield from unstack(chunk)


def render_many(
    seed: int, indices: Sequence[int], size: int = 64, workers: int | None = None, **options: Any
) -> dict[str, ndarray]:
    """The same, stacked: image, label, box, landmarks, masks, each (n, ...)."""
    return stack(list(rendered(seed, indices, size, workers, **options)))


def unstack(arrays: Mapping[str, ndarray]) -> Iterator[Sample]:
    """The samples that `stack` stacked."""
    for image, label, box, landmarks, masks in zip(*(arrays[f.name] for f in fields(Sample)), strict=True):
        yield Sample(image, int(label), box, landmarks, masks)


def stack(samples: Sequence[Sample]) -> dict[str, ndarray]:
    """Samples of one size as arrays (n, ...), by the names of their fields."""
    return {f.name: np.stack([getattr(s, f.name) for s in samples]) for f in fields(Sample)}


@lru_cache(maxsize=32)  # a batch, which is asked for without one part after the other
def _whole(scene_of: SceneOf, seed: int, index: int, size: int) -> tuple[Scene, _Layer, Float[ndarray, "h w 3"]]:
    """The scene, the animal at `size` samples a side, and what is behind it at the final size."""
    scene = scene_of(seed, index)
    ground = paint_backdrop(scene.backdrop, size // _SUPER)
    cast_shadow(ground, scene.shadow, scene.backdrop.shadow)
    return scene, _layer(scene, size), np.clip(ground, 0, 1)


def _layer(scene: Scene, size: int) -> _Layer:
    surface = visible_surface(scene.solids, size)
    fine = _fine_parts(scene, surface)
    return _Layer(_paint(scene, surface, _box(fine > 0)), fine, surface.depth)


def _fine_parts(scene: Scene, surface: Surface) -> Int[ndarray, "s s"]:
    fine_of_solid = np.zeros(NOTHING + 1, np.uint8)
    fine_of_solid[: len(scene.solids.parts)] = [scene.vocabulary.fine_id[part] for part in scene.solids.parts]
    return np.take(fine_of_solid, surface.solid)


def _paint(scene: Scene, surface: Surface, box: Float[ndarray, "4"]) -> Float[ndarray, "s s 4"]:
    """The colour of a layer, painted within a box."""
    colour = np.zeros((*surface.solid.shape, 4), np.float32)
    x0, y0, x1, y1 = box.astype(int).tolist()
    if x1 > x0 and y1 > y0:
        window = slice(y0, y1), slice(x0, x1)
        opaque = (surface.solid[window] != NOTHING).astype(np.float32)
        shaded = _shade(scene, surface, window)
        np.minimum(shaded, 1, out=shaded)
        np.multiply(shaded, opaque[:, :, None], out=colour[window][:, :, :3])
        colour[window][:, :, 3] = opaque
    return colour


def _shade(scene: Scene, whole: Surface, window: tuple[slice, slice]) -> Float[ndarray, "h w 3"]:
    """Colour of the animal's surface: coat, wrapped Lambert light, hollows darkened, outlines at steps in depth."""
    size, coat, light = whole.depth.shape[0], scene.coat, scene.light
    surface = Surface(*(np.ascontiguousarray(a[window]) for a in (whole.depth, whole.across, whole.down, whole.solid)))
    material = np.full(NOTHING + 1, Material.COAT, np.uint8)
    material[: len(scene.solids.materials)] = scene.solids.materials
    material = np.take(material, surface.solid)
    colour = np.take(coat.colours.astype(np.float32), material, axis=0)
    furry = material == Material.COAT
    if coat.pattern not in UNMARKED:
        mix = (marked(coat, size, window) * furry)[:, :, None]
        colour += mix * (coat.marking.astype(np.float32) - colour)
    pile = np.float32(coat.rough) * (field(coat.pile, size)[window] - 0.5)
    across, down = softened_normals(surface, 0.012 * size)
    towards = np.sqrt(np.maximum(1 - across * across - down * down, 0))
    lx, ly, lz = (np.float32(v) for v in light.direction)
    lambert = np.clip(0.2 + 0.8 * (across * lx + down * ly + towards * lz), 0, 1)
    shade = np.float32(light.ambient) + np.float32(1.12 - light.ambient) * lambert
    shade *= 1 - np.float32(coat.countershade) * down
    shade *= 1 + pile * (furry | (material == Material.SECOND))
    shade *= _relief(surface.depth, size, light.outline)
    shade[material == Material.GLINT] = 1
    return np.multiply(colour, shade[:, :, None], out=colour)


def _relief(depth: Float[ndarray, "h w"], size: int, outline: float) -> Float[ndarray, "h w"]:
    """Factor in (0, 1]: hollows are darker, and so is the near side of a step in depth."""
    width = 2 * max(1, round(0.004 * size)) + 1
    step = depth - cv2.erode(depth, np.ones((width, width), np.uint8))
    edge = np.clip((step - 0.05) * 16, 0, 1) * np.float32(outline)
    reach = 2 * round(_HOLLOW * size) + 1
    known = np.maximum(depth, -1)
    hollow = np.clip((cv2.blur(known, (reach, reach)) - known) * 2.5, 0, 0.35)
    return (1 - edge) * (1 - hollow * (depth > FAR))


def _uncover(scene: Scene, whole: _Layer, removed: frozenset[str]) -> _Layer:
    """The whole animal, except that where a removed part shows, what lies behind it does.

    The animal without the part is drawn only near what showed of it: as far as neighbours count in shading.
    """
    gone = np.isin(whole.fine, [scene.vocabulary.fine_id[part] for part in removed])
    if not gone.any():
        return whole
    size = len(gone)
    reach = np.float32(round(_HOLLOW * size) + 1)
    near = np.clip(_box(gone) + np.array((-reach, -reach, reach, reach)), 0, size)
    rest = visible_surface(scene.solids, size, removed, near)
    fine = np.where(gone, _fine_parts(scene, rest), whole.fine)
    box = _box(fine > 0)
    box = np.concatenate((np.maximum(box[:2], near[:2]), np.minimum(box[2:], near[2:])))
    return _Layer(
        np.where(gone[:, :, None], _paint(scene, rest, box), whole.colour),
        fine,
        np.where(gone, rest.depth, whole.depth),
    )


def _compose(
    scene: Scene, layer: _Layer, ground: Float[ndarray, "h w 3"]
) -> tuple[Float[ndarray, "h w 3"], Int[ndarray, "s s"]]:
    """The picture in [0, 1] at its final size, and which fine part each sample of it shows."""
    front, fine = layer.colour, layer.fine
    if scene.occluder is not None:
        front = front.copy()
        fine = np.where(paint_occluder(front, scene.occluder), np.uint8(0), fine)
    size = fine.shape[0] // _SUPER
    front = cv2.resize(front, (size, size), interpolation=cv2.INTER_AREA)
    return front[:, :, :3] + (1 - front[:, :, 3:]) * ground, fine


def _develop(light: Light, picture: Float[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    gain = (light.contrast * light.brightness * light.tint).astype(np.float32)
    picture = (picture - 0.5) * gain + np.float32(0.5 * light.brightness)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _part_masks(fine: Int[ndarray, "s s"], words: Vocabulary) -> Bool[ndarray, "p h w"]:
    """A pixel is animal if half of its samples are, and then of the part with most of them (in a tie the earlier)."""
    merged, parts = words.part_of_id[fine], len(words.part_names)
    samples = [np.ascontiguousarray(merged[i::_SUPER, j::_SUPER]) for i in range(_SUPER) for j in range(_SUPER)]
    most, owner = np.zeros_like(samples[0]), np.zeros_like(samples[0])
    for part in range(1, parts + 1):
        count = sum((sample == part).view(np.uint8) for sample in samples)
        np.copyto(owner, part, where=count > most)
        np.maximum(most, count, out=most)
    owner[2 * sum((sample == 0).view(np.uint8) for sample in samples) > len(samples)] = 0
    return owner == np.arange(1, parts + 1, dtype=np.uint8)[:, None, None]


def _box(mask: Bool[ndarray, "h w"]) -> Float[ndarray, "4"]:
    """x0 y0 x1 y1 of a mask; all zero for an empty one."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return np.array((x, y, x + width, y + height), np.float32)


def _landmarks(scene: Scene, layer: _Layer, removed: frozenset[str]) -> Float[ndarray, "l 2"]:
    """Points on the body where they can be seen; for box landmarks the centre of the visible part's box."""
    size, words, parts = layer.fine.shape[0], scene.vocabulary, scene.vocabulary.part_names
    rows = {name: row for row, name in enumerate(words.landmark_names)}
    found = np.full((len(rows), 2), np.nan, np.float32)
    for name, (part, point) in scene.solids.landmarks.items():
        if part not in removed and _seen(layer, words.fine_id[part], point):
            found[rows[name]] = point[:2] * (size / _SUPER)
    merged = words.part_of_id[layer.fine]
    for name in words.box_landmarks.get((*words.categories, OTHER)[scene.label], ()):
        if name in scene.solids.landmarks:
            continue
        mask = layer.fine == words.fine_id[name] if name in ("neck", "torso") else merged == parts.index(name) + 1
        if cv2.countNonZero(mask.view(np.uint8)) >= _LEAST_AREA * size * size:
            x0, y0, x1, y1 = _box(mask)
            found[rows[name]] = (x0 + x1) / 2 / _SUPER, (y0 + y1) / 2 / _SUPER
    return found


def _seen(layer: _Layer, part: int, point: Float[ndarray, "3"]) -> bool:
    """Inside the frame, where the landmark's own part shows or else the animal not clearly in front of the point."""
    size = layer.fine.shape[0]
    column, row = int(np.floor(point[0] * size)), int(np.floor(point[1] * size))
    if not (0 <= column < size and 0 <= row < size):
        return False
    shown = layer.fine[row, column]
    return bool(shown == part or (shown > 0 and point[2] > layer.depth[row, column] - 0.03))
