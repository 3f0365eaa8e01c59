from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt
from hypothesis import given, settings
from hypothesis import strategies as st

from partbench import InputError, default_from, of_profile, options, resolve_options
from partbench.plugin_files import import_file


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
    with pytest.raises(InputError, match=r"-o rate=.* expected"):
        options.build(Plain, {"rate": text})


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'steps'"):
        options.build(Plain, {"stepps": "3"})


def test_option_texts_need_an_equals_sign():
    assert options.parse(["a=1", " b = x=y "]) == {"a": "1", "b": " x=y "}
    for text in ("a", "=3", " =3"):
        with pytest.raises(InputError, match="expected option=value"):
            options.parse([text])


@pytest.mark.parametrize("hint", ["Nowhere", object()])
def test_a_type_that_cannot_be_checked_is_one_line(hint: Any) -> None:
    cls = dataclass(type("Odd", (), {"name": "odd", "__annotations__": {"size": hint}, "size": 1}))
    with pytest.raises(InputError, match="odd: the type of an option cannot be checked") as raised:
        options.build(cls, {"size": "2"})
    assert "\n" not in str(raised.value)


class Colour(enum.Enum):
    RED = "red"
    ONE = "1"
    NONE = "none"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Mixed:
    name: ClassVar[str] = "mixed"
    text: str = ""
    maybe_text: str | None = None
    number: float = 0.0
    count: int = 0
    flag: bool = False
    flag_or_count: bool | int | str = 0
    colour: Colour = Colour.RED
    maybe_colour: Colour | None = None
    level: Level = Level.LOW
    choice: Literal["1", "none", 1, "a,b"] = "1"
    path: Path = Path()
    maybe_path: Path | None = None
    texts: tuple[str, ...] = ()
    text_or_texts: str | tuple[str, ...] = ""
    numbers_or_none: tuple[float, ...] | None = None
    pair: tuple[int, str] = (0, "")
    paths: tuple[Path, ...] = ()
    colours: tuple[Colour, ...] = ()
    nested: tuple[tuple[int, ...], ...] = ()
    names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        resolve_options(self)


LOOKS_LIKE_OTHERS = [
    "1", "1.5", "-0", "true", "True", "false", "none", "None", "null", "a,b", ",", "", " ", " x", "x ", "[1]", "[",
    "{}", '"', '"x"', "'x'", "NaN", "1e5", "RED", "red", "=", "\n", "\ud800", "\0", "é", "()", "~", ".",
]  # fmt: skip
texts = st.sampled_from(LOOKS_LIKE_OTHERS) | st.text(st.characters(), max_size=6)
paths = texts.filter(lambda text: "\0" not in text).map(Path)
integers, floats = st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)
colours = st.sampled_from(list(Colour))


def several(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, max_size=3).map(tuple)


VALUES = {
    "text": texts, "maybe_text": texts | st.none(), "number": floats, "count": integers, "flag": st.booleans(),
    "flag_or_count": st.booleans() | integers | texts, "colour": colours, "maybe_colour": colours | st.none(),
    "level": st.sampled_from(list(Level)), "choice": st.sampled_from(["1", "none", 1, "a,b"]), "path": paths,
    "maybe_path": paths | st.none(), "texts": several(texts), "text_or_texts": texts | several(texts),
    "numbers_or_none": several(floats) | st.none(), "pair": st.tuples(integers, texts), "paths": several(paths),
    "colours": several(colours), "nested": several(several(integers)), "names": st.frozensets(texts, max_size=3),
}  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_every_value_comes_back_from_its_text_and_its_text_from_the_value(values: dict[str, Any]) -> None:
    made = Mixed(**values)
    texts = options.as_texts(options.resolved(made))
    again = options.build(Mixed, options.parse([f"{name}={text}" for name, text in texts.items()]))
    assert again == made
    assert [type(getattr(again, f.name)) for f in fields(Mixed)] == [type(getattr(made, f.name)) for f in fields(Mixed)]
    assert options.as_texts(options.resolved(again)) == texts


def built_or_refused(name: str, text: str) -> Mixed | str:
    """The options with this one from its text, or why it was refused."""
    try:
        return options.build(Mixed, {name: text})
    except InputError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(VALUES)), texts)
def test_a_text_that_is_read_comes_back_as_one_that_is_read_alike(name: str, text: str) -> None:
    first = built_or_refused(name, text)
    if isinstance(first, Mixed):
        assert options.build(Mixed, options.as_texts(options.resolved(first))) == first
    else:
        assert "\n" not in first


