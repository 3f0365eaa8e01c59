"""What a run is of when plugins come as files of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from partbench.registry import Entry, Registry
from partbench.running.defaults import defaults
from partbench.running.selection import selected

USUAL = defaults()


def registry(*kinds: str) -> Registry:
    """One plugin of each of these kinds, named after its kind, in the file `<kind>.py`."""
    found = Registry()
    for kind in kinds:
        path = str(Path(f"{kind}.py").resolve())
        getattr(found, kind)[f"my_{kind}"] = Entry(f"my_{kind}", object, path, f"{kind}.py", "sha256:0")
    return found


def test_the_defaults_are_registered() -> None:
    from partbench.registry import load

    found = load()
    assert set(USUAL.companions) <= found.explainers.keys()
    assert all(task.partition("/")[0] in found.datasets for task in (*USUAL.tasks, USUAL.check))
    assert USUAL.check in found.tasks()


def test_an_explainer_in_a_file_is_run_alone_on_the_default_tasks() -> None:
    chosen = selected(registry("explainers"), ["explainers.py"], [], [])
    assert (chosen.explainers, chosen.tasks, chosen.metrics) == (("my_explainers",), USUAL.tasks, ())


def test_a_metric_in_a_file_is_printed_for_the_companions() -> None:
    chosen = selected(registry("metrics"), ["metrics.py"], [], [])
    assert (chosen.explainers, chosen.tasks, chosen.metrics) == (USUAL.companions, USUAL.tasks, ("my_metrics",))


def test_a_dataset_in_a_file_is_run_on_its_own_tasks() -> None:
    chosen = selected(registry("datasets"), ["datasets.py"], [], [])
    assert (chosen.explainers, chosen.tasks) == (USUAL.companions, (USUAL.of_dataset.format(dataset="my_datasets"),))


def test_a_performer_in_a_file_is_run_on_the_default_tasks() -> None:
    chosen = selected(registry("performers"), ["performers.py"], [], [])
    assert chosen.tasks == tuple(f"{task}@my_performers" for task in USUAL.tasks)


def test_a_performer_beside_a_dataset_adds_no_tasks() -> None:
    chosen = selected(registry("performers", "datasets"), ["performers.py", "datasets.py"], [], [])
    assert chosen.tasks == (USUAL.of_dataset.format(dataset="my_datasets"),)


@pytest.mark.parametrize("kind", ["metrics", "datasets", "performers"])
def test_what_is_named_is_taken_as_it_is(kind: str) -> None:
    chosen = selected(registry(kind), [f"{kind}.py", "srae"], ["fauna/cat"], ["locality"])
    assert (chosen.explainers, chosen.tasks, chosen.metrics) == (("srae",), ("fauna/cat",), ("locality",))
