"""The network of fauna_species: as good as its card says, with a binary head for each single task."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch

from partbench import Performer
from partbench.datasets.fauna.render import render_many
from partbench.datasets.fauna_species.scene import draw_other_species_scene, draw_species_scene
from partbench.datasets.fauna_species.species import SPECIES
from partbench.performers.small_vgg_species import SmallVggSpecies

CPU = torch.device("cpu")
COUNT = 120


def opened(negatives: str = "", categories: tuple[str, ...] = SPECIES) -> Performer:
    dataset = SimpleNamespace(name="fauna_species", negatives=negatives, categories=categories)
    return SmallVggSpecies.open(dataset, CPU)


def card() -> str:
    return (SmallVggSpecies.weights_file().parent / "small_vgg_species.md").read_text()


def share(name: str) -> float:
    return float(re.findall(rf"^\| {name} \| ([\d.]+) \|", card(), re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Birds that took no part in training, and scenes of none."""
    counts = ((draw_species_scene, COUNT), (draw_other_species_scene, COUNT // 4))
    images = [render_many(129, range(count), scene_of=scene_of)["image"] for scene_of, count in counts]
    birds, others = (torch.from_numpy(some).permute(0, 3, 1, 2).float() / 255 for some in images)
    return birds, others


def test_the_logits_are_those_of_the_species_in_their_order() -> None:
    assert SmallVggSpecies.classes == SPECIES


def test_species_are_told_about_as_well_as_the_card_says_and_not_by_colours(
    drawn: tuple[torch.Tensor, torch.Tensor],
) -> None:
    (said,) = re.findall(r"part in any choice: \*\*([\d.]+)\*\*", card())
    (colours,) = re.findall(r"edges of whole\s+images:\s+(\d\.\d+)", card())
    right = (opened().logits(drawn[0]).argmax(1) == torch.arange(COUNT) % len(SPECIES)).double().mean()
    assert right == pytest.approx(float(said), abs=0.07)
    assert 0.85 < float(said) < 0.99
    assert float(colours) < 0.5


@pytest.mark.parametrize("negatives", ["random", "others"])
def test_a_binary_network_tells_its_species_about_as_well_as_the_card_says(
    negatives: str, drawn: tuple[torch.Tensor, torch.Tensor]
) -> None:
    found, said = [], []
    for label in (0, 4, 9):
        species = SPECIES[label]
        performer = opened(negatives, (species,))
        assert performer.outputs == (species,)
        assert performer.targets == {species: 0}
        birds, others = (performer.logits(images)[:, 0] > 0 for images in drawn)
        shown = torch.arange(COUNT) % len(SPECIES) == label
        no = torch.cat([~birds[~shown], ~others]) if negatives == "others" else ~others
        found.append((birds[shown].double().mean() + no.double().mean()) / 2)
        said.append(share(species + (":others" if negatives == "others" else "")))
    assert float(torch.stack(found).mean()) == pytest.approx(sum(said) / len(said), abs=0.08)
    assert min(said) > 0.8
