"""A recorded run does again what its log says, however it was stopped; a changed behavior is found where it begins to differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activegraph.behaviors.base import AnyBehavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.errors import ReplayDivergenceError
from activegraph.runtime.queue import is_lifecycle
from activegraph.runtime.runtime import Runtime
from hypothesis import assume, given
from hypothesis import strategies as st
from support.programs import RUN, TOOLS, Host, Program, programs
from support.sampling import generated, some
from support.shared_memory import Disk, new_disk


def replayed(disk: Disk, behaviors: list[AnyBehavior], run_id: str = RUN) -> Runtime:
    return Runtime.load(
        disk.url, run_id, behaviors=behaviors, seed=7, tools=TOOLS, clock=FrozenClock(), replay_strict=True
    )


def passes(disk: Disk, program: Program, run_id: str = RUN) -> None:
    before = disk.events(run_id)
    replayed(disk, program.behaviors(), run_id)
    assert disk.events(run_id) == before


@generated
@given(program=programs())
def test_a_run_that_was_never_stopped_passes(program: Program) -> None:
    disk = new_disk()
    Host(program, disk).finish()
    passes(disk, program)


@generated
@given(program=programs(), data=st.data())
def test_a_run_passes_at_a_crash_and_after_it(program: Program, data: Any) -> None:
    disk = new_disk()
    host = Host(program, disk)
    disk.crash_at(None)
    host.finish()
    for commit in some(data.draw, disk.commits, 3):
        disk = new_disk()
        host = Host(program, disk)
        disk.crash_at(commit, after=data.draw(st.booleans()))
        host.go_on()
        passes(disk, program)
        disk.crash_at(data.draw(st.integers(1, 5)), after=data.draw(st.booleans()))
        host.finish()
        passes(disk, program)


@generated
@given(program=programs(models=True), data=st.data())
def test_a_run_that_asks_models_passes_at_a_crash_and_after_it(program: Program, data: Any) -> None:
    disk = new_disk()
    host = Host(program, disk)
    disk.crash_at(None)
    host.finish()
    passes(disk, program)
    for commit in some(data.draw, disk.commits, 3):
        disk = new_disk()
        host = Host(program, disk)
        disk.crash_at(commit, after=data.draw(st.booleans()))
        host.go_on()
        passes(disk, program)
        host.finish()
        passes(disk, program)


SINGLE_EVENTS = ("run", "goal", "object", "relate", "remove", "patch", "until")


@generated
@given(program=programs(host=SINGLE_EVENTS), data=st.data())
def test_a_run_passes_that_a_crash_cut_inside_a_step(program: Program, data: Any) -> None:
    whole = new_disk(atomic=False)
    length = len(Host(program, whole).finish())
    disk = new_disk(atomic=False)
    host = Host(program, disk)
    disk.crash_at(data.draw(st.integers(1, length)), after=data.draw(st.booleans()))
    host.go_on()
    passes(disk, program)
    disk.crash_at(data.draw(st.integers(1, 5)), after=data.draw(st.booleans()))
    host.finish()
    passes(disk, program)


@generated
@given(
    program=programs(),
    data=st.data(),
    dimension=st.sampled_from(("max_behavior_calls", "max_events", "max_patches", "max_depth")),
)
def test_a_run_passes_that_a_budget_stopped_and_after_it_went_on(program: Program, data: Any, dimension: str) -> None:
    for limit in some(data.draw, 25, 3):
        disk = new_disk()
        host = Host(program, disk, budget={dimension: limit})
        disk.crash_at(None)
        assert host.runtime is not None
        host.runtime.run_goal("goal 0")
        host.place = 1
        passes(disk, program)
        if data.draw(st.booleans()):
            host.load()
        host.finish()
        passes(disk, program)


@generated
@given(program=programs())
def test_a_run_passes_that_was_loaded_anew_before_every_call_of_its_host(program: Program) -> None:
    disk = new_disk()
    Host(program, disk, loads_anew=True).finish()
    passes(disk, program)


@generated
@given(program=programs(), data=st.data())
def test_a_fork_passes_at_once_and_after_it_went_on(program: Program, data: Any) -> None:
    disk = new_disk()
    recorded = Host(program, disk).finish()
    parent = Runtime.load(disk.url, RUN, behaviors=program.behaviors(), seed=7, clock=FrozenClock())
    for position in some(data.draw, len(recorded), 3):
        dormant = parent.fork(recorded[position - 1].id)
        passes(disk, program, dormant.run_id)
        fork = Runtime.load(disk.url, dormant.run_id, behaviors=program.behaviors(), seed=7, clock=FrozenClock())
        if data.draw(st.booleans()):
            fork.graph.add_object("t1", {"n": 3})
        fork.run_until_idle()
        passes(disk, program, fork.run_id)


@dataclass(frozen=True)
class Invocation:
    """One invocation of a log that created an object."""

    behavior: str
    ordinal: int
    event_id: str
    relation_id: str | None
    created: str
    """Id of the event that created the object."""
    last: str
    """Id of its last event that strict replay compares."""


def invocations(log: list[Event]) -> list[Invocation]:
    """The invocations that created something, in order."""
    found: list[Invocation] = []
    started: dict[str, Any] = {}
    own: list[Event] = []
    for event in log:
        if event.actor == "runtime" and event.type in ("behavior.started", "relation_behavior.started"):
            started, own = dict(event.payload), []
        elif event.actor == "runtime" and event.type in ("behavior.completed", "behavior.failed"):
            created = next((each.id for each in own if each.type == "object.created"), None)
            if created is not None:
                place = (started["behavior"], started.get("ordinal", 0), started["event_id"])
                found.append(Invocation(*place, started.get("relation_id"), created, own[-1].id))
        elif not is_lifecycle(event.type):
            own.append(event)
    return found


class Tampering:
    """A behavior's graph, through which one invocation does something else than it did."""

    def __init__(self, graph: Any, how: str) -> None:
        self._graph = graph
        self._how = how

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def add_object(self, type: str, data: dict[str, Any]) -> Any:
        how, self._how = self._how, "nothing more"
        if how == "payload":
            return self._graph.add_object(type, {**data, "by": "somebody else"})
        if how == "type":
            self._graph.emit("pong", {})
        return self._graph.add_object(type, data)


