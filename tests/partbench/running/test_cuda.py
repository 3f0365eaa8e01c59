"""Cells on a GPU that two workers share; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from partbench.results.store import load_results
from partbench.running.cell_job import Limits, Setting
from partbench.running.engine import Engine, Request

EXPLAINERS = ["top_conv", "excitation_bp", "z", "random_maps"]
ON_THE_CPU_TOO = 0.01  # one image in a hundred may fall on the other side of a threshold
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def scores(results: Path, device: str) -> pd.DataFrame:
    """The aggregates of cells without training, which two workers made."""
    request = Request(Setting(str(results), device=device), EXPLAINERS, ["fauna/multi:bird"], [0])
    with Engine(request, 2, Limits()) as engine:
        outcomes = list(engine.run(engine.planned()))
    assert {outcome.status for outcome in outcomes} == {"done"}, [outcome.reason for outcome in outcomes]
    frame = load_results(results)
    assert set(frame["device"]) == {device}
    return frame.astype({"explainer": str, "metric": str}).set_index(["explainer", "metric"]).sort_index()


def test_metrics_on_a_gpu_are_those_on_a_cpu_and_the_same_each_time(tmp_path: Path) -> None:
    cpu, first, again = (scores(tmp_path / name, device) for name, device in
                         (("cpu", "cpu"), ("first", "cuda"), ("again", "cuda")))  # fmt: skip
    assert first.index.equals(cpu.index)
    assert (first["status"].astype(str) == cpu["status"].astype(str)).all()
    np.testing.assert_allclose(first["value"], cpu["value"], rtol=ON_THE_CPU_TOO, atol=ON_THE_CPU_TOO)
    np.testing.assert_allclose(first["value"], again["value"], rtol=1e-4, atol=1e-4)
