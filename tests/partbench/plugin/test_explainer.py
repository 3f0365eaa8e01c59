"""The base class of explainers: what it offers by default, and options resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import torch
from annotated_types import Gt

from partbench import Explainer, Images, InputError, default_from


@dataclass
class Plain(Explainer):
    """Offers nothing that is optional."""

    name = "plain"

    rate: Annotated[float, Gt(0)] = 0.5
    double: float = default_from(lambda explainer: 2 * explainer.rate)


def test_an_explainer_offers_nothing_that_it_does_not_define() -> None:
    plain, images = Plain(), Images(("a",), torch.zeros(1, 3, 4, 4))
    assert plain.report() == {}
    assert plain.concept_names() == ()
    assert plain.unmasked(images) is plain.head(images) is plain.without(images, [0]) is None
    assert plain.baseline() is plain.compared_with() is None
    assert plain.control() == ""


def test_an_explainer_must_learn_and_explain() -> None:
    with pytest.raises(NotImplementedError):
        Plain().fit(None)
    with pytest.raises(NotImplementedError):
        Plain().explain(Images((), torch.zeros(0, 3, 4, 4)))


def test_options_of_an_explainer_are_resolved_when_it_is_made() -> None:
    made = Plain(rate=3)
    assert (made.rate, made.double) == (3.0, 6.0)
    assert isinstance(made.rate, float)
    assert Plain(double=1).double == 1.0
    with pytest.raises(InputError, match=r"plain: rate is 0, expected greater than 0"):
        Plain(rate=0)


def test_an_explainer_that_is_no_dataclass_has_no_options_to_resolve() -> None:
    class Bare(Explainer):
        """Not a dataclass."""

        name = "bare"

        def __init__(self, value: int) -> None:
            self.value = value
            self.__post_init__()

    assert Bare(3).value == 3


def test_an_explainer_builds_on_no_other_unless_it_says_so() -> None:
    assert list(Explainer().builds_on(None)) == []


def test_an_explainer_explains_the_performer_and_may_draw_unless_it_says_otherwise() -> None:
    assert Explainer().explains(None) is None
    assert Explainer().deterministic() is False
