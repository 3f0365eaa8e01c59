"""Crews of workers that do nothing heavy: how steps are handed out, and what happens when workers end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from partbench.running import worker_process
from partbench.running.cell_job import Limits
from partbench.running.crew import Answer, Crew, Step
from partbench.running.worker_process import Surroundings

ECHO = """
import json, os, sys, time

def say(event, **data):
    print(json.dumps({"event": event, "pid": os.getpid(), **data}), flush=True)

say("ready")
for line in sys.stdin:
    request = json.loads(line)
    say("begun")
    if request["do"] == "exit":
        os._exit(9)
    if request["do"] == "sleep":
        say("started")
        time.sleep(60)
    if request["do"] == "close":
        os.close(1)
        time.sleep(60)
    if request["do"] == "load":
        say("loading", plugin="slow")
        time.sleep(60)
    if request["do"] == "fork":
        if os.fork() == 0:
            say("done", result="of the child", clean=True)
            os._exit(0)
        os.wait()
    say("done", result=[os.getpid(), time.monotonic()], clean=request["do"] != "unclean")
"""


def test_surroundings_hide_paths_and_where_the_user_is(tmp_path: Path) -> None:
    given = {"PWD": "/home/ann", "OLDPWD": "/", "_": "bench", "NOTE": f"see {tmp_path}/x.zip", "PYTHONPATH": "a:/b"}
    made = Surroundings(tmp_path, (tmp_path / "x.zip",)).of({**given, "LANG": "C"})
    assert made == {"LANG": "C", "PYTHONPATH": f"{os.getcwd()}/a:/b", "PWD": str(tmp_path)}


@pytest.fixture(autouse=True)
def light_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "echo_worker.py").write_text(ECHO)
    monkeypatch.setattr(worker_process, "MODULE", "echo_worker")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


@pytest.fixture
def crew() -> Iterator[Crew]:
    before = psutil.Process().children()  # such as of fixtures of other tests in this process
    with Crew(2, Limits(seconds=1.0, loading=0.5)) as crew:
        yield crew
    left = [child for child in psutil.Process().children() if child not in before]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]


def step(name: str, do: str = "echo", group: str = "", after: tuple[str, ...] = ()) -> Step:
    return Step(name, {"do": do}, name, group, frozenset(after))


def by_name(crew: Crew, *steps: Step) -> dict[str, Answer]:
    answers = list(crew.run(steps))
    assert len(answers) == len(steps)
    return {answer.step.name: answer for answer in answers}


def test_each_step_is_done_once_by_at_most_so_many_workers(crew: Crew) -> None:
    found = by_name(crew, *(step(str(number)) for number in range(20)))
    assert {answer.kind for answer in found.values()} == {"done"}
    assert len({answer.result[0] for answer in found.values()}) <= 2


def test_a_step_waits_for_those_before_it(crew: Crew) -> None:
    found = by_name(crew, step("c", after=("b",)), step("b", after=("a",)), step("a"))
    times = [found[name].result[1] for name in "abc"]
    assert times == sorted(times)


def test_a_step_does_not_wait_for_one_that_failed_or_is_unknown(crew: Crew) -> None:
    found = by_name(crew, step("b", after=("a", "never heard of")), step("a", "exit"))
    assert (found["a"].kind, found["b"].kind) == ("ended", "done")


def test_steps_that_wait_for_each_other_are_done_all_the_same(crew: Crew) -> None:
    assert {a.kind for a in by_name(crew, step("a", after=("b",)), step("b", after=("a",))).values()} == {"done"}


@pytest.mark.parametrize(
    ("do", "text"),
    [
        ("exit", "its process ended with exit code 9, as by os._exit(9)"),
        ("sleep", "longer than 1 s"),
        ("load", "importing slow took longer than 0.5 s"),
        ("close", "it closed the channel of its events"),
    ],
)
def test_a_worker_that_ends_or_oversteps_is_replaced(crew: Crew, do: str, text: str) -> None:
    found = by_name(crew, step("bad", do), *(step(str(number)) for number in range(4)))
    assert (found["bad"].kind, found["bad"].text) == ("ended", text)
    assert {answer.kind for name, answer in found.items() if name != "bad"} == {"done"}
    assert by_name(crew, step("later"))["later"].kind == "done"


def test_a_worker_that_says_it_is_not_clean_does_nothing_more(crew: Crew) -> None:
    crew.size = 1
    found = by_name(crew, step("a", "unclean"), step("b"), step("c"))
    assert found["a"].result[0] != found["b"].result[0] == found["c"].result[0]


def test_what_a_forked_process_says_is_not_the_workers(crew: Crew) -> None:
    assert isinstance(by_name(crew, step("a", "fork"))["a"].result, list)


def test_a_worker_goes_on_with_the_group_it_has_open_else_with_one_of_its_own(crew: Crew) -> None:
    ready = [step("a1", group="a"), step("b1", group="b"), step("a2", group="a")]
    crew._groups = {0: "b", 1: "a"}
    assert crew._chosen(0, ready) == ready[1]
    crew._groups, crew._answers = {0: "a"}, {0: Answer(ready[0], Path())}
    assert crew._chosen(1, ready) == ready[1]
    assert crew._chosen(1, [ready[2]]) == ready[2]  # no worker is left idle
    crew._answers.clear()


def test_workers_that_cannot_be_started_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "MODULE", "no_such_module")
    steps = [step(name) for name in "abc"]
    with Crew(1, Limits()) as crew, pytest.raises(RuntimeError, match=r"workers cannot be started.*no_such_module"):
        list(crew.run(steps))


def test_limits_are_looked_at_while_nothing_is_said(crew: Crew) -> None:
    started = time.monotonic()
    assert by_name(crew, step("a", "sleep"))["a"].text == "longer than 1 s"
    assert time.monotonic() - started < 10
