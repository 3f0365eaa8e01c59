from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt

from partbench import InputError, default_from, of_profile, options, resolve_options


@dataclass
class Plain:
    name: ClassVar[str] = "plain"
    profiles: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {"rate": 0.1, "steps": 4}, "released": {"rate": 2.0, "steps": 9},
    }  # fmt: skip
    profile: Literal["paper", "released"] = "paper"
    rate: Annotated[float, Gt(0)] = of_profile()
    steps: Annotated[int, Ge(1)] = of_profile()
    total: float = default_from(lambda plain: plain.rate * plain.steps)
    weight: Annotated[float, Gt(0)] | Literal["balanced"] = "balanced"
    alpha: Annotated[float, Ge(0)] | None = None
    hidden: tuple[Annotated[int, Ge(1)], ...] = (800, 100)
    layers: tuple[str, ...] = ()
    schedule: Literal["constant", "1/t", "none"] = "constant"
    layer: str = "target"
    mask: bool = True

    def __post_init__(self) -> None:
        resolve_options(self)


def refused(**given: Any) -> str:
    with pytest.raises(InputError) as caught:
        Plain(**given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read(name: str, text: str) -> Any:
    return getattr(options.build(Plain, {name: text}), name)


def test_options_left_out_take_the_value_of_the_profile_and_others_keep_theirs():
    assert (Plain().rate, Plain().steps) == (0.1, 4)
    assert (Plain(profile="released").rate, Plain(profile="released").steps) == (2.0, 9)
    assert (Plain(profile="released", steps=1).rate, Plain(profile="released", steps=1).steps) == (2.0, 1)


def test_a_default_can_be_computed_from_options_before_it():
    assert Plain().total == pytest.approx(0.4)
    assert Plain(rate=3.0).total == 12.0
    assert Plain(total=1.0).total == 1.0


def test_a_value_out_of_bounds_is_refused_with_the_option_the_value_and_the_bound():
    assert refused(rate=-1.0) == "plain: rate is -1.0, expected greater than 0"
    assert refused(steps=0) == "plain: steps is 0, expected greater than or equal to 1"
    assert refused(alpha=-2.0) == "plain: alpha is -2.0, expected greater than or equal to 0"
    assert refused(weight=0.0) == "plain: weight is 0.0, expected greater than 0 or 'balanced'"
    assert refused(hidden=(3, 0)) == "plain: hidden is (3, 0), expected greater than or equal to 1"


def test_a_computed_default_out_of_bounds_is_refused_too():
    @dataclass
    class Halved(Plain):
        half: Annotated[float, Gt(1)] = default_from(lambda plain: plain.rate / 2)

    assert Halved(rate=4.0).half == 2.0
    with pytest.raises(InputError, match=r"half is 0\.5, expected greater than 1"):
        Halved(rate=1.0)


def test_a_choice_that_is_none_is_refused_with_those_there_are():
    assert refused(profile="printed") == "plain: profile is 'printed', expected one of paper, released"
    assert refused(schedule=None) == "plain: schedule is None, expected one of constant, 1/t, none"


def test_a_value_of_another_type_is_refused_with_the_type():
    assert refused(steps="many").startswith("plain: steps is 'many', expected int; ")
    assert refused(alpha="x").startswith("plain: alpha is 'x', expected float | None; ")
    assert refused(weight="even").startswith("plain: weight is 'even', expected float | 'balanced'; ")
    assert refused(layer=3).startswith("plain: layer is 3, expected str; ")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_must_be_finite(value: float):
    assert "finite" in refused(rate=value)
    with pytest.raises(InputError, match="finite"):
        options.build(Plain, {"rate": str(value)})


def test_values_are_converted_to_their_types():
    plain = Plain(rate=3, hidden=[7, 8])
    assert (type(plain.rate), plain.hidden) == (float, (7, 8))


@pytest.mark.parametrize(
    "given",
    [
        {}, {"profile": "released", "steps": 2, "rate": 1e-7}, {"weight": 2.5, "alpha": 0.25, "mask": False},
        {"hidden": (5,), "layers": ("a", "3", "x,y")}, {"hidden": (), "schedule": "1/t"}, {"schedule": "none"},
        {"layer": "12"}, {"layer": "None"}, {"layer": "true"}, {"layer": "[1]"}, {"layer": ""}, {"layer": 'say "x"'},
    ],
)  # fmt: skip
def test_options_come_back_from_their_texts(given: dict[str, Any]):
    plain = Plain(**given)
    texts = options.as_texts(options.resolved(plain))
    assert texts.keys() == {f.name for f in fields(Plain)}
    assert options.build(Plain, texts) == plain


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "3", 3.0), ("alpha", "none", None), ("alpha", "None", None), ("alpha", "null", None),
        ("alpha", "0.5", 0.5), ("weight", "balanced", "balanced"), ("weight", "7", 7.0), ("hidden", "30,20", (30, 20)),
        ("hidden", "30", (30,)), ("hidden", "[30, 20]", (30, 20)), ("layers", "conv1, 2", ("conv1", "2")),
        ("schedule", "1/t", "1/t"), ("schedule", "none", "none"), ("layer", "12", "12"), ("layer", "null", "null"),
        ("mask", "false", False), ("mask", "True", True),
    ],
)  # fmt: skip
def test_a_text_is_read_as_its_option_s_type(name: str, text: str, value: object):
    found = read(name, text)
    assert (found, type(found)) == (value, type(value))


def test_a_text_that_cannot_be_read_is_quoted():
    for name, text, said in (
        ("steps", "many", "-o steps=many: expected int; "), ("steps", "1.5", "-o steps=1.5: expected int; "),
        ("steps", "0", "-o steps=0: expected greater than or equal to 1"),
        ("schedule", "2/t", "-o schedule=2/t: expected one of constant, 1/t, none"),
        ("hidden", "a,b", "-o hidden=a,b: expected tuple; "),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            read(name, text)
        assert str(caught.value).startswith(said)


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 50_000, '{"a":' * 50_000, "-" + "1" * 20_000])
def test_a_text_that_json_cannot_hold_is_the_users_mistake(text: str):
    with pytest.raises(InputError, match=r"-o rate=.*: expected"):
        options.build(Plain, {"rate": text})


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'steps'"):
        options.build(Plain, {"stepps": "3"})


def test_option_texts_need_an_equals_sign():
    assert options.parse(["a=1", " b = x=y "]) == {"a": "1", "b": "x=y"}
    for text in ("a", "=3", " =3"):
        with pytest.raises(InputError, match="expected option=value"):
            options.parse([text])


@pytest.mark.parametrize("hint", ["Nowhere", object()])
def test_a_type_that_cannot_be_checked_is_one_line(hint: Any) -> None:
    cls = dataclass(type("Odd", (), {"name": "odd", "__annotations__": {"size": hint}, "size": 1}))
    with pytest.raises(InputError, match="odd: the type of an option cannot be checked") as raised:
        options.build(cls, {"size": "2"})
    assert "\n" not in str(raised.value)
