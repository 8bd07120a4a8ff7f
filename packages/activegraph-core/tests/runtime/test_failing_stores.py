"""A store that fails leaves the call as it is and stops the run; a store that can do little still works."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    ConcurrentWriterError,
    IncompatibleRuntimeState,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, open_store, sqlite_url
from support.runtimes import RUN, emit, new, recording, types_of


class Failing(InMemoryEventStore):
    """Raises what it is given when it is asked to append an event of type `fatal`."""

    def __init__(self, error: BaseException, fatal: str) -> None:
        super().__init__(RUN)
        self.error = error
        self.fatal = fatal

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if any(event.type == self.fatal for event in events):
            raise self.error
        return super().append_many(events, **options)


def unavailable() -> StoreUnavailableError:
    return StoreUnavailableError("gone", what_failed="x", why="y", how_to_fix="z", context={"reason": "full"})


def overtaken() -> ConcurrentWriterError:
    return ConcurrentWriterError(
        run_id=RUN, expected_head="evt_001", actual_head="evt_002", expected_count=1, actual_count=2, driver="test"
    )


@pytest.mark.parametrize("error", [unavailable(), overtaken(), OSError("disk")])
def test_a_failed_commit_leaves_the_call_as_it_is_and_is_no_failure_of_the_behavior(error: Exception) -> None:
    runtime = new([Behavior("b", lambda e, g, c: g.add_object("x", {}), ["a"])], store=Failing(error, "object.created"))
    emit(runtime, "a")

    with pytest.raises(type(error)) as raised:
        runtime.run_until_idle()

    assert raised.value is error
    assert types_of(runtime) == ["a"]
    assert runtime.errors == []


@pytest.mark.parametrize(
    "call",
    [
        lambda runtime: runtime.run_until_idle(),
        lambda runtime: runtime.run_goal("g"),
        lambda runtime: emit(runtime, "b"),
        lambda runtime: runtime.graph.add_object("x", {}),
        lambda runtime: runtime.approve("approval_001"),
        lambda runtime: runtime.graph.transaction().__enter__(),
    ],
)
def test_a_stopped_run_refuses_all_further_work_with_its_first_cause(call: Any) -> None:
    runtime = new([recording("b", [], ["a"])], store=Failing(unavailable(), "behavior.started"))
    emit(runtime, "a")
    with pytest.raises(StoreUnavailableError):
        runtime.run_until_idle()

    with pytest.raises(IncompatibleRuntimeState) as refusal:
        call(runtime)

    assert refusal.value.context["cause"] == "StoreUnavailableError"
    assert runtime.status().state == "stopped"


def test_a_change_of_the_host_that_the_store_refused_is_not_in_the_graph() -> None:
    runtime = new([], store=Failing(unavailable(), "object.created"))
    with pytest.raises(StoreUnavailableError):
        runtime.graph.add_object("x", {})

    assert runtime.graph.all_objects() == []
    assert runtime.status().events_processed == 0


def test_a_listener_that_swallows_a_failed_commit_does_not_hide_it() -> None:
    seen: list[str] = []
    runtime = new([recording("b", seen, ["a"])], store=Failing(unavailable(), "heard"))

    def react(event: Event) -> None:
        if event.type == "behavior.completed":
            with suppress(StoreUnavailableError):
                emit(runtime, "heard")

    runtime.graph.add_listener(react)
    emit(runtime, "a")
    emit(runtime, "a")

    with pytest.raises(StoreUnavailableError):
        runtime.run_until_idle()
    assert seen == ["b evt_001"]


def test_a_behavior_that_raises_what_stores_raise_has_failed_like_any_other() -> None:
    def elsewhere(event: Event, graph: Any, ctx: Any) -> None:
        raise overtaken()

    runtime = new([Behavior("b", elsewhere, ["a"])])
    emit(runtime, "a")
    runtime.run_until_idle()

    assert [failure.exception_type for failure in runtime.errors] == ["ConcurrentWriterError"]
    assert runtime.status().state == "idle"


def test_a_lost_fence_is_said_once_and_critically(caplog: pytest.LogCaptureFixture) -> None:
    runtime = new([], store=Failing(overtaken(), "a"))
    with pytest.raises(ConcurrentWriterError), caplog.at_level(logging.INFO):
        emit(runtime, "a")
    with pytest.raises(IncompatibleRuntimeState):
        emit(runtime, "a")

    (line,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert (line.levelname, line.name) == ("CRITICAL", "activegraph.store")
    assert line.getMessage() == "concurrent writer: expected 1 events, found 2"
    assert (line.run_id, line.error_type) == (RUN, "ConcurrentWriterError")  # type: ignore[attr-defined]
    assert line.doc_url.endswith("/errors/concurrent-writer-error")  # type: ignore[attr-defined]


def test_any_other_failed_commit_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    runtime = new([], store=Failing(unavailable(), "a"))
    with pytest.raises(StoreUnavailableError):
        emit(runtime, "a")

    (line,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert (line.levelname, line.name, line.getMessage()) == (
        "ERROR",
        "activegraph.store",
        "append failed, runtime stopped",
    )
    assert (line.error_type, line.error_message) == ("StoreUnavailableError", "gone")  # type: ignore[attr-defined]


class Bare:
    """A store with the required methods and no other, over a memory store."""

    def __init__(self) -> None:
        self.run_id = RUN
        self._inner = InMemoryEventStore(RUN)
        for name in ("append", "iter_events", "get_event", "count", "truncate_after", "close"):
            setattr(self, name, getattr(self._inner, name))


def test_a_store_without_any_capability_runs_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    store: Any = Bare()
    runtime = new([Behavior("b", lambda e, g, c: g.add_object("x", {}), ["a"])], store=store)
    emit(runtime, "a")
    runtime.run_goal("g")

    assert [event.id for event in store.iter_events()] == [event.id for event in runtime.graph.events]
    assert runtime.save_state() == "<in-memory>"
    (warning,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert warning.getMessage() == "store has no atomic append: Bare"


def test_a_store_without_capabilities_can_be_read_beyond_the_window() -> None:
    store: Any = Bare()
    runtime = new([], store=store)
    for _ in range(1100):
        emit(runtime, "a")

    assert [event.id for event in runtime.graph.events[:2]] == ["evt_001", "evt_002"]
    assert len(runtime.status(recent=1090).recent_events) == 1090
    assert runtime.trace.lines()[0] == "[event.emitted]           a"


def test_a_read_only_store_is_refused_and_the_graph_is_as_it_was(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "run.db")
    new([], persist_to=tmp_path / "run.db").close()
    graph = Graph(run_id=RUN)

    with open_store(url, RUN, read_only=True) as store, pytest.raises(StoreReadOnlyError):  # type: ignore[attr-defined]
        Runtime(graph, [], store=store)

    assert graph.store is None
    graph.add_object("x", {})
