"""Draw everything that the rendered worlds can show, on one page: out/gallery/index.html.

    python scripts/gallery.py

Of every world its categories, its scenes of none of them, its parts and images without each of them; of fauna also
every attribute, thing and backdrop. Look at the page after a change of a renderer.
"""

from __future__ import annotations

import argparse
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from partbench.datasets.fauna.attribute_scene import draw_attribute_scene
from partbench.datasets.fauna.attributes import ATTRIBUTE_NAMES, LOCAL, attributes_of
from partbench.datasets.fauna.backdrop import draw_backdrop, paint_backdrop
from partbench.datasets.fauna.body import Body
from partbench.datasets.fauna.coat import draw_coat
from partbench.datasets.fauna.other_scene import LARGER, OTHER_LABEL, draw_other_scene
from partbench.datasets.fauna.render import SceneOf, render
from partbench.datasets.fauna.scene import Scene, Stream, draw_camera, draw_scene, random_stream, stage
from partbench.datasets.fauna.things import THINGS
from partbench.datasets.fauna.vocabulary import FAUNA, Vocabulary
from partbench.datasets.fauna_scenes.scene import draw_other_room_scene, draw_room_scene
from partbench.datasets.fauna_scenes.vocabulary import ROOM_VOCABULARY
from partbench.datasets.fauna_species.scene import SPECIES_VOCABULARY, draw_other_species_scene, draw_species_scene

OUT = Path(__file__).resolve().parents[1] / "out" / "gallery"
SEED, SIZE, CAPTION, COLUMNS = 51, 144, 12, 8
Tile = tuple[str, UInt8[ndarray, "s s 3"]]
Section = tuple[str, list[Tile]]


@dataclass(frozen=True)
class World:
    """A rendered world: its scenes, and scenes of none of its categories."""

    name: str
    scene_of: SceneOf
    vocabulary: Vocabulary
    other_scene_of: SceneOf
    more: Callable[[], Iterator[Section]] = lambda: iter(())


def main() -> None:
    """Write the sheets and the page that shows them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    body = []
    for world in WORLDS:
        body.append(f"<h1>{world.name}</h1>")
        for number, (title, tiles) in enumerate(sections(world)):
            name = f"{world.name}-{number}.png"
            sheet(tiles).save(out / name)
            body.append(f'<h2>{html.escape(title)}</h2>\n<img src="{name}" alt="{html.escape(title)}">')
    head = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Gallery</title>'
    (out / "index.html").write_text("\n".join((head, *body, "")))
    print(out / "index.html")


def sections(world: World) -> Iterator[Section]:
    """What every world has, and then what it has more."""
    categories, draw = world.vocabulary.categories, partial(render, SEED, size=SIZE, scene_of=world.scene_of)
    count = len(categories)
    for start in range(0, count, 6):
        some = range(start, min(start + 6, count))
        tiles = [(categories[k], draw(k + count * n).image) for k in some for n in range(COLUMNS)]
        yield f"categories {', '.join(categories[k] for k in some)}", tiles
    others = [render(SEED, n, SIZE, scene_of=world.other_scene_of).image for n in range(2 * COLUMNS)]
    yield "scenes of none of the categories", [("other", image) for image in others]
    yield (
        "every part: marked, and left out",
        [tile for part in world.vocabulary.part_names for tile in part_tiles(world, part)],
    )
    for category, parts in world.vocabulary.fine_parts.items():
        index = categories.index(category) + 2 * count
        tiles = [(category, draw(index).image)]
        tiles += [(f"no {part}", draw(index, without=(part,)).image) for part in (*parts, *world.vocabulary.pairs)]
        yield f"{category} without each of its fine parts, and pairs", tiles
    yield from world.more()


def part_tiles(world: World, part: str) -> list[Tile]:
    """The image of the first dozens that shows most of a part, the part in it, and the image without it."""
    row = world.vocabulary.part_names.index(part)
    small = [render(SEED, index, 32, scene_of=world.scene_of).masks[row].sum() for index in range(48)]
    index = int(np.argmax(small))
    whole = render(SEED, index, SIZE, scene_of=world.scene_of)
    marked = np.where(whole.masks[row][:, :, None], whole.image, whole.image // 4 + 160).astype(np.uint8)
    rest = render(SEED, index, SIZE, (part,), world.scene_of)
    return [(part, marked), (f"no {part}", rest.image)]


def sheet(tiles: list[Tile]) -> Image.Image:
    """Captioned tiles in rows."""
    rows = -(-len(tiles) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (SIZE + 4), rows * (SIZE + CAPTION + 4)), "white")
    pen = ImageDraw.Draw(page)
    for n, (caption, image) in enumerate(tiles):
        x, y = n % COLUMNS * (SIZE + 4), n // COLUMNS * (SIZE + CAPTION + 4)
        pen.text((x, y), caption, fill="black")
        page.paste(Image.fromarray(image), (x, y + CAPTION))
    return page


def more_of_fauna() -> Iterator[Section]:
    """Attributes, things and backdrops."""
    values = attributes_of(SEED, 400)
    for kind, names in (("local", LOCAL), ("global", ATTRIBUTE_NAMES[len(LOCAL) :])):
        tiles = []
        for name in names:
            column = values[:, ATTRIBUTE_NAMES.index(name)]
            for sign in (1, -1):
                caption = name if sign > 0 else f"not {name}"
                indices = np.flatnonzero(column == sign)[: COLUMNS // 2]
                tiles += [(caption, render(SEED, int(i), SIZE, scene_of=draw_attribute_scene).image) for i in indices]
        yield f"{kind} attributes", tiles
    tiles = []
    for kind in THINGS:
        for n in range(COLUMNS):
            tiles.append((kind.__name__.strip("_"), render(SEED, n, SIZE, scene_of=partial(thing_scene, kind)).image))
    yield "things, which random images show", tiles
    pictures = [paint_backdrop(draw_backdrop(random_stream(SEED, n, Stream.BACKDROP), 0.5), SIZE) for n in range(24)]
    yield "backdrops", [("backdrop", as_image(picture)) for picture in pictures]


def thing_scene(kind: Callable[[Body, np.random.Generator], None], seed: int, index: int) -> Scene:
    """A scene of no animal with a thing of this kind."""
    stream, body = partial(random_stream, seed, index), Body()
    kind(body, stream(Stream.THING))
    camera = draw_camera(stream(Stream.CAMERA))
    camera = replace(camera, size=LARGER * camera.size)
    return stage(OTHER_LABEL, body, camera, draw_coat(stream(Stream.COAT)), stream)


def as_image(picture: Float[ndarray, "s s 3"]) -> UInt8[ndarray, "s s 3"]:
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


WORLDS = (
    World("fauna", draw_scene, FAUNA, draw_other_scene, more_of_fauna),
    World("fauna_species", draw_species_scene, SPECIES_VOCABULARY, draw_other_species_scene),
    World("fauna_scenes", draw_room_scene, ROOM_VOCABULARY, draw_other_room_scene),
)


if __name__ == "__main__":
    main()
