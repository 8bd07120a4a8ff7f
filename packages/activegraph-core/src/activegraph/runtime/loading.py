"""Rebuilds a run from its log: one pass that projects, counts ids and finds what is owed.

No behavior runs, nothing is emitted, nothing is written and no listener is called.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from activegraph.core.clock import Clock
from activegraph.core.event import raw_payload
from activegraph.core.graph import Graph
from activegraph.core.log import WINDOW
from activegraph.core.projection import GRAPH_TYPES, MalformedGraphEvent
from activegraph.core.state import ObjectState, RelationState
from activegraph.errors import LogInconsistencyError
from activegraph.runtime.approvals import Approvals
from activegraph.runtime.call_origin import CallOrigin
from activegraph.runtime.scanner import CutOff, LogRow, LogScanner, StoredEvent, event_of
from activegraph.store.serde import checked_payload, inconsistency_logged

if TYPE_CHECKING:
    from activegraph.store.base import EventStore, RawEvent, RunRecord

__all__ = ["LoadedRun", "load_run", "read_log"]

_OUTCOMES = ("behavior.completed", "behavior.failed")


class LoadedRun(msgspec.Struct):
    """A graph rebuilt from its log, and what the log still owes."""

    graph: Graph
    """Without its store, which is attached when a runtime takes the run up."""
    store: Any
    scan: LogScanner
    cut: CutOff | None
    approvals: Approvals
    frame_id: str | None
    """The frame that the run's last framed event names."""
    record: Any
    """The run's `RunRecord`; None for a store without run metadata."""


def load_run(
    store: EventStore, *, clock: Clock | None = None, readers: Sequence[Callable[[LogRow], None]] = ()
) -> LoadedRun:
    """Rebuild the run that `store` holds.

    Args:
        readers: Called with each event as it is read.

    Raises:
        CorruptedEventPayloadError: A payload is no JSON.
        LogInconsistencyError: The log cannot be read as a run: a position is missing, or the
            projection refuses an event.
    """
    get_run: Callable[[], RunRecord | None] | None = getattr(store, "get_run", None)
    record = None if get_run is None else get_run()
    graph = Graph(run_id=store.run_id, clock=clock)
    scan = LogScanner(
        setup_count=(record.setup_count or 0) if record is not None else 0,
        forked_at=record.forked_at_event_id if record is not None else None,
        projection=graph._projection,
    )
    approvals = Approvals()
    with inconsistency_logged(store.run_id):
        recent, head, frame_id = _rebuild(graph, store, approvals, (scan.see, *readers))
    cut = scan.cut_off()
    if cut is not None:
        # The invocation begins again with the graph and the ids that it began with.
        graph, approvals = Graph(run_id=store.run_id, clock=clock), Approvals()
        recent, _, _ = _rebuild(graph, store, approvals, (), stop=cut.started_at - 1)
        recent = _read_prefix(graph, store, cut, recent)
    graph._log.adopt(head, [event_of(row) for row in recent])
    graph._replayed = head
    return LoadedRun(graph, store, scan, cut, approvals, frame_id, record)


def _rebuild(
    graph: Graph,
    store: EventStore,
    approvals: Approvals,
    readers: Sequence[Callable[[LogRow], None]],
    *,
    stop: int | None = None,
) -> tuple[deque[LogRow], int, str | None]:
    projection, ids = graph._projection, graph.ids
    apply, take_note = projection.apply, _noted_ids(graph, approvals)
    recent: deque[LogRow] = deque(maxlen=WINDOW)
    keep = recent.append
    highest: dict[int, str] = {}
    removed: list[ObjectState | RelationState] = []
    projection.removals = removed
    head = 0
    frame_id: str | None = None
    with collector_suspended():
        for row in read_log(store):
            if stop is not None and row.position > stop:
                break
            type, id, payload = row.type, row.id, row.payload
            try:
                apply(type, payload)
            except MalformedGraphEvent as error:
                _check_payload(row, store.run_id)
                raise unprojectable(store.run_id, row, str(error)) from error
            length = len(id)
            if id > highest.get(length, "") and id[:4] == "evt_" and id[4:].isdigit():
                highest[length] = id
            if approvals.is_granting:
                approvals.see(row)
            if type in take_note:
                take_note[type](row)
            if row.frame_id is not None and row.frame_id != frame_id:
                frame_id = row.frame_id
                ids.saw_frame_id(frame_id)
            keep(row)
            for see in readers:
                see(row)
    if recent:
        head = recent[-1].position
    projection.removals = None
    ids.saw_all(highest.values(), projection, removed)
    return recent, head, frame_id


