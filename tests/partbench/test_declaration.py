"""What keeps a class from being registered, said in one line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from partbench import Dataset, Explainer, Metric, PerformerPlugin
from partbench.declaration import LONGEST_NAME, fault
from partbench.registry import load


class Explains(Explainer):
    name = "mine"

    def fit(self, task: object) -> None: ...

    def explain(self, images: object) -> None: ...


@pytest.mark.parametrize("kind", ["explainers", "metrics", "datasets", "performers"])
def test_first_party_classes_have_no_fault(kind: str) -> None:
    assert {fault(kind, entry.cls) for entry in getattr(load(), kind).values()} == {""}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "there is none"),
        (3, "it is 3"),
        ("", "has 0 characters"),
        ("a" * (LONGEST_NAME + 1), "has 101 characters"),
        ("a" * 5000, "has 5000 characters"),
        ("\u732b" * 40, "takes more than 100 bytes"),
        ("a\ud800", "no spaces, separators"),
        (b"a", "it is b'a'"),
        (type("Text", (str,), {"__str__": lambda self: "../other"})("a"), "it is 'a'"),
        *((f"a{mark}b", "no spaces, separators") for mark in (*"/\\@:*?[]=, \t\n", "\x00", "\x1b", "\u202e")),
        ("-a", "no spaces, separators"),
        ("all", "for something else"),
        ("mine.py", "for something else"),
    ],
)
def test_a_name_that_users_cannot_type_is_a_fault(name: object, reason: str) -> None:
    found = fault("explainers", type("Odd", (Explains,), {"name": name}))
    assert reason in found
    assert "class Odd" in found
    assert "\n" not in found


def test_a_name_of_the_greatest_length_is_fine_and_a_performers_may_have_a_colon() -> None:
    assert not fault("explainers", type("Long", (Explains,), {"name": "a" * LONGEST_NAME}))
    members = {"name": "timm:net", "version": "1", "input_size": 8, "open": staticmethod(lambda dataset, device: None)}
    assert not fault("performers", type("Net", (PerformerPlugin,), members))


def test_what_is_no_class_is_a_fault() -> None:
    assert "expected a class" in fault("explainers", Explains())
    assert "expected a class" in fault("metrics", 3)


def test_a_field_without_a_default_is_a_fault_by_name() -> None:
    @dataclass
    class Bare(Explains):
        name: ClassVar[str] = "bare"
        epochs: int
        sizes: list[int] = field(default_factory=list)
        later: int = field(init=False)

    assert "epochs lack" in fault("explainers", Bare)


def test_a_name_that_is_a_field_is_a_fault() -> None:
    @dataclass
    class Optional(Explains):
        name: str = "optional"

    assert "write `name: ClassVar[str]" in fault("explainers", Optional)


NEEDED = [
    ("explainers", Explainer, "explain()"), ("metrics", Metric, "compute()"),
    ("datasets", Dataset, "`default_performer`"), ("performers", PerformerPlugin, "open()"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "base", "absent"), NEEDED)
def test_a_member_that_the_kind_needs_is_named(kind: str, base: type, absent: str) -> None:
    assert absent in fault(kind, type("Empty", (base,), {"name": "empty"}))


@pytest.mark.parametrize(("kind", "base", "absent"), NEEDED)
def test_a_class_must_derive_from_the_base_of_its_kind(kind: str, base: type, absent: str) -> None:
    assert (
        fault(kind, type("Alone", (), {"name": "alone"}))
        == f"class Alone: expected a subclass of partbench.{base.__name__}"
    )


def test_categories_are_a_tuple_of_names() -> None:
    members = {"name": "d", "version": "1", "default_performer": "p", "needs_root": False}
    assert not fault("datasets", type("Good", (Dataset,), {**members, "categories": ("cat",)}))
    assert "a tuple of names" in fault("datasets", type("Bad", (Dataset,), {**members, "categories": "cat"}))


@pytest.mark.parametrize("name", ["sr\u0430e", "caf\u00e9", "cafe\u0301", "\u72fc"])
def test_a_name_with_letters_that_look_like_others_is_a_fault(name: str) -> None:
    found = fault("explainers", type("Alike", (Explains,), {"name": name}))
    assert "expected ASCII" in found
    assert found.isascii()


@pytest.mark.parametrize(
    ("kind", "base", "changes", "reason"),
    [
        ("metrics", "locality", {"higher_is_better": "yes"}, "its higher_is_better is 'yes', expected True or False"),
        ("metrics", "locality", {"bounds": (1, 0)}, r"its bounds is \(1, 0\), expected two numbers, the lower first"),
        ("metrics", "locality", {"bounds": 3}, "its bounds is 3, expected two numbers"),
        ("metrics", "locality", {"images": "some"}, 'its images is \'some\', expected "positive" or "all"'),
        ("metrics", "locality", {"unit": None}, "its unit is None, expected a text on one line"),
        ("metrics", "locality", {"version": 3}, "its version is 3, expected a text such as"),
        ("datasets", "fauna", {"default_performer": 3}, "its default_performer is 3, expected the name of a performer"),
        ("performers", "small_vgg", {"input_size": "64"}, "its input_size is '64', expected a number of px above 0"),
    ],
)
def test_a_declared_value_of_another_type_is_a_fault(kind: str, base: str, changes: dict, reason: str) -> None:
    assert re.search(reason, fault(kind, type("Changed", (getattr(load(), kind)[base].cls,), changes)))
