"""Advice travels with the error that it is on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import partbench
from partbench import advice
from partbench.advice import Advice, advice_of, advised
from partbench.testing import ContractError
from partbench.testing.checks import expect

NAMES = {name for name, value in vars(advice).items() if isinstance(value, Advice)}


def used() -> set[str]:
    """Names of advice that the modules of partbench name."""
    found: set[str] = set()
    for path in Path(partbench.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found |= {node.attr} if isinstance(node, ast.Attribute) else set()
            found |= {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else set()
    return found


def test_every_advice_says_how_to_mend_and_belongs_to_an_error() -> None:
    assert len(NAMES) > 60
    assert NAMES - used() == set()
    assert all(getattr(advice, name).mend for name in NAMES)


def test_advice_is_found_behind_the_errors_that_an_error_led_to() -> None:
    error = ContractError("maps are negative")
    error.__cause__ = advised(ValueError("maps are negative"), advice.NEGATIVE_MAPS)
    assert advice_of(error) is advice.NEGATIVE_MAPS


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (SystemExit(3), "must not end the process"),
        (ModuleNotFoundError("no module"), "install the module"),
        (RuntimeError("Error(s) in loading state_dict for Net"), "of another network"),
    ],
)
def test_errors_of_others_have_advice_by_their_kind(error: BaseException, mend: str) -> None:
    found = advice_of(error)
    assert found is not None
    assert mend in found.mend
    assert advice_of(KeyError("a")) is None


def test_a_rule_that_is_broken_is_raised_with_its_advice() -> None:
    expect(True, "nothing", advice.IDS)
    with pytest.raises(ContractError, match="two images") as caught:
        expect(False, "two images have one id", advice.IDS)
    assert advice_of(caught.value) is advice.IDS