@pytest.mark.parametrize("text", LOOKS_LIKE_OTHERS[:-1])
def test_a_text_is_taken_as_it_is_typed_unless_it_stands_in_double_quotes(text: str) -> None:
    (read_text,) = options.parse([f"text={text}"]).values()
    assert options.build(Mixed, {"text": read_text}).text == ("x" if text == '"x"' else text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("maybe_text", "none", None), ("maybe_text", '"none"', "none"), ("flag_or_count", "1", 1),
        ("flag_or_count", "true", True), ("flag_or_count", '"1"', "1"), ("colour", "1", Colour.ONE),
        ("colour", "red", Colour.RED), ("colour", "RED", Colour.RED), ("colour", "PAIR", Colour.PAIR),
        ("maybe_colour", "none", None), ("level", "2", Level.HIGH), ("level", "HIGH", Level.HIGH), ("choice", "1", 1),
        ("choice", '"1"', "1"), ("path", "a,b", Path("a,b")), ("path", "1", Path("1")), ("maybe_path", "None", None),
        ("texts", "a", ("a",)), ("texts", "", ()), ("text_or_texts", "a", "a"), ("text_or_texts", "a,b", ("a", "b")),
        ("text_or_texts", '"a,b"', "a,b"), ("numbers_or_none", "1,2.5", (1.0, 2.5)), ("pair", "3,x", (3, "x")),
        ("colours", "red,1", (Colour.RED, Colour.ONE)), ("nested", "[1],[2,3]", ((1,), (2, 3))), ("count", " 7 ", 7),
        ("choice", " none ", "none"), ("names", "b,a", frozenset({"a", "b"})),
    ],
)  # fmt: skip
def test_a_text_that_could_be_of_several_types_is_read_as_documented(name: str, text: str, value: object) -> None:
    found = getattr(options.build(Mixed, {name: text}), name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [("count", "true"), ("number", "false"), ("nested", "[[true]]"), ("colour", "blue"), ("level", "3"), ("pair", "1")],
)
def test_a_text_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        options.build(Mixed, {name: text})


@pytest.mark.parametrize("name", sorted(VALUES))
@pytest.mark.parametrize(
    "text",
    ["a" * 10_000_000, "[" * 10_000 + "]" * 10_000, "[" * 300 + "1" + "]" * 300, "a," * 4_900, "\n" * 5000 + "x"],
    ids=["10 MB", "10,000 brackets", "300 brackets", "4,900 values", "5,000 lines"],
)
def test_a_wrong_value_is_one_line_however_large_or_deep(name: str, text: str) -> None:
    found = built_or_refused(name, text)
    if isinstance(found, Mixed):
        assert len(text) < 10_000  # a text, a path, or many texts
    else:
        assert "\n" not in found
        assert len(found) <= 1000


def test_a_wrong_value_from_python_is_one_line_however_large_or_deep() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    for name in sorted(set(VALUES) - {"texts", "text_or_texts", "paths", "names"}):
        for value in (deep, [deep] * 3, ["a"] * 200_000, object(), "a" * 10_000_000):
            with pytest.raises(InputError) as caught:
                Mixed(**{name: value})
            assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="expected a number, a text, None, an enum, a path"):
        options.as_texts({"count": deep})


def test_types_may_be_imported_for_type_checkers_only(tmp_path: Path) -> None:
    text = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
if TYPE_CHECKING:
    import pathlib as paths
    from pathlib import Path
    from typing import Literal
    from no_such_library import Nothing
    from beside_of_options import Side

@dataclass
class Base:
    name: ClassVar[str] = "checked"
    path: Path | None = None
    other: paths.Path | None = None
    kind: Literal["a", "b"] = "a"
    side: Side = 1
    _kept: Nothing | None = field(init=False, default=None)
"""
    (tmp_path / "beside_of_options.py").write_text("Side = int\n")
    (tmp_path / "base_of_options.py").write_text(text)
    derived = "from base_of_options import Base\nimport dataclasses\nPath = int\n"
    derived += "@dataclasses.dataclass\nclass Mine(Base):\n    size: 'Path' = 1\n"
    (tmp_path / "mine.py").write_text(derived)
    cls = import_file(tmp_path / "mine.py").Mine
    made = options.build(cls, {"path": "1", "other": "x", "kind": "b", "side": "3", "size": "2"})
    assert (made.path, made.other, made.kind, made.side, made.size) == (Path("1"), Path("x"), "b", 3, 2)
    with pytest.raises(InputError, match="expected one of a, b"):
        options.build(cls, {"kind": "c"})
