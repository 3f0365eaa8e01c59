"""The dataset FunnyBirds on a tiny folder in the published layout, and on real pictures where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_funnybirds
import torch
from tiny_funnybirds import SIDE

from partbench import InputError, NotApplicable, check_dataset
from partbench.datasets.funnybirds import FunnyBirds
from partbench.datasets.funnybirds.part_map import PARTS
from partbench.plugin.explainer import Explainer
from partbench.running.cell import part_effects
from partbench.task import Task
from partbench.types import Explanation

pytestmark = pytest.mark.filterwarnings("ignore:funnybirds:UserWarning")
SAMPLE = Path(__file__).resolve().parents[5] / "shared" / "data" / "funnybirds"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny_funnybirds.write(tmp_path)


def test_it_keeps_the_contract_from_its_folder_or_the_one_above(root: Path) -> None:
    for place in (root, root.parent):
        birds = FunnyBirds(place, 24)
        check_dataset(birds)
    assert birds.classes == ("class_00", "class_07", "class_31")
    assert birds.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert birds.test.batch([1]).ids == ("funnybirds/test/7/000001",)


def test_masks_are_of_the_parts_and_the_box_is_around_the_bird_without_things(root: Path) -> None:
    batch = FunnyBirds(root, SIDE).test.batch([0])
    assert batch.masks.shape == (1, 5, SIDE, SIDE)
    assert batch.masks.sum(1).max() == 1
    assert batch.masks[0, PARTS.index("wing"), 12:16, 12:18].all()
    assert batch.masks[0, PARTS.index("tail"), 14].nonzero().flatten().tolist() == [3, 4, 5, 6, 7]
    torch.testing.assert_close(batch.boxes, torch.tensor([[3.0, 5.0, 29.0, 27.0]]), atol=1, rtol=0)


def test_masks_follow_the_image_at_other_sizes(root: Path) -> None:
    whole, half = (FunnyBirds(root, side).test.batch([0]) for side in (SIDE, SIDE // 2))
    torch.testing.assert_close(half.masks.sum((2, 3)) * 4.0, whole.masks.sum((2, 3)).float(), atol=10, rtol=0.25)


def test_images_without_a_part_are_those_published_and_lack_its_mask(root: Path) -> None:
    birds = FunnyBirds(root, SIDE)
    assert birds.test.has_removals
    assert not birds.train.has_removals
    whole = birds.test.batch([0, 2])
    for part, name in enumerate(PARTS):
        lacking = birds.test.batch_without([0, 2], name)
        assert lacking.ids == tuple(f"{whole_id}-{name}" for whole_id in whole.ids)
        assert not lacking.masks[:, part].any()
        changed = (lacking.pixels != whole.pixels).any(1)
        core = whole.masks[:, part]
        assert (changed & core).sum() > 0.8 * core.sum()
        assert changed.sum() <= core.sum() + 60  # smooth edges
    with pytest.raises(ValueError, match="no part named 'body'"):
        birds.test.batch_without([0], "body")
    with pytest.raises(NotApplicable, match=r"no images without a part \(train_interventions/\)"):
        birds.train.batch_without([0], "beak")


def test_without_interventions_there_are_no_part_effects_and_another_fingerprint(tmp_path: Path, root: Path) -> None:
    bare = FunnyBirds(tiny_funnybirds.write(tmp_path / "bare", interventions=False), 16)
    whole = FunnyBirds(root, 16)
    assert not bare.test.has_removals
    assert bare.train.fingerprint == whole.train.fingerprint
    assert bare.test.fingerprint != whole.test.fingerprint


class Brightness(Explainer):
    """Explains itself: its logit is the mean of the red channel."""

    name = "brightness"

    def explain(self, images):  # type: ignore[no-untyped-def]
        logit = images.pixels[:, 0].mean((1, 2))
        return Explanation(logits=logit, explained=logit)


def test_part_effects_are_the_falls_of_the_logit_on_the_published_images(root: Path) -> None:
    birds = FunnyBirds(root, SIDE)

    class Shown:
        """A task as far as part effects need one."""

        dataset, target, device = birds, 0, torch.device("cpu")
        explain, _expect_logits = Task.explain, Task._expect_logits

        def batch_without(self, split, rows, part):  # type: ignore[no-untyped-def]
            return birds.test.batch_without(rows, part)

    task, explainer, rows = Shown(), Brightness(), [0, 1]
    effects = part_effects(explainer, task, rows, task.explain(explainer, birds.test.batch(rows)))  # type: ignore[arg-type]
    wanted = torch.tensor([[True, False, True, False, False], [False] * 5])
    falls = effects(wanted)
    assert torch.equal(falls.isfinite(), wanted)
    for part in (0, 2):
        whole, lacking = birds.test.batch([0]).pixels, birds.test.batch_without([0], PARTS[part]).pixels
        torch.testing.assert_close(falls[0, part], whole[0, 0].mean() - lacking[0, 0].mean())
        assert falls[0, part] > 0


def test_a_part_map_of_another_size_is_named(root: Path) -> None:
    tiny_funnybirds.save(root / "train_part_map/0/000000.png", tiny_funnybirds.drawn()[:20])
    with pytest.raises(InputError, match=r"000000.png is 32 x 32 px, expected 32 x 20 as its part map"):
        FunnyBirds(root, 16).train.batch([0])


def test_an_image_without_a_part_has_the_size_of_the_whole_image(root: Path) -> None:
    path = next((root / "test_interventions/0/000000").iterdir())
    tiny_funnybirds.save(path, tiny_funnybirds.drawn()[:20])
    part = next(part for part in PARTS if part not in path.name)
    with pytest.raises(InputError, match=rf"{path.name} is 32 x 20 px, expected 32 x 32 as its part map"):
        FunnyBirds(root, 16).test.batch_without([0], part)


def test_a_part_map_of_other_colours_is_named(root: Path) -> None:
    path = root / "train_part_map/0/000000.png"
    tiny_funnybirds.save(path, tiny_funnybirds.drawn()[..., ::-1])
    with pytest.raises(InputError, match=rf"{path} has areas of the colour \(.*\), which stands for no part; copy it"):
        FunnyBirds(root, 16).train.batch([0])
    tiny_funnybirds.save(path, np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    with pytest.raises(
        InputError, match=rf"{path} has 10\d\d of 1024 pixels in colours of no part, expected them at e"
    ):
        FunnyBirds(root, 16).train.batch([0])


def test_the_real_pictures_are_read_as_published() -> None:
    if not SAMPLE.is_dir():
        pytest.skip("no pictures of FunnyBirds beside the repository")
    with pytest.warns(UserWarning, match="10 of 50,000 train and 4 of 500 test images, of 4 of 50 classes"):
        birds = FunnyBirds(SAMPLE, 64)
    check_dataset(birds)
    batch = birds.test.batch(range(4))
    assert batch.masks.any((0, 2, 3)).all()
    sides = batch.boxes[:, 2:] - batch.boxes[:, :2]
    assert ((sides > 8) & (sides < 64)).all()
