"""The truth of a task, against its images."""

from __future__ import annotations

import pytest
import torch

from partbench.running.planted.truth import Truth, centred


def own(truth: Truth) -> list[int]:
    return torch.nonzero(truth.positive).flatten().tolist()


def test_maps_lie_on_their_parts_and_nowhere_else(truth: Truth) -> None:
    masks = truth.task.batch("test", own(truth)).masks
    assert masks is not None
    for concept, part in enumerate(truth.parts):
        assert not truth.maps[:, concept][~masks[:, part]].any()


def test_the_effect_of_a_part_is_the_fall_of_the_logit_without_it(truth: Truth) -> None:
    rows, name = own(truth)[:4], truth.task.dataset.part_names[truth.parts[0]]
    whole = truth.task.performer.logits(truth.task.batch("test", rows).pixels)[:, truth.task.target]
    without = truth.task.performer.logits(truth.task.batch_without("test", rows, name).pixels)[:, truth.task.target]
    assert torch.allclose(truth.effects[:4, 0], whole - without, atol=1e-4)
    assert float(truth.effects[:4, 0].abs().max()) > 0.01


def test_logits_are_the_performers(truth: Truth) -> None:
    rows = [0, 150, 599]
    logits = truth.task.performer.logits(truth.task.batch("test", rows).pixels)[:, truth.task.target]
    assert torch.allclose(truth.logits[rows], logits, atol=1e-4)


def test_an_image_of_another_category_has_no_parts(truth: Truth) -> None:
    other = torch.nonzero(~truth.positive).flatten().tolist()[0]
    with pytest.raises(ValueError, match="of the category only"):
        truth.of_category([other])


def test_a_map_is_largest_at_the_centre_of_its_part_and_zero_without_one() -> None:
    masks = torch.zeros(1, 2, 9, 9, dtype=torch.bool)
    masks[0, 0, 2:7, 4:9] = True
    maps = centred(masks)
    assert int(maps[0, 0].argmax()) == 4 * 9 + 6
    assert float(maps[0, 0].max()) == 1
    assert not maps[0, 1].any()
