"""The truth table of fauna_species: what makes it fine-grained."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from partbench.datasets.fauna_species.species import PROPERTIES, SPECIES, TRUTH, differing_parts, nearest


def test_every_species_says_what_each_part_looks_like_in_known_words() -> None:
    assert len(SPECIES) == 12
    for looks in TRUTH.values():
        assert looks.keys() == PROPERTIES.keys()
        assert all(look in PROPERTIES[part] for part, look in looks.items())


@pytest.mark.parametrize("part", PROPERTIES)
def test_several_species_share_every_look_so_that_no_part_tells_all_apart(part: str) -> None:
    sharing = Counter(looks[part] for looks in TRUTH.values())
    assert sharing.keys() == set(PROPERTIES[part])
    assert min(sharing.values()) >= 2


def test_the_nearest_species_differs_in_one_part_or_two_and_no_two_species_are_alike() -> None:
    fewest = {one: min(len(differing_parts(one, other)) for other in SPECIES if other != one) for one in SPECIES}
    assert set(fewest.values()) == {1, 2}
    for one, other in combinations(SPECIES, 2):
        assert differing_parts(one, other) == differing_parts(other, one) != ()


def test_a_part_tells_two_species_apart_exactly_if_it_looks_different() -> None:
    assert differing_parts("spotted_jay", "black_backed_jay") == ("back",)
    assert differing_parts("red_throated_creeper", "white_fronted_creeper") == ("beak", "forehead")
    assert nearest("black_backed_jay") == {"spotted_jay": ("back",)}
