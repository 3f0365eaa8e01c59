"""Who runs the cells: which options go together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from partbench.cli.engines import EngineChoice, cores
from partbench.errors import InputError
from partbench.running.cell_job import Limits, Setting
from partbench.running.crew import Silent
from partbench.running.dask_engine import DaskEngine
from partbench.running.engine import Engine, Request


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (EngineChoice(None, "local", "tcp://a:1", None, ()), "--scheduler is of a Dask cluster; add --engine dask"),
        (EngineChoice(None, "local", None, "slurm", ()), "--cluster is of a Dask cluster"),
        (EngineChoice(None, "local", None, None, ("queue=long",)), "--cluster-option is of --engine dask --cluster"),
        (EngineChoice(None, "dask", None, None, ()), "needs either --scheduler ADDRESS or --cluster slurm"),
        (EngineChoice(2, "dask", "tcp://a:1", "slurm", ()), "needs either --scheduler ADDRESS or --cluster slurm"),
        (EngineChoice(2, "dask", "tcp://a:1", None, ("queue=a",)), "the workers of a --scheduler run already"),
        (EngineChoice(None, "dask", None, "slurm", ()), "--cluster slurm needs --jobs N"),
        (EngineChoice(2, "dask", None, "slurm", ("colour=red",)), "no cluster option named 'colour'"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(choice: EngineChoice, said: str) -> None:
    with pytest.raises(InputError) as raised:
        choice.connection()
    assert said in str(raised.value)


def test_the_engine_is_the_one_asked_for_and_a_plan_is_made_here() -> None:
    request = Request(Setting("results"), ["nn"])
    local = EngineChoice(3, "local", None, None, ())
    dask = EngineChoice(64, "dask", "tcp://a:1", None, ())
    for choice, plan_only, size in ((local, False, 3), (dask, True, min(64, cores()))):
        with choice.opened(request, Limits(), Silent(), plan_only) as engine:
            assert isinstance(engine, Engine)
            assert engine.size == size
            assert engine.limits.memory == Limits.usual().memory
    with dask.opened(request, Limits(), Silent(), False) as engine:
        assert isinstance(engine, DaskEngine)
        assert (engine.most, engine.limits.memory) == (64, None)


def test_the_process_that_talks_to_dask_imports_no_torch() -> None:
    pytest.importorskip("distributed", reason="needs the extra partbench[cluster]")
    code = "import sys, distributed, partbench.cli.engines, partbench.running.dask_engine, partbench.running.dask_crew"
    found = subprocess.run([sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True)
    assert found.stdout.strip() == b"False", found.stderr


def test_without_the_extra_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['distributed'] = None; from partbench.cli.main import main; main()"
    words = ["run", "--plugin", "nn", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9", "--results", "r"]
    found = subprocess.run([sys.executable, "-c", hidden, *words], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == (
        "bench: --engine dask needs distributed and dask-jobqueue; run: pip install 'partbench[cluster]'"
    )
