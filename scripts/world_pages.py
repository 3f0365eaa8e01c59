"""Paragraphs of the pages of docs/ on rendered datasets whose truth is known: species and rooms."""

from __future__ import annotations

from partbench.datasets.fauna_scenes.vocabulary import EVERYWHERE, OBJECTS, ROOMS
from partbench.datasets.fauna_species.species import PROPERTIES, SPECIES, TRUTH, nearest
from partbench.leaderboard.markdown import grid


def species() -> list[str]:
    """What every part of every species of `fauna_species` looks like, and what tells the nearest ones apart."""
    truth = grid(["species", *PROPERTIES], [[f"`{name}`", *TRUTH[name].values()] for name in SPECIES])
    apart = [[f"`{name}`", _joined_parts(nearest(name))] for name in SPECIES]
    return [
        "# Species of fauna_species",
        "For everyone who asks whether an explainer finds the parts that tell classes apart. `fauna_species` has"
        f" rendered birds of {len(SPECIES)} species. Its truth is known: this table, in the code"
        " `partbench.datasets.fauna_species.species.TRUTH`. Several species share every look, and the nearest species"
        " of each differs from it in one part or two, so that no part tells all species apart.",
        _how_to_run("fauna_species"),
        "![One bird of each species, in the order of the table](species.png)",
        "## Truth table",
        truth,
        "The face and the colour of the tail are drawn for each individual and tell nothing. So are coat, pose, place,"
        " size, light, backdrop and what stands in front. Things behind the bird have the colours of the looks."
        " Masks and landmarks are named like the columns, and the face has a mask; landmarks are those of CUB. All"
        " parts can be left out of an image, the face too.",
        "## The nearest species",
        "The fewest parts in which another species differs.",
        grid(["species", "nearest, and the parts that tell it apart"], apart),
    ]  # fmt: skip


def rooms() -> list[str]:
    """Which objects make which room of `fauna_scenes`."""
    own = [
        [f"`{room}`", ", ".join(f"{name} ({share:.2f})" for name, share in of.items())] for room, of in ROOMS.items()
    ]
    return [
        "# Rooms of fauna_scenes",
        "For everyone who asks whether a concept stands for one object, as SRAE's locality on Places does."
        f" `fauna_scenes` has rendered rooms of {len(ROOMS)} kinds, with masks of {len(OBJECTS)} classes of objects, by"
        " which locality is measured. Each class can be left out of an image. The box is the whole image; there are no"
        " landmarks, so that metrics of location have no value.",
        _how_to_run("fauna_scenes"),
        "## What makes a room",
        "A room shows two or three of its own objects. The number behind an object is its chance to be drawn; a room"
        " that comes out with fewer than two of its objects is drawn again. In three images of ten, one object of"
        " another room stands among them: no object decides alone.",
        grid(["room", "own objects"], own),
        f"One to three of these classes are in every room, whatever its kind: {', '.join(EVERYWHERE)}. Number, place,"
        " size, turn and colours of all objects are drawn at random, and so are walls, floor, light and the camera."
        " The model card of `small_vgg_scenes` says how little colours and edges tell.",
        "The random images of single tasks are rooms with two to four of these classes and, in three images of ten, one"
        " object of a room.",
        "`make gallery` draws every object and images without it.",
    ]  # fmt: skip


def _how_to_run(dataset: str) -> str:
    return (
        f"`bench run --plugin srae --task '{dataset}/multi:*'` explains each logit; `bench data info {dataset}` counts"
        " the images and names the other tasks."
    )


def _joined_parts(apart: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"`{other}`: {' and '.join(parts)}" for other, parts in apart.items())
