"""Kill the process anywhere, load the run and go on: the finished log is that of a run never killed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import ConcurrentWriterError, RunNotFoundError, StoreNotFoundError
from activegraph.runtime.patterns import parse
from activegraph.runtime.runtime import Runtime
from activegraph.store import open_store, verify_run
from support.equal_logs import essences
from support.killed import commits_of, ended_at_commit, in_a_process, kill, wait_for

RUN = "run_1"


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that gives the URL of another empty store."""
    if request.param == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return make
    numbers = iter(range(10**6))
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


def task_behaviors(tasks: int) -> list[Behavior | RelationBehavior]:
    """A planner that makes tasks, and two behaviors on each of them."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        for number in range(tasks):
            graph.add_object("task", {"number": number})

    def estimate(event: Event, graph: Any, ctx: Any) -> None:
        graph.patch_object(event.payload["id"], {"estimate": ctx.random.randrange(100)})

    def note(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("task.noted", {"task": event.payload["id"]})

    new_task = {"object.type": "task"}
    return [
        Behavior("planner", plan, on=["goal.created"]),
        Behavior("estimator", estimate, on=["object.created"], where=new_task),
        Behavior("noter", note, on=["object.created"], where=new_task),
    ]


def everything() -> list[Behavior | RelationBehavior]:
    """Every kind of behavior and change: patterns, relations, delays, proposals, failures, internal events."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        made = [graph.add_object("task", {"n": n, "status": "open"}) for n in range(3)]
        for first, second in pairwise(made):
            graph.add_relation(first.id, second.id, "before")

    def follow(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
        if len(ctx.view.relations(type="before")) < 5:
            graph.add_relation(relation.target, relation.source, "before")
        graph.patch_object(relation.source, {"followed": ctx.random.random()})

    def pair(event: Event, graph: Any, ctx: Any) -> None:
        if len(ctx.view.objects(type="pair")) < 4:
            graph.add_object("pair", {"of": [m.bindings for m in ctx.new_matches], "all": len(ctx.matches)})

    def remind(event: Event, graph: Any, ctx: Any) -> None:
        graph.propose_patch(event.payload["id"], "update", {"late": True})
        graph.emit("reminded", {"id": event.payload["id"]})

    def ask(event: Event, graph: Any, ctx: Any) -> None:
        ctx.propose_object("memo", {"about": event.payload["id"]}, reason="please")
        if event.payload["object"]["data"]["all"] > 1:
            raise ValueError("too many")

    def mourn(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("obituary", {"of": event.payload["behavior"], "why": event.payload["message"]})

    def applaud(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("applause", {"for": event.payload["object_id"]})

    pattern = "(a:task)-[:before]->(b:task) WHERE a.status = 'open'"
    return [
        Behavior("planner", plan, on=["goal.created"]),
        RelationBehavior("follower", follow, "before", on=["relation.created"]),
        Behavior("pairs", pair, on=["relation.created"], pattern=pattern, pattern_matcher=parse(pattern).compile()),
        Behavior("reminder", remind, on=["object.created"], where={"object.type": "task"}, activate_after=2),
        Behavior("asker", ask, on=["object.created"], where={"object.type": "pair"}),
        Behavior("mourner", mourn, on=["behavior.failed"]),
        Behavior("applause", applaud, on=["approval.granted"]),
    ]


def tasks_to_the_end(url: str, tasks: int = 3) -> None:
    """Begin the run, or go on with it, until it is idle."""
    runtime, begun = loaded_or_new(url, task_behaviors(tasks))
    if begun:
        runtime.run_until_idle()
    else:
        runtime.run_goal("make and note tasks")
    runtime.close()


DECISIONS = ("patch.rejected", "approval.denied", "approval.granted")
"""Once the host has begun to decide, it decides on the rest before anything runs again."""


def everything_to_the_end(url: str) -> None:
    """The same with every kind of behavior, three runs under a small budget, and decisions in between."""
    runtime, begun = loaded_or_new(url, everything(), budget={"max_behavior_calls": 4})
    if not begun:
        runtime.run_goal("everything")
    if not any(event.type in DECISIONS for event in runtime.graph.events):
        finish(runtime)
    for patch in ("patch_004", "patch_001"):
        known = runtime.graph.get_patch(patch)
        if known is not None and known.status == "proposed":
            runtime.graph.apply_patch(patch)
    for approval in runtime.pending_approvals():
        if approval.id == "approval_001":
            runtime.deny(approval.id, "anna", "no")
        else:
            runtime.approve(approval.id, "anna")
    finish(runtime)
    runtime.close()


def finish(runtime: Runtime) -> None:
    runtime.run_until_idle()
    while runtime.status().state == "exhausted":
        runtime.budget = {"max_behavior_calls": 4}
        runtime.run_until_idle()


def loaded_or_new(url: str, behaviors: Any, **options: Any) -> tuple[Runtime, bool]:
    try:
        runtime = Runtime.load(url, RUN, behaviors=behaviors, clock=FrozenClock(), **options)
    except (StoreNotFoundError, RunNotFoundError):
        graph = Graph(run_id=RUN, clock=FrozenClock())
        return Runtime(graph, behaviors=behaviors, persist_to=url, **options), False
    return runtime, runtime.status().events_processed > 0


def log_of(url: str) -> list[Event]:
    with open_store(url, RUN, read_only=True) as store:  # type: ignore[attr-defined]  # stores are context managers
        return list(store.iter_events())


PROGRAMS = {"tasks": tasks_to_the_end, "everything": everything_to_the_end}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("after", [False, True], ids=["before-each-commit", "after-each-commit"])
def test_a_process_that_ends_at_any_commit_loses_nothing_and_repeats_nothing(
    new_url: Callable[[], str], program: str, after: bool
) -> None:
    to_the_end = PROGRAMS[program]
    whole = new_url()
    commits = commits_of(lambda: to_the_end(whole))
    expected = essences(log_of(whole))
    assert commits > 7
    for commit in range(1, commits + 1):
        url = new_url()
        assert ended_at_commit(partial(to_the_end, url), commit, after=after)
        to_the_end(url)
        assert essences(log_of(url)) == expected, f"killed at commit {commit}"
        assert verify_run(url, RUN).ok


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_process_that_ends_while_it_resumes_loses_nothing_either(new_url: Callable[[], str], program: str) -> None:
    to_the_end = PROGRAMS[program]
    whole = new_url()
    commits = commits_of(lambda: to_the_end(whole))
    expected = essences(log_of(whole))
    for commit in range(1, commits, 2):
        url = new_url()
        assert ended_at_commit(partial(to_the_end, url), commit, after=commit % 4 == 1)
        ended_at_commit(partial(to_the_end, url), 1 + commit % 3, after=commit % 3 == 0)
        to_the_end(url)
        assert essences(log_of(url)) == expected, f"killed at commit {commit}"


def test_a_run_killed_from_outside_at_random_times_ends_like_one_that_was_not(new_url: Callable[[], str]) -> None:
    tasks, runs = 200, 20 if os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full" else 8
    whole = new_url()
    began = time.monotonic()
    tasks_to_the_end(whole, tasks)
    seconds = time.monotonic() - began
    expected = essences(log_of(whole))
    chance = random.Random(1)
    killed = 0
    for _ in range(runs):
        url = new_url()
        while True:
            pid = in_a_process(partial(tasks_to_the_end, url, tasks))
            time.sleep(chance.random() * seconds)  # the instant of the kill is what is tried here
            kill(pid)
            if wait_for(pid) == 0:
                break
            killed += 1
        assert essences(log_of(url)) == expected
    assert killed > 0


def test_of_two_processes_that_resume_one_run_one_goes_on_and_one_is_told(new_url: Callable[[], str]) -> None:
    url = new_url()
    assert ended_at_commit(lambda: tasks_to_the_end(url), 3, after=True)
    first = Runtime.load(url, RUN, behaviors=task_behaviors(3), clock=FrozenClock())
    second = Runtime.load(url, RUN, behaviors=task_behaviors(3), clock=FrozenClock())
    first.run_until(lambda graph: False)

    with pytest.raises(ConcurrentWriterError) as refusal:
        second.run_until_idle()

    assert refusal.value.run_id == RUN
    assert second.status().state == "stopped"
    whole = new_url()
    tasks_to_the_end(whole)
    assert essences(log_of(url)) == essences(log_of(whole))


def test_processes_that_resume_one_run_at_once_leave_one_whole_history(new_url: Callable[[], str]) -> None:
    whole = new_url()
    tasks_to_the_end(whole, 30)
    url = new_url()
    assert ended_at_commit(lambda: tasks_to_the_end(url, 30), 2, after=True)

    def resume() -> None:
        try:
            tasks_to_the_end(url, 30)
        except ConcurrentWriterError:
            os._exit(3)

    codes = [wait_for(pid) for pid in [in_a_process(resume) for _ in range(4)]]

    assert set(codes) <= {0, 3}
    tasks_to_the_end(url, 30)
    assert essences(log_of(url)) == essences(log_of(whole))
