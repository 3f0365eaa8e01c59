"""Boards: the tasks that are shown and ranked together, and what they explain."""

from __future__ import annotations

from partbench.names import before_performer

_ABOUT = {
    "multi": "all categories explained at once",
    "*": "one category at a time, each by a binary network that tells it from random images",
    "*:others": "one category at a time, each by a binary network that tells it from the others too",
    "multi:*": "one category at a time, the logit of a network that tells all categories apart",
    "attribute-*": "one attribute at a time",
}


def board_of(task: str) -> str:
    """The board of a task: `fauna/multi:*` of `fauna/multi:bird`, and likewise `fauna/attribute-*`, `fauna/*`.

    Tasks with a performer of their own (`fauna/multi:bird@alexnet`) are on another board, `fauna/multi:*@alexnet`, and
    those that name their negatives (`fauna/bird:others`) on `fauna/*:others`. `fauna/multi` is a board by itself.
    """
    dataset, _, place = task.partition("/")
    category, at, performer = before_performer(place)
    name, colon, rest = category.partition(":")
    if name == "multi":
        kind = f"multi{colon and ':*'}"
    else:
        kind = f"{'attribute-' if name.startswith('attribute-') else ''}*{colon}{rest}"
    return f"{dataset}/{kind}{at}{performer}"


def kind_of(board: str) -> str:
    """The kind of a board: `multi:*` of `fauna/multi:*@alexnet`."""
    return board.partition("/")[2].partition("@")[0]


def about(board: str) -> str:
    """What the tasks of a board explain, in words."""
    return _ABOUT.get(kind_of(board), "one task at a time")


def dataset_of(board: str) -> str:
    """The dataset of a board: `fauna` of `fauna/multi:*`."""
    return board.partition("/")[0]
