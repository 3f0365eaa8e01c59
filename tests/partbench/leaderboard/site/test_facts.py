from __future__ import annotations

import pytest

from partbench.leaderboard.site.facts import Fact, facts_of, papers_of, values_of


def test_what_is_not_installed_has_empty_facts() -> None:
    facts = facts_of({"explainers": [{"name": "srae", "what": "A method.\u202e", "owner": "mine 1.0"}]})
    assert facts.of("explainers", "srae") == Fact("A method.\ufffd", owner="mine", options=[])
    assert facts.of("explainers", "other") == facts.of("metrics", "srae") == Fact()


def test_defaults_of_options_are_written_as_the_command_line_takes_them() -> None:
    options = [{"name": name, "type": "bool", "default": name} for name in ("None", "False", "True", "2.5")]
    facts = facts_of({"explainers": [{"name": "srae", "options": options}]})
    assert [one["default"] for one in facts.of("explainers", "srae").options] == ["none", "false", "true", "2.5"]


def test_the_paper_that_proposes_an_explainer_comes_before_those_that_measure_it() -> None:
    (paper, own), *others = papers_of("srae")
    assert own
    assert paper.name == "srae"
    assert not others
    assert [(paper.name, own) for paper, own in papers_of("top_conv")] == [
        ("explainer-autoencoder", False), ("interpretable-cnn", False),
    ]  # fmt: skip
    assert papers_of("mine") == []


def test_bibtex_has_the_kind_of_the_venue() -> None:
    kinds = {papers_of(name)[0][0].bibtex.partition("{")[0] for name in ("srae", "interp_cnn", "autoencoder")}
    assert kinds == {"@article", "@inproceedings", "@misc"}
    assert "eprint        = {1710.00935}" in papers_of("interp_cnn")[0][0].bibtex


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("Literal['exact', 'paper']", "exact or paper"), ("Annotated[float, Ge(0), Le(1)]", "number ≥ 0, ≤ 1"),
        ("Annotated[int, Ge(1)] | None", "whole number ≥ 1 or none"), ("bool", "true or false"),
        ("dict[str, <b>]", "dict[text, <b>]"),
    ],
)  # fmt: skip
def test_types_of_options_are_told_in_words(annotation: str, text: str) -> None:
    assert values_of(annotation) == text
