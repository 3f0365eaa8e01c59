from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from partbench import InputError
from partbench.running.training.request import TrainingRequest


def test_numbers_that_are_not_above_0_or_far_too_large_are_refused_in_one_line(
    asked: Callable[..., TrainingRequest],
) -> None:
    for option, value in (
        ("lr", 0.0),
        ("lr", float("nan")),
        ("epochs", 0),
        ("batch_size", -1),
        ("lr", 1e300),
        ("epochs", 10**400),
    ):
        with pytest.raises(InputError, match=f"--{option.replace('_', '-')} is .*, expected a number above 0"):
            asked(**{option: value})
    with pytest.raises(InputError, match="--schedule is 'cosin', expected one of cosine, constant, published"):
        asked(schedule="cosin")


def test_what_is_kept_names_the_network_without_its_first_weights(asked: Callable[..., TrainingRequest]) -> None:
    found = asked(network="vgg_16,layers=r.toml,size=64", weights="w.pth", frozen=("fc6",))
    assert found.network_name == "vgg_16,layers=r.toml,size=64,weights=w.pth"
    assert found.kept_name == "vgg_16,size=64"
    assert TrainingRequest.of(json.loads(json.dumps(found.plain()))) == found
