"""Options in words: from docstrings, of base classes too, and from comments beside fields."""

from __future__ import annotations

from dataclasses import dataclass

from partbench.option_docs import option_docs


@dataclass
class Base:
    """A base. Source: nobody.

    rate: of the training (a paper).
    steps, size: how many there are, and
        how large they are.
    """

    rate: float = 0.1
    steps: int = 3
    size: int = 4


@dataclass
class Mine(Base):
    """Options: those of Base.

    rate: another one.
    """

    rate: float = 0.2
    side: int = 8  # px of a square
    plain: int = 1


def test_entries_go_on_in_indented_lines_and_may_name_several_options() -> None:
    assert option_docs(Base)["size"] == option_docs(Base)["steps"] == "how many there are, and how large they are."


def test_a_class_comes_before_its_base_and_comments_count() -> None:
    found = option_docs(Mine)
    assert found["rate"] == "another one."
    assert found["side"] == "px of a square"
    assert found["size"].startswith("how many")
    assert "plain" not in found
