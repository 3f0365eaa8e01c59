from __future__ import annotations

import pytest

from partbench.names import in_ascii, look


def test_what_is_not_ascii_is_escaped_and_all_else_stays() -> None:
    assert in_ascii("sr\u0430e") == r"sr\u0430e"
    assert in_ascii("srae\u200b") == r"srae\u200b"
    assert in_ascii("e\u0301") != in_ascii("\u00e9")  # two forms of one letter
    assert in_ascii("timm:resnet_18-x") == "timm:resnet_18-x"


@pytest.mark.parametrize("name", ["SRAE", "Srae", "top-conv", "Top_Conv"])
def test_names_that_differ_in_case_or_dashes_look_alike(name: str) -> None:
    assert look(name) in (look("srae"), look("top_conv"))
    assert look("srae") != look("sae")
