"""Small runtimes with standing time, and what tests ask of their logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activegraph.behaviors.base import AnyBehavior, Behavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.runtime.runtime import Runtime
from activegraph.store import sqlite_url

__all__ = ["RUN", "emit", "loaded", "new", "recording", "types_of"]

RUN = "run_1"


def new(behaviors: Sequence[AnyBehavior] = (), graph: Graph | None = None, **options: Any) -> Runtime:
    """A runtime of `run_1` on a graph of its own, unless one is given."""
    if "persist_to" in options:
        options["persist_to"] = str(options["persist_to"])
    return Runtime(Graph(clock=FrozenClock(), run_id=RUN) if graph is None else graph, behaviors, **options)


def loaded(path: Any, behaviors: Sequence[AnyBehavior] = (), run_id: str = RUN, **options: Any) -> Runtime:
    """The run that a SQLite file holds."""
    return Runtime.load(sqlite_url(path), run_id, behaviors=behaviors, clock=FrozenClock(), **options)


def emit(runtime: Runtime, type: str, payload: dict[str, Any] | None = None, **fields: Any) -> Event:
    """A change by the host: an event with the next id."""
    graph = runtime.graph
    return graph.emit(Event(graph.ids.event(), type, payload or {}, **fields))


def recording(name: str, seen: list[str], on: Sequence[str] = (), **options: Any) -> Behavior:
    """A behavior that notes its name and the id of each event that it gets."""
    return Behavior(name, lambda event, graph, ctx: seen.append(f"{name} {event.id}"), list(on), **options)


def types_of(runtime: Runtime, start: int = 0) -> list[str]:
    """Event types of the log from an index on."""
    return [event.type for event in runtime.graph.events[start:]]
