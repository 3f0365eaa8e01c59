"""Tests mirror the packages: those of `a/b.py` lie in `a/test_b.py`."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
PACKAGES = {
    "partbench": TESTS.parent / "benchmark" / "partbench",
    "partbench_plugins": TESTS.parent / "plugins" / "partbench_plugins",
}
# Tests of what no single module does.
CROSS_CUTTING = {
    "partbench/cache/test_damage.py",
    "partbench/test_cheats.py", "partbench/test_contract.py", "partbench/test_coordinates.py",
    "partbench/test_imports.py", "partbench/test_leaks.py", "partbench/metrics/test_every_metric.py",
    "partbench/metrics/test_streaming.py",
    "partbench/running/test_cuda.py", "partbench_plugins/test_explainers.py",
}  # fmt: skip


def test_every_file_of_tests_is_named_after_a_module() -> None:
    found = {
        str(file.relative_to(TESTS)): package
        / file.relative_to(TESTS / name).with_name(file.name.removeprefix("test_"))
        for name, package in PACKAGES.items()
        for file in (TESTS / name).rglob("test_*.py")
    }
    assert len(found) > 80
    assert {test for test, module in found.items() if not module.is_file()} == CROSS_CUTTING
