"""Two runtimes on one run: the one that was overtaken is told so, whichever way it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, IncompatibleRuntimeState
from activegraph.runtime.runtime import Runtime
from support.runtimes import RUN, emit


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made: str = f"sqlite:///{tmp_path}/run.db"
    return made if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def overtaken(url: str) -> Runtime:
    """A runtime that knows one event of a run that has three by now."""
    with Runtime(Graph(run_id=RUN, clock=FrozenClock()), [], persist_to=url) as first:
        emit(first, "known")
    stale = Runtime.load(url, RUN, behaviors=[], clock=FrozenClock())
    with Runtime.load(url, RUN, behaviors=[], clock=FrozenClock()) as other:
        emit(other, "by the other")
        emit(other, "by the other")
    return stale


def in_a_transaction(runtime: Runtime) -> None:
    with runtime.graph.transaction():
        emit(runtime, "late")


WAYS: dict[str, Callable[[Runtime], object]] = {
    "emit": lambda runtime: emit(runtime, "late"),
    "an id of the other's": lambda runtime: runtime.graph.emit(Event("evt_003", "late")),
    "add_object": lambda runtime: runtime.graph.add_object("x", {}),
    "transaction": in_a_transaction,
    "run_goal": lambda runtime: runtime.run_goal("late"),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_told_of_the_other_writer_and_stops(overtaken: Runtime, way: str) -> None:
    with pytest.raises(ConcurrentWriterError) as refusal:
        WAYS[way](overtaken)

    assert (refusal.value.expected_count, refusal.value.actual_count) == (1, 3)
    with pytest.raises(IncompatibleRuntimeState):
        emit(overtaken, "later still")


def test_an_id_that_it_knew_itself_is_a_duplicate_all_the_same(overtaken: Runtime) -> None:
    with pytest.raises(DuplicateEventError):
        overtaken.graph.emit(Event("evt_001", "late"))
