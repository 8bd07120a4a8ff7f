"""What a log still owes: found in one pass over it, without any graph or behavior.

Work has one order: queued events in log order, for each its behaviors in registration order.
Marks (starts, outcomes, stops) are points in that order; all before the last one is decided, all
after it is owed (runtime.md 14.2). The scanner follows the marks along the queue, so it holds no
more than what waits.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from activegraph.core.event import Event, make_event
from activegraph.runtime.queue import SUBSCRIBABLE, WorkItem, is_internal
from activegraph.runtime.subscriptions import Subscriptions

__all__ = ["CutOff", "LogScanner", "Owed", "StoredEvent"]

_logger = logging.getLogger("activegraph.runtime")


class StoredEvent(Struct, frozen=True, gc=False):
    """One event as read from a log, payload undecoded."""

    position: int
    id: str
    type: str
    actor: str | None
    payload: bytes
    frame_id: str | None
    caused_by: str | None
    timestamp: str

    def event(self) -> Event:
        """As an event; the text may have been edited in the store, so it is not taken for canonical."""
        return make_event(
            self.id,
            self.type,
            self.payload,
            self.actor,
            self.frame_id,
            self.caused_by,
            self.timestamp,
            canonical=False,
        )


class _Turn(Struct, gc=False):
    behavior: str = ""
    ordinal: int | None = None


class _MarkPayload(Struct, gc=False):
    behavior: str
    event_id: str
    ordinal: int | None = None
    relation_id: str | None = None


class _Next(Struct, gc=False):
    event_id: str | None = None
    finished: bool = True
    turn: _Turn | None = None


class _StopPayload(Struct, gc=False):
    exhausted_by: str | None = None
    next: _Next | None = None


_decode_mark = msgspec.json.Decoder(_MarkPayload).decode
_decode_stop = msgspec.json.Decoder(_StopPayload).decode


class _Waiting(Struct, gc=False):
    event: StoredEvent
    tick: int
    about: str | None = None


class _Started(Struct, gc=False):
    position: int
    behavior: str
    ordinal: int | None
    event_id: str
    relation_id: str | None


class CutOff(Struct):
    """An invocation that a crash cut off, and what it had recorded."""

    behavior: str
    ordinal: int | None
    event_id: str
    started_at: int
    """Position of its first mark; the graph and the ids it began with are those before it."""
    prefix: deque[Event] = msgspec.field(default_factory=deque)


class Owed:
    """Events that wait, and how far the first of them had got."""

    def __init__(
        self,
        waiting: deque[_Waiting],
        turns_taken: list[_Turn],
        stopped_at: _Turn | None,
        *,
        first_taken: bool,
        cut: _Started | None,
    ) -> None:
        self._waiting = waiting
        self._turns_taken = turns_taken
        self._stopped_at = stopped_at
        self._first_taken = first_taken
        self._cut = cut

    def items(self, subscriptions: Subscriptions) -> list[WorkItem]:
        """The queue as these behaviors find it: internal events only where one names their type."""
        items: list[WorkItem] = []
        for place, waiting in enumerate(self._waiting):
            stored = waiting.event
            turns = subscriptions.for_type(stored.type)
            if is_internal(stored.type) and not turns:
                continue
            item = WorkItem(stored.event(), waiting.tick, None, waiting.about)
            if place == 0 and self._first_taken:
                item.taken = True
                item.next_turn = self._next_turn(subscriptions)
                if self._cut is None and not any(turn.index >= item.next_turn for turn in turns):
                    continue
            items.append(item)
        return items

    def _next_turn(self, subscriptions: Subscriptions) -> int:
        if self._stopped_at is not None:
            index = subscriptions.index_of(self._stopped_at.behavior, self._stopped_at.ordinal)
            if index is not None:
                return index
        known = [subscriptions.index_of(turn.behavior, turn.ordinal) for turn in self._turns_taken]
        decided = max((index for index in known if index is not None), default=-1) + 1
        return decided - 1 if self._cut is not None and decided > 0 else decided


class LogScanner:
    """Reads a log event by event and knows at its end what is owed.

    Args:
        setup_count: Events that the graph held before its first runtime; never dispatched.
        forked_at: Id of the event that the run was forked at: an invocation that the fork cut counts as done.
    """

    def __init__(self, *, setup_count: int = 0, forked_at: str | None = None) -> None:
        self.tick = 0
        self.last_taken: str | None = None
        self.last_stop: tuple[str, str | None] | None = None
        self.in_doubt = False
        self._setup_count = setup_count
        self._forked_at = forked_at
        self._fork_position = 0
        self._waiting: deque[_Waiting] = deque()
        self._waiting_ids: set[str] = set()
        self._turns_taken: list[_Turn] = []
        self._stopped_at: _Turn | None = None
        self._first_taken = False
        self._started: _Started | None = None
        self._handlers: dict[str, Callable[[StoredEvent], None]] = {
            "behavior.started": self._on_started,
            "relation_behavior.started": self._on_started,
            "behavior.completed": self._on_outcome,
            "behavior.failed": self._on_outcome,
            "runtime.idle": self._on_stop,
            "runtime.budget_exhausted": self._on_stop,
            "runtime.paused": self._on_stop,
        }

    def see(self, stored: StoredEvent) -> None:
        """Take the next event of the log into account."""
        type = stored.type
        if stored.id == self._forked_at:
            self._fork_position = stored.position
        if not is_internal(type):
            if stored.position > self._setup_count:
                self.tick += 1
                self._wait(stored, None)
            return
        if stored.actor == "runtime":
            handler = self._handlers.get(type)
            if handler is not None:
                handler(stored)
                return
        if type in SUBSCRIBABLE:
            self._wait(stored, None)

    def owed(self) -> Owed:
        """What waits at the end of the log."""
        cut = self._started if self._is_cut() else None
        return Owed(
            self._waiting,
            self._turns_taken,
            self._stopped_at,
            first_taken=self._first_taken,
            cut=cut,
        )

    def cut_off(self) -> CutOff | None:
        """The invocation that a crash cut off, its prefix still to be read."""
        started = self._started
        if started is None or not self._is_cut():
            return None
        return CutOff(started.behavior, started.ordinal, started.event_id, started.position)

    def _is_cut(self) -> bool:
        return self._started is not None and self._started.position > self._fork_position

    def _wait(self, stored: StoredEvent, about: str | None) -> None:
        self._waiting.append(_Waiting(stored, self.tick, about))
        self._waiting_ids.add(stored.id)

    def _on_started(self, stored: StoredEvent) -> None:
        mark = _decode_mark(stored.payload)
        if self._started is not None and self._started.position > self._fork_position:
            _logger.warning(
                "invocation of %s has no outcome in the log and counts as done",
                self._started.behavior,
                extra={"event_id": self._started.event_id, "behavior": self._started.behavior},
            )
        self._reach(mark.event_id)
        self._turns_taken.append(_Turn(mark.behavior, mark.ordinal))
        self._started = _Started(stored.position, mark.behavior, mark.ordinal, mark.event_id, mark.relation_id)

    def _on_outcome(self, stored: StoredEvent) -> None:
        mark = _decode_mark(stored.payload)
        started, self._started = self._started, None
        self._reach(mark.event_id)
        if started is None or started.event_id != mark.event_id:
            self._turns_taken.append(_Turn(mark.behavior, mark.ordinal))
        if not self._front_is_internal():
            self._wait(stored, mark.behavior)

    def _on_stop(self, stored: StoredEvent) -> None:
        stop = _decode_stop(stored.payload)
        self.last_stop = (stored.type, stop.exhausted_by)
        if stored.type == "runtime.idle":
            self._waiting.clear()
            self._waiting_ids.clear()
            self._forget_turns()
            return
        if stop.next is None or stop.next.event_id is None:
            return
        self._reach(stop.next.event_id)
        if not self._first_taken:
            return
        if stop.next.finished:
            self._drop_first()
            self._forget_turns()
        else:
            self._stopped_at = stop.next.turn

    def _reach(self, event_id: str) -> None:
        """A point in the order of work lies at this event: all that waited before it is decided."""
        if self._first_taken and self._waiting and self._waiting[0].event.id == event_id:
            self._stopped_at = None
            return
        if event_id not in self._waiting_ids:
            return
        while self._waiting[0].event.id != event_id:
            self._drop_first()
        self._forget_turns()
        self._first_taken = True
        self.last_taken = event_id

    def _drop_first(self) -> None:
        self._waiting_ids.discard(self._waiting.popleft().event.id)

    def _forget_turns(self) -> None:
        self._turns_taken = []
        self._stopped_at = None
        self._first_taken = False

    def _front_is_internal(self) -> bool:
        return bool(self._first_taken and self._waiting and is_internal(self._waiting[0].event.type))
