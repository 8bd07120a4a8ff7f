"""How many events a stored run still owes, found from the end of its log.

The last mark names the event whose work it belongs to, and all queued events before that one are
decided. So the log is read back to that event and no further; a run that is idle
costs nothing, one with a long queue as much as its queue is long. Only an invocation that was
delayed can be due from anywhere further back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE
from activegraph.errors import CorruptedEventPayloadError
from activegraph.operations.reading import StoredRun
from activegraph.runtime.log_rows import StoredEvent
from activegraph.runtime.mark_reading import MARK_TYPES, Mark, Scheduled, Stop, mark_of
from activegraph.runtime.owed import Owed
from activegraph.runtime.queue import is_internal
from activegraph.runtime.scanner import LogScanner
from activegraph.runtime.subscriptions import Subscriptions

__all__ = ["QueueDepth", "queue_depth"]

_NO_PAYLOAD = b"{}"


class _Scheduled(Struct, gc=False):
    event_id: str
    current_tick: int


_decode_scheduled = msgspec.json.Decoder(_Scheduled).decode


@dataclass(frozen=True)
class QueueDepth:
    """How many events wait.

    Attributes:
        damaged: Id of the mark that would have told; `events` means nothing then.
        delays_unseen: Whether the run is too long to look for invocations that were delayed long ago:
            one more event may wait for those that are due now.
    """

    events: int = 0
    damaged: str | None = None
    delays_unseen: bool = False


_LONG_RUN = 200_000
"""Events up to which a run is searched for old delays: they have no index, and a status is to be quick."""


def queue_depth(run: StoredRun, window: int) -> QueueDepth:
    """Events that a load without behaviors would find waiting.

    Args:
        window: Rows that are read at first when going back; twice as many each further time.
    """
    newest = run.newest(window)
    try:
        start = _start(run, newest)
    except _DamagedMark as damage:
        return QueueDepth(damaged=damage.event_id)
    try:
        if any(row.type == "behavior.scheduled" for row in newest):
            raise _Delays
        scanner = _scanned(run, start, None)
    except _Delays:
        # Ticks count here, and what was scheduled further back may be due now. Starting too early is harmless.
        start = min(start, newest[0].position)
        scanner = _scanned(run, start, _tick_before(run, start))
    nobody = Subscriptions(())
    owed = Owed(scanner)
    if start <= run.setup_count + 1 or not owed.is_first_done(nobody):
        return QueueDepth(owed.depth(nobody))
    if run.head > _LONG_RUN:
        return QueueDepth(owed.depth(nobody), delays_unseen=True)
    if _has_delays(run):
        owed = Owed(_scanned(run, 1, 0))
    return QueueDepth(owed.depth(nobody))


def _has_delays(run: StoredRun) -> bool:
    try:
        return any(event.actor == "runtime" for event in run.of_types("behavior.scheduled"))
    except CorruptedEventPayloadError:
        return True


def _scanned(run: StoredRun, start: int, tick: int | None) -> LogScanner:
    """A scanner that has seen the log from `start` on; `tick` is that of the last event before, None where none counts."""
    scanner = LogScanner(setup_count=run.setup_count, forked_at=run.forked_at)
    scanner.tick = tick or 0
    see = scanner.see
    for row in run.rows(start):
        if not _is_mark(row):
            # Its payload says nothing to the queue, and the scanner keeps what waits.
            see(StoredEvent(row.position, row.id, row.type, row.actor, _NO_PAYLOAD, None, None, ""))
            continue
        if tick is None and row.type == "behavior.scheduled":
            raise _Delays
        with suppress(*UNREADABLE):
            # A later mark says at least as much as a damaged one, and the last one is sound.
            see(row)
    return scanner


class _Delays(Exception):
    """The log holds delayed invocations, so that ticks have to be known."""


class _DamagedMark(Exception):
    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


def _is_mark(row: StoredEvent) -> bool:
    return row.type in MARK_TYPES and row.actor == "runtime"


def _start(run: StoredRun, newest: list[StoredEvent]) -> int:
    """The position from which the order of work has to be followed."""
    sought: str | None = None
    for rows in _backwards(run, newest):
        for row in reversed(rows):
            if sought is not None:
                if row.id == sought:
                    return row.position
                continue
            if not _is_mark(row):
                continue
            mark = mark_of(row.type, row.actor, row.caused_by, row.payload)
            if mark is None and _is_sound(row.payload):
                continue  # what a host emitted under the type of a mark is none
            if row.type == "runtime.idle":
                return row.position + 1
            if mark is None:
                raise _DamagedMark(row.id)
            sought = _event_of(mark)
    return run.setup_count + 1


def _is_sound(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True


def _event_of(mark: Mark | Scheduled | Stop) -> str | None:
    if isinstance(mark, Stop):
        return None if mark.next is None else mark.next.event_id
    return mark.event_id


def _tick_before(run: StoredRun, start: int) -> int:
    """The tick of the last queue-visible event before `start`, where anything behind it depends on ticks."""
    visible = 0
    ticks: dict[str, int] = {}
    for row in run.rows(start):
        if row.position <= run.setup_count:
            continue
        if not is_internal(row.type):
            visible += 1
        ticks[row.id] = visible
        if row.type == "behavior.scheduled" and row.actor == "runtime":
            try:
                scheduled = _decode_scheduled(row.payload)
            except UNREADABLE:
                continue
            if scheduled.event_id in ticks:
                return scheduled.current_tick - ticks[scheduled.event_id]
    return 0


def _backwards(run: StoredRun, newest: list[StoredEvent]) -> Iterator[list[StoredEvent]]:
    yield newest
    stop, size = run.head - len(newest), len(newest) * 2
    while stop > 0:
        start = max(1, stop - size + 1)
        yield list(run.rows(start, stop))
        stop, size = start - 1, size * 2
