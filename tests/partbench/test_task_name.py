"""Names of tasks."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partbench import InputError
from partbench.task_name import TaskName

WORDS = st.text("abcdefgh_-0123456789é *", min_size=1, max_size=12)
PERFORMERS = st.one_of(st.just(""), WORDS)
CATEGORIES = WORDS.filter(lambda word: word != "multi" and not word.startswith("attribute-"))


@st.composite
def names(draw: st.DrawFn) -> TaskName:
    """Any task name: of each form, with and without a performer."""
    form = draw(st.sampled_from(["single", "others", "multi", "logit", "attribute"]))
    category = {"multi": st.just("multi"), "attribute": WORDS.map("attribute-{}".format)}.get(form, CATEGORIES)
    return TaskName(draw(WORDS), form, draw(category), draw(PERFORMERS))


@given(names())
def test_a_name_that_is_written_and_read_is_the_same(name: TaskName) -> None:
    assert TaskName.parse(str(name)) == name


@given(st.text("ab:/@*- multi", max_size=20))
def test_every_text_is_a_name_that_is_written_as_it_was_or_a_mistake_in_one_line(text: str) -> None:
    with contextlib.suppress(InputError):
        assert str(TaskName.parse(text)) == text
        return
    with pytest.raises(InputError) as error:
        TaskName.parse(text)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fauna/multi", TaskName("fauna", "multi", "multi")),
        ("fauna/multi:bird", TaskName("fauna", "logit", "bird")),
        ("fauna/multi:bird@lite0", TaskName("fauna", "logit", "bird", "lite0")),
        ("fauna/multi@lite0", TaskName("fauna", "multi", "multi", "lite0")),
        ("fauna/bird", TaskName("fauna", "single", "bird")),
        ("fauna/bird:others@lite0", TaskName("fauna", "others", "bird", "lite0")),
        ("celeba/attribute-male", TaskName("celeba", "attribute", "attribute-male")),
        ("a/b/c@d", TaskName("a", "single", "b/c", "d")),
        ("a/multi:x@y@z", TaskName("a", "logit", "x@y", "z")),
        ("a/multi:others", TaskName("a", "logit", "others")),
        ("a/multi:b:c", TaskName("a", "logit", "b:c")),
    ],
)
def test_names_say_what_is_explained_and_for_which_network(text: str, name: TaskName) -> None:
    assert TaskName.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize("character", ["\n", "\0", "\x1b", "\udcff"])
def test_names_that_cannot_be_printed_are_refused(character: str) -> None:
    with pytest.raises(InputError, match="has characters that cannot be printed") as caught:
        TaskName.parse(f"fauna/multi@vgg_16,weights=a{character}b.pth")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["", "fauna", "fauna/", "/multi", "/", "fauna/@lite0", "fauna/multi@", "fauna/bird@"])
def test_texts_without_dataset_category_or_the_performer_they_announce_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is no task; expected dataset/what\[@performer\], as in fauna/multi:bird"):
        TaskName.parse(text)


@pytest.mark.parametrize("text", ["fauna/multi:", "fauna/:bird", "fauna/bird:", "fauna/bird:cats", "fauna/bird:multi"])
def test_texts_with_a_colon_for_nothing_are_refused(text: str) -> None:
    with pytest.raises(
        InputError, match="after fauna/ comes CATEGORY, CATEGORY:others, multi, multi:CATEGORY or attrib"
    ):
        TaskName.parse(text)
