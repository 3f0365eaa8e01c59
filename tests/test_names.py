"""One name, one meaning: what the names of the project must keep to."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = (REPOSITORY / "benchmark" / "partbench", REPOSITORY / "plugins" / "partbench_plugins")


def public_classes(source: str) -> list[str]:
    """Names of the classes of a module that do not start with an underscore, nested ones too."""
    found = (node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return [name for name in found if not name.startswith("_")]


def test_no_two_public_classes_share_a_name():
    homes = defaultdict(list)
    for file in (file for package in PACKAGES for file in sorted(package.rglob("*.py"))):
        for name in public_classes(file.read_text()):
            homes[name].append(str(file.relative_to(REPOSITORY)))
    assert len(homes) > 100
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_public_classes_are_found_wherever_they_are_defined():
    source = "class A:\n    class B: ...\nif True:\n    class C: ...\ndef f():\n    class A: ...\nclass _D: ...\n"
    assert sorted(public_classes(source)) == ["A", "A", "B", "C"]
