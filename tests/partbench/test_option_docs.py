"""Options in words: from docstrings, of base classes too, and from comments beside fields."""

from __future__ import annotations

from dataclasses import dataclass

from partbench.option_docs import option_docs
from partbench.option_types import names
from partbench.registry import load


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


def test_every_option_of_the_plugins_of_this_project_says_what_it_is() -> None:
    registry = load()
    classes = [entry.cls for kind in (registry.explainers, registry.metrics) for entry in kind.values()]
    own = [cls for cls in classes if cls.__module__.partition(".")[0] in ("partbench", "partbench_plugins")]
    assert len(own) > 30
    docs = {(cls.name, option): option_docs(cls).get(option, "") for cls in own for option in names(cls)}
    assert [option for option, text in docs.items() if len(text) < 12 or text.startswith("see ")] == []
