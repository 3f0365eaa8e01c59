"""The annotations of ADE20K in every published form."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_places
from mutation import damaged, edited
from verdicts import verdicts

from partbench.datasets.places import Places

pytestmark = pytest.mark.filterwarnings("ignore:places:UserWarning")
SCENES = [tiny_places.Scene(1, "bedroom", "training"), tiny_places.Scene(2, "bedroom", "validation")]
FORMS = {
    "2016": ("ADE_val_00000002_seg.png", "ADE_train_00000001_atr.txt"),
    "2021": ("ADE_val_00000002_seg.png", "ADE_train_00000001.json"),
    "challenge": ("ADE_val_00000002.png", "objectInfo150.txt", "sceneCategories.txt"),
}
FILES = [(form, name) for form, names in FORMS.items() for name in names]


def values(root: Path) -> object:
    places = Places(root, 16)
    batches = [split.batch(range(len(split))) for split in (places.train, places.test)]
    return [places.part_names, *([list(batch.ids), batch.masks, batch.pixels] for batch in batches)]


@pytest.mark.parametrize("n", [4, pytest.param(500, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("form", "name"), FILES)
def test_mutated_annotations_are_refused_or_give_masks(form: str, name: str, n: int, tmp_path: Path) -> None:
    root = (
        tiny_places.challenge(tmp_path, SCENES)
        if form == "challenge"
        else tiny_places.full(tmp_path, int(form), SCENES)
    )
    path = next(root.rglob(name))
    whole = path.read_bytes()

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return values(root)

    expected = read(whole)
    inputs = list(damaged(whole, n))
    if path.suffix != ".png":
        inputs += [text.encode("latin-1", "replace") for text in edited(whole.decode("latin-1"), n, seed=1)]
    found = verdicts(inputs, read, expected)
    assert found["refused"] > 0
    assert found.total() == len(inputs)
