"""An interrupt may come at any instant: what is finished stays, what is half done is owed to a load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.event import Event
from activegraph.errors import ConcurrentWriterError, IncompatibleRuntimeState
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore
from support.equal_logs import essence
from support.runtimes import RUN, emit, loaded, new, recording, types_of
from support.shared_memory import Disk, new_disk


def interrupting(runtime: Runtime, type: str) -> None:
    """A listener that is interrupted when it first hears of an event of this type."""
    interrupts = [KeyboardInterrupt]

    def listen(event: Event) -> None:
        if event.type == type and interrupts:
            raise interrupts.pop()

    runtime.graph.add_listener(listen)


def test_an_interrupt_in_a_listener_stops_the_run_and_the_step_it_heard_of_is_not_repeated(tmp_path: Path) -> None:
    seen: list[str] = []
    behaviors = [recording("first", seen, ["a"]), recording("second", seen, ["a"])]
    runtime = new(behaviors, persist_to=tmp_path / "run.db")
    interrupting(runtime, "behavior.completed")
    emit(runtime, "a")

    with pytest.raises(KeyboardInterrupt):
        runtime.run_until_idle()

    with pytest.raises(IncompatibleRuntimeState):
        runtime.run_until_idle()
    loaded(tmp_path / "run.db", behaviors).run_until_idle()
    assert seen == ["first evt_001", "second evt_001"]


def test_an_interrupt_in_a_listener_of_a_host_change_stops_nothing() -> None:
    seen: list[str] = []
    runtime = new([recording("b", seen, ["a"])])
    interrupting(runtime, "a")

    with pytest.raises(KeyboardInterrupt):
        emit(runtime, "a")

    runtime.run_until_idle()
    assert seen == ["b evt_001"]


def test_an_interrupt_in_a_predicate_leaves_a_paused_run_that_goes_on() -> None:
    def interrupt(graph: Any) -> bool:
        raise KeyboardInterrupt

    seen: list[str] = []
    runtime = new([recording("b", seen, ["a"])])
    emit(runtime, "a")

    with pytest.raises(KeyboardInterrupt):
        runtime.run_until(interrupt)

    assert types_of(runtime) == ["a", "runtime.paused"]
    runtime.run_until_idle()
    assert seen == ["b evt_001"]


def test_an_interrupt_inside_a_commit_stops_the_run() -> None:
    class Interrupted(InMemoryEventStore):
        def append_many(self, events: Any, **options: Any) -> int:
            if len(events) > 1:
                raise KeyboardInterrupt
            return super().append_many(events, **options)

    runtime = new([Behavior("b", lambda e, g, c: g.add_object("x", {}), ["a"])], store=Interrupted(RUN))
    emit(runtime, "a")
    with pytest.raises(KeyboardInterrupt):
        runtime.run_until_idle()

    assert runtime.status().state == "stopped"
    assert types_of(runtime) == ["a"]
    with pytest.raises(IncompatibleRuntimeState) as refusal:
        emit(runtime, "b")
    assert refusal.value.context["cause"] == "KeyboardInterrupt"
    assert isinstance(refusal.value.__cause__, KeyboardInterrupt)


def test_an_interrupt_in_a_transaction_keeps_what_was_emitted() -> None:
    runtime = new([])

    def half_a_block() -> None:
        with runtime.graph.transaction():
            emit(runtime, "a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_a_block()

    assert types_of(runtime) == ["a"]
    assert runtime.status().queue_depth == 1


class AtLine:
    """Interrupts at the nth line that is executed in the engine's own rooms.

    Never at a `with` line: when its block is left, a tracer comes between the block and the exit, where
    no signal can, and a lock would stay taken. Nor at a `return` out of an `except` block, where no signal
    can come either, and the thread would go on handling that exception for ever.
    """

    def __init__(self, line: int) -> None:
        self.left = line

    def __enter__(self) -> None:
        sys.settrace(self.call)

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_globals.get("__name__", "")
        return self.line if name.startswith(("activegraph.runtime", "activegraph.core")) else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.left -= event == "line"
        text = getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        leaves_handler = text.startswith("return") and sys.exc_info()[0] is not None
        if self.left <= 0 and not text.startswith("with ") and not leaves_handler:
            sys.settrace(None)
            raise KeyboardInterrupt
        return self.line


def plan(event: Event, graph: Any, ctx: Any) -> None:
    first, second = graph.add_object("t", {"n": 1}), graph.add_object("t", {"n": 2})
    graph.add_relation(first.id, second.id, "r")


def see(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
    graph.patch_object(relation.source, {"seen": event.id})


def fail(event: Event, graph: Any, ctx: Any) -> None:
    graph.emit("x", {"id": "t#1"})
    raise ValueError("no")


BEHAVIORS = [
    Behavior("plan", plan, ["begin"]),
    RelationBehavior("see", see, "r", ["object.created", "x"]),
    Behavior("fail", fail, ["relation.created"]),
    Behavior("late", lambda e, g, c: c.propose_object("m", {}, reason="r"), ["object.created"], activate_after=2),
    Behavior("pairs", lambda e, g, c: g.emit("y", {"n": len(c.matches)}), ["x"], pattern="(a:t)-[:r]->(b:t)"),
    Behavior("mourn", lambda e, g, c: g.emit("z", {}), ["behavior.failed"]),
]


def told(events: Any) -> list[tuple[Any, ...]]:
    """What a log tells, but for the id of the stop, which an interrupt may have drawn for nothing."""
    return [essence(event)[event.type == "runtime.idle" :] for event in events]


def begun(disk: Disk) -> Runtime:
    runtime = new(BEHAVIORS, persist_to=disk.url)
    emit(runtime, "begin")
    return runtime


def resumed(disk: Disk) -> Runtime:
    begun(disk).close()
    return Runtime.load(disk.url, RUN, behaviors=BEHAVIORS)


def interrupted(line: int, start: Callable[[Disk], Runtime] = begun) -> Disk | None:
    """What a run leaves that is interrupted at a line and gone on with; None where it ends before."""
    disk = new_disk()
    runtime = start(disk)
    try:
        with AtLine(line):
            runtime.run_until_idle()
        return None
    except KeyboardInterrupt:
        pass
    try:
        runtime.run_until_idle()
    except (IncompatibleRuntimeState, ConcurrentWriterError):
        Runtime.load(disk.url, RUN, behaviors=BEHAVIORS).run_until_idle()
    return disk


@pytest.fixture
def expected() -> list[tuple[Any, ...]]:
    """What a run tells that is not interrupted."""
    whole = new_disk()
    begun(whole).run_until_idle()
    return told(whole.events(RUN))


@pytest.mark.parametrize("offset", range(8))
def test_a_run_that_is_interrupted_at_any_line_ends_like_one_that_was_not(offset: int, expected: Any) -> None:
    line = 1 + offset * 37
    while (left := interrupted(line)) is not None:
        assert told(left.events(RUN)) == expected, f"interrupted at line {line}"
        line += 8 * 37
    assert line > 1000


def test_so_does_one_that_is_interrupted_anywhere_while_it_stops(expected: Any) -> None:
    runtime, counting = begun(new_disk()), AtLine(10**9)
    with counting:
        runtime.run_until_idle()
    lines = 10**9 - counting.left

    for line in range(lines - 150, lines):
        left = interrupted(line)
        assert left is None or told(left.events(RUN)) == expected, f"interrupted at line {line}"


def test_so_does_one_that_is_interrupted_while_it_finds_out_what_it_owes(expected: Any) -> None:
    for line in range(1, 1200, 7):
        left = interrupted(line, resumed)
        assert left is not None
        assert told(left.events(RUN)) == expected, f"interrupted at line {line}"


def test_an_approval_that_is_interrupted_is_given_or_still_waits() -> None:
    proposer = Behavior("proposer", lambda e, g, c: c.propose_object("memo", {}), ["begin"])
    for line in range(1, 400, 3):
        disk = new_disk()
        runtime = new([proposer], persist_to=disk.url)
        emit(runtime, "begin")
        runtime.run_until_idle()
        with suppress(KeyboardInterrupt), AtLine(line):
            runtime.approve("approval_001")

        going_on = Runtime.load(disk.url, RUN, behaviors=[proposer])
        for approval in going_on.pending_approvals():
            going_on.approve(approval.id)
        said = [event.type for event in disk.events(RUN)][5:]
        assert said == ["approval.granted", "object.created"], f"interrupted at line {line}"
