"""Versions by name, and how those of two places differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from partbench import __version__
from partbench.registry import Broken, load
from partbench.running.versions import differences, versions_of

PLUGIN = Path(__file__).with_name("hostile_plugin.py")


def test_versions_name_partbench_torch_and_every_installed_plugin_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = load([PLUGIN])
    registry.broken = [Broken("odd", "ImportError")]
    found = versions_of(registry, (str(PLUGIN.resolve()),))
    assert re.fullmatch(re.escape(__version__) + r" \(code [0-9a-f]{16}\)", found["partbench"])
    assert found["torch"] == torch.__version__
    assert re.fullmatch(r"partbench \S+ \(code [0-9a-f]{16}\)", found["explainer srae"])
    assert {"metric accuracy", "dataset fauna", "performer small_vgg"} <= found.keys()
    assert found["plugin odd"] == "broken (ImportError)"
    assert "explainer hostile" not in found
    monkeypatch.setattr("partbench.results.provenance.digest", lambda module: "")
    assert versions_of(registry)["explainer hostile"].startswith("hostile_plugin.py sha256:")


def test_differences_are_named_with_both_versions_and_counted() -> None:
    here = {"partbench": "1", "torch": "2", "explainer a": "x 1", "explainer b": "x 1"}
    assert differences(here, dict(reversed(here.items()))) == ""
    assert differences(here, here | {"torch": "3"}) == "torch is 3 there, 2 here"
    assert differences(here, {"partbench": "1", "torch": "2", "explainer a": "x 1", "metric m": "y 1"}) == (
        "explainer b is absent there, x 1 here; metric m is y 1 there, absent here"
    )
    assert differences(here, {}).endswith("; explainer a is absent there, x 1 here and 1 more")
