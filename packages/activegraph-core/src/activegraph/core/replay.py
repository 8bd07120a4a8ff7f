"""Gives a graph the events of a log that was written elsewhere.

Nothing is decided here and nobody hears of it: the events are projected, the id sequences move
past them, and they become the replayed beginning of the graph's own log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from activegraph.core.event import Event
from activegraph.core.projection import MalformedGraphEvent
from activegraph.core.record import EventRecord, record_of
from activegraph.errors import DuplicateEventError, IncompatibleRuntimeState, LogInconsistencyError

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = ["apply_replayed"]


def apply_replayed(graph: Graph, events: Iterable[Event]) -> int:
    """Apply `events` behind what the graph has replayed already, calling no listener; returns how many.

    Raises:
        IncompatibleRuntimeState: The graph has events of its own, a store or a runtime.
        LogInconsistencyError: An event that the projection refuses; those before it were applied.
        DuplicateEventError: An id that came before.
        NonSerializableEventError: An event that no log could carry.
    """
    log, recorder = graph._log, graph._recorder
    if log.store is not None or recorder.observer is not None or recorder.step or log.head != graph._replayed:
        raise IncompatibleRuntimeState(
            f"the graph of run {graph.run_id!r} is in use, so no log can be replayed into it",
            what_failed=f"Replaying events into a graph with {log.head} events, a store or a runtime of its own.",
            why="A graph is the projection of one log; two put together would be the projection of neither.",
            how_to_fix="Replay into a fresh one: replay_into(Graph(), store.iter_events())",
            context={"run_id": graph.run_id},
        )
    applied = 0
    for event in events:
        taken = _projected(graph, event)
        log.commit((taken,))
        graph.ids.reseed_from_events((taken.event(),))
        graph._replayed, graph._replayed_ids = log.head, None
        applied += 1
    return applied


def _projected(graph: Graph, event: Event) -> EventRecord:
    if graph._log.contains(event.id):
        raise DuplicateEventError(
            f"event {event.id!r} comes twice in the log that is replayed",
            what_failed=f"Replaying event {event.id!r} into the graph of run {graph.run_id!r}.",
            why="An event id names one event of a run for ever; causes and forks refer to it.",
            how_to_fix="Replay one run's events, from the beginning, into a fresh graph.",
            context={"event_id": event.id, "run_id": graph.run_id},
        )
    taken = record_of(event)
    try:
        graph._projection.apply(taken.type, taken.payload)
    except MalformedGraphEvent as error:
        raise LogInconsistencyError(
            f"event {event.id!r} cannot be projected: {error}",
            what_failed=f"Replaying {event.type!r} event {event.id!r} into the graph of run {graph.run_id!r}.",
            why="The graph is a function of the log; an event that cannot be applied leaves it undefined from there on.",
            how_to_fix="Replay the events before it only, or correct the event where it is stored.",
            context={"run_id": graph.run_id, "reason": "projection", "event_id": event.id},
        ) from error
    return taken
