from __future__ import annotations

import pytest

from partbench.names import before_performer, in_ascii, look, performer_bases


def test_what_is_not_ascii_is_escaped_and_all_else_stays() -> None:
    assert in_ascii("sr\u0430e") == r"sr\u0430e"
    assert in_ascii("srae\u200b") == r"srae\u200b"
    assert in_ascii("e\u0301") != in_ascii("\u00e9")  # two forms of one letter
    assert in_ascii("timm:resnet_18-x") == "timm:resnet_18-x"


def test_a_performer_stands_behind_the_last_at() -> None:
    assert before_performer("multi:a@b@timm:c,size=64") == ("multi:a@b", "@", "timm:c,size=64")
    assert before_performer("multi:a@") == ("multi:a", "@", "")
    assert before_performer("multi:a") == ("multi:a", "", "")


@pytest.mark.parametrize("name", ["SRAE", "Srae", "top-conv", "Top_Conv"])
def test_names_that_differ_in_case_or_dashes_look_alike(name: str) -> None:
    assert look(name) in (look("srae"), look("top_conv"))
    assert look("srae") != look("sae")


def test_a_performer_with_options_or_of_a_library_is_registered_under_another_name() -> None:
    assert performer_bases("vgg_16,weights=random") == ["vgg_16"]
    assert performer_bases("timm:resnet18,weights=a:b,size=64") == ["timm:resnet18", "timm:NAME"]
