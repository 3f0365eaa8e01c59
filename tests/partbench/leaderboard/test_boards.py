from __future__ import annotations

import pytest

from partbench.leaderboard.boards import about, board_of, kind_of


@pytest.mark.parametrize(
    ("task", "board"),
    [
        ("fauna/multi:bird", "fauna/multi:*"),
        ("fauna/multi:bird@lite0_head", "fauna/multi:*@lite0_head"),
        ("fauna/multi:bird@timm:a/b.c", "fauna/multi:*@timm:a/b.c"),
        ("fauna/multi", "fauna/multi"),
        ("fauna/multi@timm:x", "fauna/multi@timm:x"),
        ("fauna/attribute-wild@other", "fauna/attribute-*@other"),
        ("fauna/bird", "fauna/*"),
        ("fauna/bird:others@vgg_m", "fauna/*:others@vgg_m"),
        ("fauna/multicoloured", "fauna/*"),
    ],
)
def test_the_board_of_a_task_follows_from_its_name(task: str, board: str) -> None:
    assert board_of(task) == board


@pytest.mark.parametrize("board", ["fauna/multi:*", "fauna/multi:*@alexnet", "fauna/multi:*@timm:a/b.c"])
def test_the_kind_of_a_board_names_neither_dataset_nor_performer(board: str) -> None:
    assert kind_of(board) == "multi:*"
    assert about(board) == about("animal_part/multi:*")


def test_boards_of_an_unknown_kind_are_told_all_the_same() -> None:
    assert about("fauna/scenes-*") == "one task at a time"