def _noted_ids(graph: Graph, approvals: Approvals) -> dict[str, Callable[[LogRow], None]]:
    """For types that tell of more than the graph: how to note it, an id that no event or element has for one."""
    ids, origin = graph.ids, CallOrigin()

    def approval(stored: LogRow) -> None:
        approvals.see(stored)
        found = msgspec.json.decode(stored.payload)
        if isinstance(found, dict) and isinstance(found.get("approval_id"), str):
            ids.saw_approval_id(found["approval_id"])
            approvals.stands_on(found["approval_id"], origin.calls_behind(stored))

    def stop(stored: LogRow) -> None:
        ids.saw_stop_id(stored.id)

    def call(stored: LogRow) -> None:
        origin.see(stored)
        notes.update(dict.fromkeys(_OUTCOMES, outcome))

    def outcome(stored: LogRow) -> None:
        # Outcomes of behaviors that call nobody are the commonest events there are, and need not come here.
        origin.end()
        for type in _OUTCOMES:
            notes.pop(type, None)

    notes: dict[str, Callable[[LogRow], None]] = {
        "llm.requested": call,
        "llm.responded": call,
        "tool.requested": call,
        "approval.proposed": approval,
        "approval.granted": approvals.see,
        "approval.denied": approvals.see,
        "runtime.budget_exhausted": stop,
        "runtime.paused": stop,
        "tool.in_doubt": stop,
    }
    return notes


def read_log(store: EventStore, start: int = 1) -> Iterator[LogRow]:
    """The log from position `start` on, payloads not decoded.

    Payloads of types that the projection reads are left to it to check.

    Raises:
        CorruptedEventPayloadError: A payload is no JSON object in canonical form's tags.
        LogInconsistencyError: Positions are not dense.
    """
    iter_raw: Callable[..., Iterator[RawEvent]] | None = getattr(store, "iter_raw", None)
    if iter_raw is None:
        yield from _read_events(store, start)
        return
    expected = start
    # A store need not know how to begin elsewhere than at the first event.
    for row in islice(iter_raw(), start - 1, None):
        if row.position != expected:
            raise missing_position(store.run_id, expected, row.position)
        expected += 1
        # What the projection decodes is checked there; checking it twice is a tenth of a load.
        if row.type not in GRAPH_TYPES or '"$ag.' in row.payload:
            _check_payload(row, store.run_id)
        yield row


def _check_payload(row: LogRow, run_id: str) -> None:
    """Raise `CorruptedEventPayloadError` unless the payload is sound; what looks odd is decoded in full."""
    payload = row.payload
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "surrogatepass")
    checked_payload(text, event_id=row.id, run_id=run_id)


def _read_events(store: EventStore, start: int) -> Iterator[StoredEvent]:
    for position, event in enumerate(store.iter_events(), 1):
        if position >= start:
            yield StoredEvent(
                position,
                event.id,
                event.type,
                event.actor,
                raw_payload(event),
                event.frame_id,
                event.caused_by,
                event.timestamp,
            )


def _read_prefix(graph: Graph, store: EventStore, cut: CutOff, recent: deque[LogRow]) -> deque[LogRow]:
    for stored in read_log(store, cut.started_at):
        recent.append(stored)
        if stored.type == "tool.in_doubt":
            graph.ids.saw_stop_id(stored.id)
            cut.in_doubt.add(stored.caused_by)
        elif not stored.type.startswith("runtime."):
            cut.prefix.append(event_of(stored))
    return recent


@contextmanager
def collector_suspended() -> Iterator[None]:
    """Suspend the cyclic collector: what a load makes holds no cycles, and walking it costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def unprojectable(run_id: str, stored: LogRow, why: str) -> LogInconsistencyError:
    """The error for an event that the projection refuses."""
    return LogInconsistencyError(
        f"event {stored.id!r} of run {run_id!r} cannot be projected: {why}",
        what_failed=f"Reading {stored.type!r} event {stored.id!r} at position {stored.position} of run {run_id!r}.",
        why="The graph is a function of the log; an event that cannot be applied leaves it undefined from there on.",
        how_to_fix=f"Look at the event (`activegraph inspect <url> --run-id {run_id} --event {stored.id}`), "
        "and fork the run at the last event before it, or copy what is readable with `activegraph migrate --skip-corrupted`.",
        context={
            "run_id": run_id,
            "reason": "projection",
            "event_id": stored.id,
            "position": stored.position,
        },
    )


def missing_position(run_id: str, expected: int, found: int) -> LogInconsistencyError:
    """The error for a log whose positions are not 1, 2, 3, ..."""
    reason = "gap" if found > expected else "order"
    return LogInconsistencyError(
        f"run {run_id!r} has no event at position {expected}",
        what_failed=f"Reading run {run_id!r}: after position {expected - 1} came {found}.",
        why="Positions are dense, so a missing one means that an event was deleted or moved.",
        how_to_fix=f"Run `activegraph verify <url> --run-id {run_id}`, and restore the run from a copy.",
        context={"run_id": run_id, "reason": reason, "position": expected},
    )
