"""The merges of parts, as the paper's code has them by the numbers of part2ind."""

from __future__ import annotations

import pytest

from partbench.datasets.pascal_part.parts import CATEGORIES, MERGES, PARTS, merged

CAT = "head leye reye lear rear nose torso neck lfleg lfpa rfleg rfpa lbleg lbpa rbleg rbpa tail"
COW = (
    "head leye reye lear rear muzzle lhorn rhorn torso neck lfuleg lflleg rfuleg rflleg "
    "lbuleg lblleg rbuleg rblleg tail"
)
NUMBERS = {  # names in the order of their numbers, from 1
    "bird": "head leye reye beak torso neck lwing rwing lleg lfoot rleg rfoot tail",
    "cat": CAT,
    "dog": f"{CAT} - - muzzle",
    "cow": COW,
    "sheep": COW,
    "horse": COW.replace("lhorn", "-").replace("rhorn", "-") + f"{' -' * 10} lfho rfho lbho rbho",
}
WALKS = {"front_legs": range(11, 15), "back_legs": range(15, 19)}
GROUPS: dict[str, dict[str, list[int]]] = {
    "bird": {"head": [*range(1, 5)], "torso": [*range(5, 9)], "legs": [*range(9, 13)], "tail": [13]},
    "cat": {
        "head": [*range(1, 7)], "torso": [7, 8], "front_legs": [*range(9, 13)], "back_legs": [*range(13, 17)],
        "tail": [17],
    },
    "cow": {"head": [*range(1, 9)], "torso": [9, 10]} | {part: [*numbers] for part, numbers in WALKS.items()},
}  # fmt: skip
GROUPS["dog"] = GROUPS["cat"] | {"head": [*range(1, 7), 20]}
GROUPS["sheep"] = GROUPS["cow"]
GROUPS["horse"] = GROUPS["cow"] | {
    "head": [*range(1, 7)], "front_legs": [*range(11, 15), 30, 31], "back_legs": [*range(15, 19), 32, 33],
}  # fmt: skip


@pytest.mark.parametrize("animal", CATEGORIES)
def test_parts_are_merged_by_the_numbers_of_the_released_code(animal: str) -> None:
    names = dict(enumerate(NUMBERS[animal].split(), 1))
    found = {part: {name for name in MERGES[animal] if merged(animal, name) == part} for part in PARTS}
    assert found == {part: {names[number] for number in GROUPS[animal].get(part, [])} for part in PARTS}
    assert set(MERGES[animal]) == set(names.values()) - {"-"}


def test_numbered_parts_are_of_the_kind_before_the_number_and_others_are_none() -> None:
    assert merged("cow", "lhorn_2") == "head"
    assert merged("cow", "tail") == ""
    assert merged("cat", "wheel_1") is None