def changed(program: Program, target: Invocation, how: str) -> list[AnyBehavior]:
    """The program's behaviors, one of which does something else in one invocation."""
    behaviors = program.behaviors()
    named = [behavior for behavior in behaviors if behavior.name == target.behavior]
    behavior = named[target.ordinal]
    original = behavior.fn
    assert original is not None

    def tampering(*args: Any) -> None:
        *relation, event, graph, ctx = args
        is_target = event.id == target.event_id and (not relation or relation[0].id == target.relation_id)
        if not is_target:
            original(*args)
            return
        try:
            original(*relation, event, Tampering(graph, how), ctx)
        finally:
            if how == "more":
                graph.emit("pong", {"more": True})

    behavior.fn = tampering
    assert isinstance(behavior, RelationBehavior) == (target.relation_id is not None)
    return behaviors


def found(disk: Disk, behaviors: list[AnyBehavior]) -> ReplayDivergenceError | None:
    try:
        replayed(disk, behaviors)
    except ReplayDivergenceError as error:
        return error
    return None


@generated
@given(program=programs(), data=st.data(), how=st.sampled_from(("payload", "type", "more")))
def test_a_changed_behavior_is_found_at_the_first_event_that_differs(program: Program, data: Any, how: str) -> None:
    disk = new_disk()
    log = Host(program, disk).finish()
    candidates = invocations(log)
    assume(candidates)
    target = data.draw(st.sampled_from(candidates))

    error = found(disk, changed(program, target, how))

    compared = [event.id for event in log if not is_lifecycle(event.type)]
    assert error is not None
    if how == "payload":
        assert (error.event_id, error.kind) == (target.created, "payload_mismatch")
    elif how == "type":
        assert (error.event_id, error.expected, error.actual) == (target.created, "object.created", "pong")
    else:
        behind = compared[compared.index(target.last) + 1 :][:1]
        assert error.event_id in (target.last, *behind)
        assert error.actual == "pong"
