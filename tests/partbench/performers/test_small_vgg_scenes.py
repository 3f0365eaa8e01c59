"""The network of fauna_scenes: as good as its card says, with a binary head for each single task."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch

from partbench import Performer
from partbench.datasets.fauna.render import render_many
from partbench.datasets.fauna_scenes.scene import draw_other_room_scene, draw_room_scene
from partbench.datasets.fauna_scenes.vocabulary import ROOMS
from partbench.performers.shipped_vgg import OWN
from partbench.performers.small_vgg_scenes import SmallVggScenes

CPU = torch.device("cpu")
COUNT = 120


def opened(negatives: str = "", categories: tuple[str, ...] = tuple(ROOMS)) -> Performer:
    dataset = SimpleNamespace(name="fauna_scenes", negatives=negatives, categories=categories)
    return SmallVggScenes.open(dataset, CPU)


def card() -> str:
    return (SmallVggScenes.weights_file().parent / "small_vgg_scenes.md").read_text()


def share(name: str) -> float:
    return float(re.findall(rf"^\| {name} \| ([\d.]+) \|", card(), re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def fc6() -> tuple[torch.Tensor, torch.Tensor]:
    """What the layers that all networks share make of rooms that took no part in training, and of scenes of none."""
    counts = ((draw_room_scene, COUNT), (draw_other_room_scene, COUNT // 3))
    images = [render_many(139, range(count), scene_of=scene_of)["image"] for scene_of, count in counts]
    rooms, others = (shared(torch.from_numpy(some).permute(0, 3, 1, 2).float() / 255) for some in images)
    return rooms, others


@torch.no_grad()
def shared(images: torch.Tensor) -> torch.Tensor:
    for name, stage in opened().stages.items():
        images = images if name.startswith(OWN) else stage(images)
    return images


@torch.no_grad()
def logits(performer: Performer, fc6: torch.Tensor) -> torch.Tensor:
    for name in OWN:
        fc6 = performer.stages[name](fc6)
    return fc6


def test_the_logits_are_those_of_the_rooms_in_their_order() -> None:
    assert SmallVggScenes.classes == tuple(ROOMS)


def test_rooms_are_told_about_as_well_as_the_card_says_and_not_by_colours(
    fc6: tuple[torch.Tensor, torch.Tensor],
) -> None:
    (said,) = re.findall(r"part in any choice: \*\*([\d.]+)\*\*", card())
    (colours,) = re.findall(r"edges of whole\s+images:\s+(0\.\d+)", card())
    right = (logits(opened(), fc6[0]).argmax(1) == torch.arange(COUNT) % len(ROOMS)).double().mean()
    assert right == pytest.approx(float(said), abs=0.1)
    assert 0.85 < float(said) < 0.99
    assert float(colours) < 0.5


@pytest.mark.parametrize("negatives", ["random", "others"])
def test_a_binary_network_tells_its_room_about_as_well_as_the_card_says(
    negatives: str, fc6: tuple[torch.Tensor, torch.Tensor]
) -> None:
    found, said = [], []
    for label, room in enumerate(ROOMS):
        performer = opened(negatives, (room,))
        assert performer.outputs == (room,)
        assert performer.targets == {room: 0}
        rooms, others = (logits(performer, some)[:, 0] > 0 for some in fc6)
        shown = torch.arange(COUNT) % len(ROOMS) == label
        no = torch.cat([~rooms[~shown], ~others]) if negatives == "others" else ~others
        found.append((rooms[shown].double().mean() + no.double().mean()) / 2)
        said.append(share(room + (":others" if negatives == "others" else "")))
    assert float(torch.stack(found).mean()) == pytest.approx(sum(said) / len(said), abs=0.05)
    assert min(said) > 0.75
