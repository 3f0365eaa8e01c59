"""What users type: options, task names, seeds, cells, SQL."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from mutation import edited
from planted_cells import cell, rows
from verdicts import verdicts

from partbench import options
from partbench.cli.main import main
from partbench.opening import Workbench
from partbench.registry import Registry, load
from partbench.results.query import query
from partbench.results.store import find_cell, write_cell
from partbench.running.jobs import plan

TASKS = (
    "fauna/multi:bird", "fauna/multi:*", "fauna/bird:others", "fauna/attribute-wild@small_vgg_attributes", "fauna/**",
    "celeba/attribute-male@lite0_head",
)  # fmt: skip
SELECT = "select explainer, avg(value) as mean from aggregates where metric = 'locality' group by explainer order by 1"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / "results"
    write_cell(folder, rows([1.0, 2.0]), cell())
    return folder


def option_texts(registry: Registry, n: int) -> list[tuple[str, str]]:
    """Options of explainers and metrics, each with its default, edited."""
    known = [
        (entry, f"{name}={text}")
        for table in (registry.explainers, registry.metrics)
        for entry in table.values()
        for name, text in options.as_texts(options.resolved(entry.cls())).items()
    ]
    chosen = [random.Random(number).choice(known) for number in range(n)]
    return [(entry.cls, next(edited(text, 1, seed=i))) for i, (entry, text) in enumerate(chosen)]


@pytest.mark.parametrize("n", [50, pytest.param(2500, marks=pytest.mark.soak)])
def test_mutated_options_are_refused_or_have_values_within_bounds(n: int, registry: Registry) -> None:
    def read(one: tuple[type, str]) -> object:
        cls, text = one
        return options.resolved(options.build(cls, options.parse([text])))

    assert verdicts(option_texts(registry, n), read, None)["refused"] > n / 3


@pytest.mark.parametrize("n", [50, pytest.param(2500, marks=pytest.mark.soak)])
def test_mutated_options_of_a_run_are_refused_or_planned(n: int, registry: Registry) -> None:
    def read(text: str) -> object:
        return len(plan(registry, ["srae", "lasso"], ["fauna/multi:bird"], [0], options.parse([text, "srae.beta=2"])))

    texts = (text for start in ("srae.beta=3.0", "epochs=30") for text in edited(start, n // 2))
    assert verdicts(texts, read, 2)["refused"] > n / 3


@pytest.mark.parametrize("n", [10, pytest.param(400, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", TASKS)
def test_mutated_task_names_are_refused_or_known(name: str, n: int, registry: Registry) -> None:
    workbench = Workbench(registry)
    known = {task for dataset in registry.datasets for task in registry.tasks_of(dataset)}
    known |= {task for dataset in registry.datasets for task in registry.tasks_with_others(dataset)}

    def read(text: str) -> object:
        return all(task.partition("@")[0] in known for task in workbench.expand([text]))

    found = verdicts(edited(name, n), read, True)
    assert found["other"] == 0
    assert found["refused"] > n / 3


@pytest.mark.parametrize("n", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_mutated_names_of_cells_and_plugins_are_refused_or_found(n: int, results: Path, registry: Registry) -> None:
    key = cell().key
    assert verdicts(edited(key, n), lambda text: find_cell(results, text)["cell"], key)["other"] == 0
    assert verdicts(edited("results/a-1.parquet", n), lambda text: find_cell(results, text)["cell"], key)["other"] == 0
    read = lambda text: [job.entry.name for job in plan(registry, [text], ["fauna/multi:bird"], [0], {})]  # noqa: E731
    assert verdicts(edited("srae", n), read, ["srae"])["refused"] > n / 3


@pytest.mark.parametrize("n", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_mutated_queries_are_refused_or_answered(n: int, results: Path) -> None:
    read = lambda text: query(results, text).to_pylist()  # noqa: E731
    assert verdicts(edited(SELECT, n), read, read(SELECT))["refused"] > n / 3


ARGUMENTS = (
    ["run", "--plugin", "nobody", "--task", "fauna/multi:bird", "--seed", "0", "-o", "beta=3"], ["show", "0123456789"],
    ["results", "query", SELECT], ["check", "nobody"], ["list", "explainers"], ["leaderboard", "--check"],
    ["cache"], ["doctor"], ["results", "prune"],
)  # fmt: skip


@pytest.mark.parametrize("n", [20, pytest.param(500, marks=pytest.mark.soak)])
def test_mutated_command_lines_end_in_one_line(n: int, results: Path) -> None:
    for number in range(n):
        draw = random.Random(number)
        words = list(draw.choice(ARGUMENTS))
        place = draw.randrange(len(words)) if words[0] != "run" else draw.choice((1, 3, 4, 5, 6, 7, 8))
        words[place] = next(edited(words[place], 1, seed=number)).replace("\0", "0")
        if words[0] not in ("list", "check", "cache", "doctor"):
            words += ["--results", str(results)]
        found = CliRunner().invoke(main, words)
        told = f"{words}: {found.output}"
        assert found.exception is None or isinstance(found.exception, SystemExit), told
        assert found.exit_code in (0, 1, 2), told
        assert "Traceback" not in found.output, told
        assert "\x1b" not in found.output, told
        if found.exit_code == 2 and "Usage" not in found.output:
            lines = [line for line in found.stderr.strip().split("\n") if not line.startswith("preparing: ")]
            assert len(lines) == 1, told
            assert len(found.stderr) < 2000
