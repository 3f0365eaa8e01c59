"""What is found, in the words that are printed."""

from partbench.testing.finding import Finding


def test_a_sound_plugin_is_named_with_what_to_look_at_and_what_it_was_tried_on() -> None:
    found = Finding("metrics", "mine", notes=("tried on a task",), remarks=("all are NaN",))
    assert list(found.lines()) == ["metric mine keeps the contract", "  look at: all are NaN", "  tried on a task"]


def test_a_broken_one_with_the_place_and_the_way_to_mend_it_where_they_are_known() -> None:
    whole = Finding("metrics", "mine", "it is wrong", "a.py, line 3", "write it anew")
    assert list(whole.lines()) == [
        "metric mine does not keep the contract: it is wrong", "  where: a.py, line 3", "  mend: write it anew",
    ]  # fmt: skip
    assert len(list(Finding("metrics", "mine", "it is wrong").lines())) == 1
