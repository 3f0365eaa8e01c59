"""Jobs of SLURM as they would be submitted, and mistakes in naming a cluster."""

from __future__ import annotations

import sys

import pytest

from partbench.errors import InputError
from partbench.running.dask_cluster import parsed_options, scheduler_at, slurm_cluster, slurm_jobs


@pytest.fixture
def jobqueue() -> None:
    pytest.importorskip("dask_jobqueue", reason="needs the extra partbench[cluster]")


def test_the_script_of_a_slurm_job_starts_one_worker_of_one_thread_with_the_options(jobqueue: None) -> None:
    texts = ["queue=long", "account=vision", "walltime=02:30:00", "memory=6GB", "log_directory=/tmp/logs"]
    texts += ["directive=--gres=gpu:1", "directive=--exclusive", "prologue=module load python"]
    with slurm_cluster(parsed_options([*texts, "local_directory=/scratch"])) as cluster:
        lines = cluster.job_script().splitlines()
    for expected in (
        "#SBATCH -J partbench", "#SBATCH -p long", "#SBATCH -A vision", "#SBATCH -n 1", "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=6G", "#SBATCH -t 02:30:00", "#SBATCH --gres=gpu:1", "#SBATCH --exclusive", "module load python",
    ):  # fmt: skip
        assert expected in lines
    [command] = [line for line in lines if line.startswith(sys.executable)]
    for expected in ("--nthreads 1 ", "--memory-limit 5.59GiB", "--local-directory /scratch"):
        assert expected in command
    assert "--nworkers" not in command


def test_a_job_without_options_has_a_day_and_eight_gigabytes(jobqueue: None) -> None:
    with slurm_cluster({}) as cluster:
        script = cluster.job_script()
    assert "#SBATCH -t 24:00:00" in script
    assert "#SBATCH --mem=8G" in script


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue", "--cluster-option queue: expected NAME=VALUE, such as queue=long"),
        ("queue=", "expected NAME=VALUE"),
        ("que=long", "no cluster option named 'que'; did you mean 'queue'?"),
    ],
)
def test_a_wrong_option_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        parsed_options([text])
    assert said in str(raised.value)


def test_an_option_given_twice_is_one_line_unless_it_is_a_list() -> None:
    assert parsed_options(["prologue=a=1", "prologue=b"]) == {"prologue": ["a=1", "b"]}
    with pytest.raises(InputError, match="queue is given twice, as long and short; give it once"):
        parsed_options(["queue=long", "queue=short"])


def test_a_machine_without_slurm_is_one_line(jobqueue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="there is no `sbatch` here; run it on a login node"), slurm_jobs(1, {}):
        pass


def test_a_value_that_dask_refuses_is_one_line(jobqueue: None) -> None:
    with pytest.raises(InputError, match="--cluster-option: "):
        slurm_cluster({"memory": "much"})


@pytest.mark.parametrize("address", ["no such host:1", "8786", "ftp://x:1", "tcp://x"])
def test_what_is_no_address_is_one_line(address: str) -> None:
    pytest.importorskip("distributed", reason="needs the extra partbench[cluster]")
    with pytest.raises(InputError, match="expected an address such as tcp://host:8786"), scheduler_at(address):
        pass


def test_a_missing_extra_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"run: pip install 'partbench\[cluster\]'"), scheduler_at("tcp://x:1"):
        pass
