"""Plugin files."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation import damaged, edited
from verdicts import verdicts

from partbench.catalogue import catalogue
from partbench.registry import load

PLUGIN = '''
"""An explainer that marks the middle of an image."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt

from partbench import Explainer, Explanation, hookimpl


@dataclass
class Middle(Explainer):
    """The middle cell, for every image."""

    name: ClassVar[str] = "middle"
    width: Annotated[float, Gt(0)] = 1.0
    profile: Literal["paper", "released"] = "paper"
    layers: tuple[int, ...] = (64, 5)

    def fit(self, task):
        self.task = task

    def explain(self, images):
        maps = torch.zeros(len(images), 1, 3, 3)
        maps[:, :, 1, 1] = self.width
        return Explanation(maps=maps)


@hookimpl
def register_explainers(register):
    register(Middle)
'''


@pytest.mark.parametrize("n", [20, pytest.param(500, marks=pytest.mark.soak)])
def test_mutated_plugin_files_are_refused_or_register_something(n: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"

    def read(content: bytes) -> object:
        path.write_bytes(content)
        registry = load([path])
        assert any(registry.of_file(path).values())
        return registry.of_file(path)["explainers"]

    texts = (text.encode(errors="surrogatepass") for text in edited(PLUGIN, n))
    for inputs in (damaged(PLUGIN.encode(), n), texts):
        assert verdicts(inputs, read, ["middle"])["refused"] > n / 10


@pytest.mark.parametrize("n", [5, pytest.param(200, marks=pytest.mark.soak)])
def test_mutated_plugin_files_are_listed_or_refused(n: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"

    def read(text: str) -> object:
        path.write_bytes(text.encode(errors="surrogatepass"))
        return len(catalogue([path]).plugins) > 20

    assert verdicts(edited(PLUGIN, n, seed=1), read, True)["other"] == 0
