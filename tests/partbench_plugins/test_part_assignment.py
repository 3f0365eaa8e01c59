from __future__ import annotations

import dataclasses

import torch
from toys import SIDE, toy_task

from partbench import Batch, Explanation, ReceptiveField
from partbench.functional import PartOverlap
from partbench_plugins.part_assignment import assign_parts, marked, most_frequent, part_count, parts_at


def batch(**known) -> Batch:
    return Batch(("a", "b"), torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.long), **known)


PLACES = torch.tensor([[[1.5, 5.5], [6.5, 0.5]], [[1.5, 5.5], [6.5, 0.5]]])  # x, y of two concepts on two images


def test_a_mask_holds_the_pixel_of_the_peak():
    masks = torch.zeros(2, 2, 8, 8, dtype=torch.bool)
    masks[0, 0, 5, 1] = True  # row 5, column 1
    masks[1, 1, 0, 6] = True
    held = parts_at(PLACES, batch(masks=masks))
    assert held.tolist() == [[[True, False], [False, False]], [[False, False], [False, True]]]


def test_boxes_stand_in_for_masks_and_absent_ones_hold_nothing():
    boxes = torch.full((2, 2, 4), torch.nan)
    boxes[0, 0] = torch.tensor([1.0, 5.0, 2.0, 6.0])  # one pixel
    boxes[1, 1] = torch.tensor([5.0, 0.0, 8.0, 3.0])
    held = parts_at(PLACES, batch(part_boxes=boxes))
    assert held.tolist() == [[[True, False], [False, False]], [[False, False], [False, True]]]


def test_landmarks_hold_what_is_nearest_to_them_and_absent_ones_nothing():
    landmarks = torch.tensor([[[0.0, 7.0], [7.0, 0.0]], [[torch.nan, torch.nan], [torch.nan, torch.nan]]])
    held = parts_at(PLACES, batch(landmarks=landmarks))
    assert held.tolist() == [[[True, False], [False, True]], [[False, False], [False, False]]]
    assert parts_at(PLACES, batch()) is None


def test_only_the_strongest_images_above_0_have_a_say():
    scores = torch.tensor([[9.0, 1.0, 0.0], [8.0, 2.0, 0.0], [1.0, 9.0, 0.0]])
    held = torch.zeros(3, 3, 2, dtype=torch.bool)
    held[:2, 0, 1] = held[2, 0, 0] = True
    held[:, 2] = True  # a dead concept
    assert most_frequent(scores, held, top=2).tolist() == [1, -1, -1]
    assert most_frequent(scores, held, top=1).tolist() == [1, -1, -1]
    held[2, 1, 0] = True
    assert most_frequent(scores, held, top=1).tolist() == [1, 0, -1]


def test_concepts_planted_on_parts_are_assigned_to_them(tmp_path):
    task = toy_task(tmp_path)
    masks = torch.zeros(len(task.dataset.train), 2, SIDE, SIDE, dtype=torch.bool)
    masks[:, 0, 1:5, 1:5] = masks[:, 1, 7:11, 7:11] = True
    plain = task.dataset.train.batch
    task.dataset.train.batch = lambda rows: dataclasses.replace(plain(rows), masks=masks[list(rows)])
    task.dataset.part_names = ("red", "green")

    def explain(images: Batch) -> Explanation:
        maps = torch.zeros(len(images), 4, 3, 3)
        maps[:, 0, 2, 2] = maps[:, 1, 0, 0] = maps[:, 2, 0, 2] = 1  # green, red, between them, dead
        return Explanation(maps, grid=ReceptiveField(2, 4, 4))

    assert part_count(task.training) == 2
    assert assign_parts(task.training, explain).tolist() == [1, 0, -1, -1]


def test_a_concept_is_of_the_part_that_it_marks_even_where_it_peaks_on_another():
    masks = torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    masks[:, 0, :4, :4] = masks[:, 1, 4:, 4:] = True
    maps = torch.zeros(1, 3, 8, 8)
    maps[:, 0, :4, :4], maps[:, 0, 7, 7] = 1.0, 2.0  # marks the first, peaks on the second
    maps[:, 1, 5:8, 4:8] = 1.0  # marks the second
    maps[:, 2, 0, 0] = 1.0  # marks none: a sixteenth of the first
    overlap = PartOverlap(quantile=0.3)
    overlap.add(batch(masks=masks), Explanation(maps, grid=ReceptiveField(0.5, 1, 1)))
    assert marked(overlap, otherwise=torch.tensor([1, 0, -1])).tolist() == [0, 1, -1]


def test_a_dataset_without_parts_assigns_none(tmp_path):
    task = toy_task(tmp_path)
    assert assign_parts(task.training, lambda images: Explanation(torch.ones(len(images), 1, 3, 3))) is None
