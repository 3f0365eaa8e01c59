import pytest
import torch
from partbench_deletion import combined, deletion, pointing_game


def test_the_pointing_game_asks_whether_the_highest_pixel_is_on_the_object() -> None:
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[1, 2:4, 2:4] = True
    on, off = torch.zeros(2, 1, 8, 8)
    on[0, 3, 3], off[0, 7, 7] = 1.0, 1.0
    assert pointing_game(on, masks) == 1.0
    assert pointing_game(off, masks) == 0.0
    assert pointing_game(torch.ones(1, 8, 8), masks) == pytest.approx(4 / 64)


def test_deletion_is_lower_for_the_truth_than_for_its_opposite() -> None:
    pixels = torch.full((3, 8, 8), 0.5)
    pixels[:, :2] = 1.0  # all that the network looks at
    truth = torch.zeros(1, 8, 8)
    truth[0, :2] = 1.0
    predict = lambda images: images[:, :, :2].mean((1, 2, 3))  # noqa: E731
    found = [deletion(pixels, heat, predict) for heat in (truth, 1 - truth)]
    # the upper quarter is grey after 4 of 16 steps; or only in the last 4 of them
    assert found[0] == pytest.approx(-0.5 * (1 / 4 + 2 / 4 + 3 / 4 + 13) / 17)
    assert found[1] == pytest.approx(-0.5 * (1 / 4 + 2 / 4 + 3 / 4 + 1) / 17)


def test_maps_of_several_concepts_count_alike() -> None:
    maps = torch.zeros(2, 4, 4)
    maps[0, 0, 0], maps[1, 3, 3] = 100.0, 0.1
    assert combined(maps)[0, 0] == combined(maps)[3, 3] == 0.5
