from __future__ import annotations

import pytest

from partbench import InputError
from partbench.performers.network_options import NetworkOptions


def test_options_are_written_in_one_way_whatever_their_order_and_defaults_left_out() -> None:
    found = NetworkOptions.parse("size=64,weights=random,outputs=dataset", "vgg_16")
    assert found == NetworkOptions(weights="random", size=64)
    assert str(found) == ",weights=random,size=64"
    assert str(NetworkOptions.parse("", "vgg_16")) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight=random", "no option of performer vgg_16 named 'weight'; did you mean 'weights'"),
        ("weights", "expected weights=VALUE, found 'weights'"),
        ("size=64.5", "size is '64.5', expected a number of px from 8 to 4096"),
        ("size=5", "from 8 to 4096"),
        ("size=00100000000", "from 8 to 4096"),
        ("outputs=all", "outputs is 'all', expected dataset or imagenet"),
    ],
)
def test_what_is_no_option_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        NetworkOptions.parse(text, "vgg_16")
