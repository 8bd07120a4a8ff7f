"""Rebuilds a run from its log: one pass that projects, counts ids and finds what is owed.

No behavior runs, nothing is emitted, nothing is written and no listener is called.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.log import WINDOW
from activegraph.core.projection import GRAPH_TYPES, MalformedGraphEvent
from activegraph.core.state import ObjectState, RelationState
from activegraph.errors import LogInconsistencyError
from activegraph.errors.advice import option
from activegraph.runtime.approvals import Approvals
from activegraph.runtime.call_origin import CallOrigin
from activegraph.runtime.log_rows import LogRow, StoredEvent, cause_of, event_of, record_of_row, row_of
from activegraph.runtime.mark_reading import mark_of
from activegraph.runtime.pack_events import PACK_TYPES
from activegraph.runtime.points import CutOff
from activegraph.runtime.scanner import LogScanner
from activegraph.store.refusals import missing_position
from activegraph.store.serde import checked_payload, inconsistency_logged

if TYPE_CHECKING:
    from activegraph.store.base import EventStore, RawEvent, RunRecord

__all__ = ["LoadedRun", "load_graph", "load_run", "read_log"]

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
    pack_events: list[Event]
    """What the log says of packs."""


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
        followers = _Followers(scan, readers)
        recent, head, frame_id = _rebuild(graph, store, approvals, followers)
    cut = scan.cut_off()
    if cut is not None:
        # The invocation begins again with the graph and the ids that it began with.
        graph, approvals = Graph(run_id=store.run_id, clock=clock), Approvals()
        recent, _, _ = _rebuild(graph, store, approvals, None, stop=cut.started_at - 1)
        recent = _read_prefix(graph, store, cut, recent)
    graph._log.adopt(head, [record_of_row(row) for row in recent])
    graph._replayed = head
    return LoadedRun(graph, store, scan, cut, approvals, frame_id, record, followers.pack_events)


def load_graph(store: EventStore) -> Graph:
    """The graph of the run that `store` holds, with all its events, to be looked at while the store is open.

    Raises:
        CorruptedEventPayloadError, LogInconsistencyError: As `load_run`.
    """
    graph = load_run(store).graph
    graph._log.attach(store)
    return graph


class _Followers(msgspec.Struct):
    """Who follows a log while it is read for the first time."""

    scan: LogScanner
    readers: Sequence[Callable[[LogRow], None]]
    pack_events: list[Event] = msgspec.field(default_factory=list)

    def saw_pack(self, row: LogRow) -> None:
        """Keep an event about a pack."""
        self.pack_events.append(event_of(row))


def _rebuild(
    graph: Graph, store: EventStore, approvals: Approvals, followers: _Followers | None, *, stop: int | None = None
) -> tuple[deque[LogRow], int, str | None]:
    """Project the log up to position `stop`; returns its newest events, its head and the frame of its last framed event.

    Args:
        followers: None where the log has been read, and therefore checked, before.
    """
    projection, ids, run_id = graph._projection, graph.ids, store.run_id
    handlers, notes = projection.handlers, _noted_ids(graph, approvals)
    see = None if followers is None else followers.scan.see_read
    readers = () if followers is None else followers.readers
    if followers is not None:
        notes.update(dict.fromkeys(PACK_TYPES, followers.saw_pack))
    recent: deque[LogRow] = deque(maxlen=WINDOW)
    keep = recent.append
    highest: dict[int, str] = {}
    removed: list[ObjectState | RelationState] = []
    projection.removals = removed
    head = 0
    frame_id: str | None = None
    granting = False
    with collector_suspended():
        for row in islice(_rows(store), stop):
            head += 1
            if row.position != head:
                raise missing_position(run_id, head, row.position)
            type = row.type
            handler, mark = handlers.get(type), None
            if handler is not None:
                # What the projection decodes is checked there; checking it twice is a tenth of a load.
                if _may_be_tagged(row.payload):
                    _check_payload(row, run_id)
                try:
                    handler(row.payload)
                except MalformedGraphEvent as error:
                    _check_payload(row, run_id)
                    raise unprojectable(run_id, row, str(error)) from error
            elif see is not None:
                mark = mark_of(type, row.actor, row.caused_by, row.payload)
                if mark is None or _may_be_tagged(row.payload):
                    _check_payload(row, run_id)
            if granting:
                approvals.see(row)
                granting = approvals.is_granting
            if type in notes:
                notes[type](row)
                granting = approvals.is_granting
            if row.frame_id is not None and row.frame_id != frame_id:
                frame_id = row.frame_id
                ids.saw_frame_id(frame_id)
            keep(row)
            if head % WINDOW == 0:
                _note_highest(highest, recent, ids.saw_stop_id)
            if see is not None:
                see(row, mark)
                for read in readers:
                    read(row)
    _note_highest(highest, recent, ids.saw_stop_id)
    projection.removals = None
    ids.saw_all(highest.values(), projection, removed)
    return recent, head, frame_id


def _note_highest(highest: dict[int, str], rows: Iterable[LogRow], saw_stop_id: Callable[[str], None]) -> None:
    """Note the highest ids of events for each length; of equally long ones the highest text is the highest number."""
    ids = [row.id for row in rows]
    lengths = set(map(len, ids))
    for length in lengths:
        alike = ids if len(lengths) == 1 else [id for id in ids if len(id) == length]
        found = max(alike)
        if not _is_event_id(found):
            # Ids of stops sort behind those of events; a host may have given one to any event.
            for id in alike:
                saw_stop_id(id)
            found = max(filter(_is_event_id, alike), default="")
        if found > highest.get(length, ""):
            highest[length] = found


def _is_event_id(id: str) -> bool:
    return id[:4] == "evt_" and id.isascii() and id[4:].isdigit()


def _noted_ids(graph: Graph, approvals: Approvals) -> dict[str, Callable[[LogRow], None]]:
    """For types that tell of more than the graph: how to note it, an id that no event or element has for one."""
    ids, origin = graph.ids, CallOrigin()

    def approval(stored: LogRow) -> None:
        approvals.see(stored)
        found = msgspec.json.decode(stored.payload)
        if isinstance(found, dict) and isinstance(found.get("approval_id"), str):
            ids.saw_approval_id(found["approval_id"])
            approvals.stands_on(found["approval_id"], origin.calls_behind(stored))

    def rejection(stored: LogRow) -> None:
        # Of a patch that nobody proposed here, the projection keeps nothing.
        ids.saw_payload(event_of(stored))

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
        "patch.rejected": rejection,
    }
    return notes


def read_log(store: EventStore, start: int = 1) -> Iterator[LogRow]:
    """The log from position `start` on, payloads not decoded.

    Payloads of types that the projection reads are left to it to check.

    Raises:
        CorruptedEventPayloadError: A payload is no JSON object in canonical form's tags.
        LogInconsistencyError: Positions are not dense.
    """
    expected = start
    # A store need not know how to begin elsewhere than at the first event.
    for row in islice(_rows(store), start - 1, None):
        if row.position != expected:
            raise missing_position(store.run_id, expected, row.position)
        expected += 1
        if row.type not in GRAPH_TYPES or _may_be_tagged(row.payload):
            _check_payload(row, store.run_id)
        yield row


def _rows(store: EventStore) -> Iterator[LogRow]:
    """The log as it comes, nothing checked."""
    iter_raw: Callable[[], Iterator[RawEvent]] | None = getattr(store, "iter_raw", None)
    return _read_events(store) if iter_raw is None else iter_raw()


def _may_be_tagged(payload: bytes | str) -> bool:
    if isinstance(payload, str):
        return "$" in payload and '"$ag.' in payload
    return b'"$ag.' in payload


def _check_payload(row: LogRow, run_id: str) -> None:
    """Raise `CorruptedEventPayloadError` unless the payload is sound; what looks odd is decoded in full."""
    payload = row.payload
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "surrogatepass")
    checked_payload(text, event_id=row.id, run_id=run_id)


def _read_events(store: EventStore) -> Iterator[StoredEvent]:
    for position, event in enumerate(store.iter_events(), 1):
        yield row_of(position, event)


def _read_prefix(graph: Graph, store: EventStore, cut: CutOff, recent: deque[LogRow]) -> deque[LogRow]:
    for stored in read_log(store, cut.started_at):
        recent.append(stored)
        if stored.type == "tool.in_doubt":
            graph.ids.saw_stop_id(stored.id)
            cut.in_doubt.add(stored.caused_by)
        elif not stored.type.startswith("runtime."):
            cut.prefix.append(cause_of(stored).event())
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
        how_to_fix=f"Look at the event (`activegraph inspect <url> {option('--run-id', run_id)} {option('--event', stored.id)}`), "
        "and fork the run at the last event before it, or copy what is readable with `activegraph migrate --skip-corrupted`.",
        context={
            "run_id": run_id,
            "reason": "projection",
            "event_id": stored.id,
            "position": stored.position,
        },
    )
