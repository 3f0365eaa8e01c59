"""Names of fauna_scenes: rooms, and the classes of objects in them."""

from __future__ import annotations

from partbench.datasets.fauna.vocabulary import Vocabulary

# Of each room, what tells it from the others, and how often it has each.
ROOMS: dict[str, dict[str, float]] = {
    "bathroom": {"bathtub": 0.8, "toilet": 0.8, "washbasin": 0.8},
    "bedroom": {"bed": 0.85, "wardrobe": 0.75, "dresser": 0.75},
    "dining_room": {"table": 0.85, "chair": 0.8, "chandelier": 0.75},
    "kitchen": {"stove": 0.8, "refrigerator": 0.8, "sink": 0.8},
    "living_room": {"sofa": 0.85, "television": 0.75, "fireplace": 0.75},
    "office": {"desk": 0.85, "office_chair": 0.75, "bookcase": 0.75},
}
EVERYWHERE = ("lamp", "plant", "picture", "rug", "carton", "ball")  # in any room, equally often
OBJECTS: tuple[str, ...] = (*(name for own in ROOMS.values() for name in own), *EVERYWHERE)

ROOM_VOCABULARY = Vocabulary(categories=tuple(ROOMS), part_names=OBJECTS, part_of={name: name for name in OBJECTS})
