from __future__ import annotations

import pytest

from partbench.opening import Workbench
from partbench.registry import load
from partbench.task_globs import matches

NAMES = ["cat", "dog", "cat:others", "multi", "multi:cat", "multi:dog", "attribute-x", "multi:cat@vgg", "cat@timm:net"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("d/*", ["cat", "dog"]),
        ("d/c*", ["cat"]),
        ("d/*:others", ["cat:others"]),
        ("d/multi", ["multi"]),
        ("d/multi:*", ["multi:cat", "multi:dog"]),
        ("d/multi*", ["multi", "multi:cat", "multi:dog"]),
        ("d/attribute-*", ["attribute-x"]),
        ("d/**", ["cat", "dog", "multi", "multi:cat", "multi:dog", "attribute-x"]),
        ("d/multi:*@vgg", ["multi:cat@vgg"]),
        ("d/*@timm:net", ["cat@timm:net"]),
        ("*/multi", ["multi"]),
        ("other/**", []),
        ("[d]/multi:*", ["multi:cat", "multi:dog"]),
    ],
)
def test_a_pattern_means_tasks_of_one_kind(pattern: str, meant: list[str]) -> None:
    assert [name for name in NAMES if matches(f"d/{name}", pattern)] == meant


def test_a_run_means_the_same_tasks() -> None:
    registry = load()
    bench = Workbench(registry)
    every = [*registry.tasks_of("fauna"), *registry.tasks_with_others("fauna")]
    for pattern in ("fauna/*", "fauna/*:others", "fauna/multi:*", "fauna/attribute-*", "fauna/**", "fauna/multi:c*"):
        assert bench.expand([pattern]) == [name for name in every if matches(name, pattern)]
