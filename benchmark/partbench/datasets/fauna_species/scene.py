"""Scenes of `fauna_species`: one bird of a species, in fauna's poses, places, light and occluders, and scenes of none.

Colours of the looks are also those of things behind the bird, of its face and of its tail, so that which colours an
image has tells little of the species.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from partbench.datasets.fauna.backdrop import draw_blob
from partbench.datasets.fauna.body import Material
from partbench.datasets.fauna.coat import Coat, draw_coat
from partbench.datasets.fauna.other_scene import draw_other_scene
from partbench.datasets.fauna.pose import Pose, draw_pose
from partbench.datasets.fauna.scene import Camera, Scene, Stream, random_stream, stage
from partbench.datasets.fauna.vocabulary import CUB_LANDMARKS, THING, Vocabulary
from partbench.datasets.fauna_species.plumage import SIDES, Dye, bird_of
from partbench.datasets.fauna_species.species import SPECIES, TRUTH

PART_NAMES = (
    "back", "beak", "belly", "breast", "crown", "eyes", "face", "forehead", "legs", "nape", "tail", "throat", "wings",
)  # fmt: skip
_PAIRED = {"eye": "eyes", "wing": "wings", "leg": "legs", "foot": "legs"}

SPECIES_VOCABULARY = Vocabulary(
    categories=SPECIES,
    part_names=PART_NAMES,
    part_of={part: part for part in PART_NAMES if part not in _PAIRED.values()}
    | {f"{side}_{one}": part for one, part in _PAIRED.items() for side in SIDES}
    | {THING: ""},
    landmark_names=CUB_LANDMARKS,
)

_DYES = {
    Dye.BLACK: (0.09, 0.08, 0.09),
    Dye.WHITE: (0.95, 0.95, 0.92),
    Dye.RED: (0.82, 0.13, 0.10),
    Dye.YELLOW: (0.95, 0.78, 0.14),
}
MOST_FLOWERS = 6
_HUES = ((0.03, 0.13), (0.18, 0.36), (0.52, 0.66))  # brown, olive and bluish coats


@lru_cache(maxsize=4)
def draw_species_scene(seed: int, index: int) -> Scene:
    """Scene `index` of a seed; its label, the index of its species, is index mod 12."""
    label = index % len(SPECIES)
    return scene_with(TRUTH[SPECIES[label]], label, seed, index)


def scene_with(looks: Mapping[str, str], label: int, seed: int, index: int) -> Scene:
    """The scene of a seed and an index with a bird whose parts have these looks; all else does not depend on them.

    Raises KeyError where a part of `species.PROPERTIES` has no look.
    """
    stream = partial(random_stream, seed, index)
    body = bird_of(looks, _facing(draw_pose(stream(Stream.POSE))))
    coat = _plumage(draw_coat(stream(Stream.COAT)), stream(Stream.ADORNMENT))
    scene = stage(label, body, _camera(stream(Stream.CAMERA)), coat, stream)
    return replace(_among_flowers(scene, seed, index), vocabulary=SPECIES_VOCABULARY)


def draw_other_species_scene(seed: int, index: int) -> Scene:
    """Scene `index` of a seed that shows no bird; its label is the number of species."""
    scene = _among_flowers(draw_other_scene(seed, index), seed, index)
    return replace(scene, label=len(SPECIES), vocabulary=SPECIES_VOCABULARY)


def _facing(pose: Pose) -> Pose:
    """A pose whose head is turned less far, so that one side of it is seen."""
    return replace(pose, neck_yaw=0.5 * pose.neck_yaw, head_yaw=0.5 * pose.head_yaw)


def _camera(rng: np.random.Generator) -> Camera:
    """Larger and more from the side than in fauna, as photographers of birds choose; one image in eight is cut off."""
    yaw = rng.uniform(-0.3, 0.6)
    angles = (np.pi - yaw if rng.random() < 0.5 else yaw, rng.uniform(0.0, 0.25), rng.normal(0.0, 0.06))
    size, place = rng.uniform(0.65, 0.92), (rng.random(), rng.random())
    cut = (rng.uniform(0.08, 0.2), int(rng.integers(4)))
    return Camera(angles, size, place, cut if rng.random() < 0.125 else None)


def _among_flowers(scene: Scene, seed: int, index: int) -> Scene:
    """The scene with things in the colours of the looks behind what it shows."""
    rng, flowers = random_stream(seed, index, Stream.ATTRIBUTES), []
    for _ in range(int(rng.integers(0, MOST_FLOWERS + 1))):
        blob = draw_blob(rng, tuple(rng.uniform(0, 1, 2)), rng.uniform(0.03, 0.09))
        flowers.append(replace(blob, colour=_dyes(rng)[rng.integers(len(_DYES))]))
    return replace(scene, backdrop=replace(scene.backdrop, blobs=(*scene.backdrop.blobs, *flowers)))


def _dyes(rng: np.random.Generator) -> Float[ndarray, "dyes 3"]:
    return np.clip(np.array(list(_DYES.values())) + rng.normal(0, 0.04, (len(_DYES), 3)), 0, 1)


def _plumage(coat: Coat, rng: np.random.Generator) -> Coat:
    """A plain coat of medium brightness and any of several hues, on which all dyes can be seen; the species has no part
    in it."""
    hue = rng.uniform(*_HUES[rng.integers(len(_HUES))])
    base = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.08, 0.42), rng.uniform(0.42, 0.66)))
    own = coat.colours.copy()
    own[Material.COAT], own[Material.SECOND], own[Material.PALE] = base, 0.75 * base, 0.8 * base + 0.2
    dyes = _dyes(rng)
    own_choice = np.concatenate((dyes, base[None]))[rng.integers(len(dyes) + 1, size=2)]  # of face and tail
    return replace(coat, colours=np.concatenate((own, dyes, own_choice)), pattern="plain", rough=min(coat.rough, 0.2))
