"""Handing steps out to Dask workers, with a client that is planted: which worker gets what, deaths, misfits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from partbench.errors import InputError
from partbench.running import dask_crew
from partbench.running.cell_job import Limits, Setting
from partbench.running.crew import Step
from partbench.running.dask_crew import KILLS, DaskCrew, Reply, Source
from partbench.running.dask_task import do, end_workers, versions_here

VERSIONS = {"partbench": "1", "torch": "2"}
SOURCE = Source(Setting("results"), VERSIONS, {}, Limits())


class PlantedFuture:
    """A future of a planted client: it has ended as soon as it has a result."""

    def __init__(self) -> None:
        self.status, self.callbacks, self.found = "pending", [], None

    def add_done_callback(self, callback: Callable[[PlantedFuture], None]) -> None:
        self.callbacks.append(callback)
        if self.status != "pending":
            callback(self)

    def end(self, found: Any) -> None:
        self.status, self.found = "finished", found
        for callback in self.callbacks:
            callback(self)

    def cancelled(self) -> bool:
        return self.status == "cancelled"

    def cancel(self) -> None:
        self.status = "cancelled"

    def result(self, timeout: float) -> Any:
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@dataclass
class PlantedClient:
    """Workers by address, with their threads, versions and what they make of a step ("dies" for a death)."""

    workers: dict[str, int]
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    does: Callable[[str, str], Any] = lambda address, step: {"kind": "done"}
    done: list[tuple[str, str]] = field(default_factory=list)
    before: dict[str, list[str]] = field(default_factory=dict)
    cancelled: int = 0
    ended: list[str] = field(default_factory=list)
    joining: dict[str, int] = field(default_factory=dict)

    def nthreads(self) -> dict[str, int]:
        return dict(self.workers)

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.topic = topic

    def cancel(self, futures: list[PlantedFuture], force: bool) -> None:
        self.cancelled += sum(future.status == "pending" for future in futures)

    def submit(self, function: Any, *arguments: Any, key: str, workers: list[str], **_: Any) -> PlantedFuture:
        [address], future = workers, PlantedFuture()
        if function is versions_here:
            future.end({"versions": self.versions.get(address, VERSIONS)})
        elif function is end_workers:
            self.ended.append(address)
            future.end(None)
        else:
            assert function is do
            self._do(address, arguments[0], future)
        return future

    def _do(self, address: str, task: dict[str, Any], future: PlantedFuture) -> None:
        name = task["step"]["name"]
        self.done.append((address, name))
        self.before[name] = [step["name"] for step in task["before"]]
        found = self.does(address, name)
        if found == "dies":
            del self.workers[address]
            self.workers |= self.joining
        elif found is not None:
            future.end(found)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_crew, "LOOK", 0.0)
    monkeypatch.setattr(dask_crew, "TICK", 0.01)


def step(name: str, *after: str, group: str = "g", what: str = "cell") -> Step:
    return Step(name, {"do": what}, name, group, frozenset(after))


def done(client: PlantedClient, *steps: Step, most: int | None = None) -> list[Reply]:
    crew = DaskCrew(client, most)  # type: ignore[arg-type]
    return list(crew.run(steps, SOURCE))


def test_steps_come_after_those_that_they_need_and_name_them_for_machines_that_lack_them() -> None:
    client = PlantedClient({"a": 1, "b": 1})
    steps = step("cell x", "act", "cell n"), step("cell n", "act"), step("act", what="activations")
    replies = done(client, *steps)
    assert [reply.step.name for reply in replies] == ["act", "cell n", "cell x"]
    assert client.before == {"act": [], "cell n": ["act"], "cell x": ["act", "network n"]}


def test_a_group_stays_where_it_is_open() -> None:
    client = PlantedClient({"a": 1, "b": 1})
    done(client, *(step(f"{group}{i}", group=group) for i in range(4) for group in "uv"))
    assert len(client.done) == 8
    for address in "ab":
        assert len({name[0] for where, name in client.done if where == address}) == 1


def test_a_step_that_ends_three_workers_is_lost_and_no_other_is() -> None:
    addresses = {f"w{i}": 1 for i in range(5)}
    client = PlantedClient(addresses, does=lambda _, name: "dies" if name == "bad" else {"kind": "done"})
    with pytest.warns(UserWarning, match="it is done again elsewhere") as told:
        replies = done(client, step("good"), step("bad"), step("after", "bad"))
    found = {reply.step.name: reply for reply in replies}
    assert len(told) == KILLS - 1
    assert found["bad"].lost.startswith("3 Dask workers ended while they did it: ")
    assert found["bad"].found is None
    assert (found["good"].lost, found["after"].lost) == ("", "")
    assert len(client.workers) == 2


def test_a_step_of_a_dead_worker_waits_for_one_that_joins() -> None:
    client = PlantedClient({"a": 1}, does=lambda address, _: "dies" if address == "a" else {"kind": "done"})
    client.joining = {"b": 1}
    with pytest.warns(UserWarning, match="Dask worker a ended while it did x"):
        replies = done(client, step("x"))
    assert [(reply.address, reply.lost) for reply in replies] == [("b", "")]


def test_a_worker_of_other_versions_is_left_out_with_what_differs() -> None:
    client = PlantedClient({"a": 1, "b": 1}, versions={"a": {"partbench": "1", "torch": "3"}})
    with pytest.warns(UserWarning, match="Dask worker a is left out: torch is 3 there, 2 here"):
        replies = done(client, *(step(f"s{i}") for i in range(3)))
    assert {reply.address for reply in replies} == {"b"}
    assert client.ended == ["a"]


def test_a_worker_of_other_versions_that_joins_later_gets_nothing() -> None:
    def does(address: str, name: str) -> Any:
        client.workers["late"] = 1
        return {"kind": "done"}

    client = PlantedClient({"a": 1}, versions={"late": {}}, does=does)
    with pytest.warns(UserWarning, match=r"Dask worker late is left out: partbench is absent there, 1 here; torch"):
        replies = done(client, *(step(f"s{i}") for i in range(4)))
    assert {reply.address for reply in replies} == {"a"}


def test_no_worker_that_fits_is_one_line() -> None:
    client = PlantedClient({"a": 1}, versions={"a": {"partbench": "2", "torch": "2"}})
    with pytest.raises(InputError, match="Dask worker a cannot do cells of this run: partbench is 2 there, 1 here"):
        done(client, step("x"))


def test_as_many_steps_at_once_as_threads_but_no_more_than_asked_for() -> None:
    for most, expected in ((None, 3), (2, 2)):
        client = PlantedClient({"a": 2, "b": 1}, does=lambda *_: None)
        crew = DaskCrew(client, most)  # type: ignore[arg-type]
        assert crew.size == expected
        working = crew.run([step(f"s{i}") for i in range(5)], SOURCE)
        count_until_idle(crew, working)
        assert len(client.done) == expected


def count_until_idle(crew: DaskCrew, working: Iterator[Reply]) -> None:
    """Let a crew run until it has nothing to hand out."""

    class Enough(Exception):
        pass

    ticks = iter(range(20))

    def tick() -> None:
        if next(ticks) == 19:
            raise Enough

    crew.listener.tick = tick  # type: ignore[method-assign]
    with pytest.raises(Enough):
        next(working)


def test_closing_cancels_what_is_being_done_and_ends_idle_workers() -> None:
    client = PlantedClient({"a": 1, "b": 1}, does=lambda _, name: None if name == "long" else {"kind": "done"})
    crew = DaskCrew(client)  # type: ignore[arg-type]
    working = crew.run([step("long"), step("short")], SOURCE)
    assert next(working).step.name == "short"
    assert list(crew.results_at_hand()) == []
    crew.close()
    assert client.cancelled == 1
    assert len(client.ended) == 1


def test_results_at_hand_are_those_that_have_ended_and_were_not_told_of() -> None:
    client = PlantedClient({"a": 1, "b": 1})
    crew = DaskCrew(client)  # type: ignore[arg-type]
    working = crew.run([step("one"), step("two")], SOURCE)
    told = next(working).step.name
    [left] = crew.results_at_hand()
    assert {told, left.step.name} == {"one", "two"}


def test_an_error_of_a_dask_worker_loses_its_step_with_the_reason() -> None:
    client = PlantedClient({"a": 1}, does=lambda _, name: OSError("no space left") if name == "x" else {"kind": "done"})
    replies = {reply.step.name: reply.lost for reply in done(client, step("x"), step("y"))}
    assert replies == {"x": "Dask worker a: OSError: no space left", "y": ""}


def test_a_scheduler_that_goes_is_one_line() -> None:
    client = PlantedClient({"a": 1})

    def gone() -> dict[str, int]:
        raise OSError("closed")

    client.nthreads = gone  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"the Dask scheduler is gone \(OSError: closed\); finished cells are kept"):
        done(client, step("x"))


def test_a_cluster_without_workers_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_crew, "SILENCE", 0.0)
    client = PlantedClient({})
    crew = DaskCrew(client)  # type: ignore[arg-type]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        count_until_idle(crew, crew.run([step("x")], SOURCE))
    assert [str(one.message) for one in told] == [
        "no Dask worker is there that fits; the run goes on when one joins the scheduler"
    ]
