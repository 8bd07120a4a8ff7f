"""Follows a log event by event and knows at its end how far the order of work had got.

Work has one order: queued events in log order, for each its behaviors in registration order, then
the delayed entries that fire at its tick. Marks (starts, outcomes, schedules, stops) are points in
that order: all before the last one is decided, all after it is owed. The scanner
keeps no more than what waits behind the last mark.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from activegraph.core.log_lines import say
from activegraph.core.projection import Projection
from activegraph.runtime.log_rows import LogRow, event_of
from activegraph.runtime.mark_reading import Mark, Scheduled, Stop, Turn, about_behavior, mark_of
from activegraph.runtime.points import CutOff, EntryKey, Point, WaitingEntries, WaitingEntry, WaitingEvent
from activegraph.runtime.queue import SUBSCRIBABLE, is_internal
from activegraph.runtime.relating import relations_touching, strings_of

__all__ = ["LogScanner"]

_logger = logging.getLogger("activegraph.runtime")


class LogScanner:
    """The order of work, as far as a log tells.

    Args:
        setup_count: Events that the graph held before its first runtime; never dispatched.
        forked_at: Id of the event that the run was forked at: an invocation that the fork cut counts as done.
        projection: The graph as of each event that is seen, for the places of relations; None
            where only the queue is asked for.
    """

    def __init__(
        self, *, setup_count: int = 0, forked_at: str | None = None, projection: Projection | None = None
    ) -> None:
        self.tick = 0
        self.last_taken: str | None = None
        self.last_stop: tuple[str, str | None] | None = None
        self.worked = False
        """Whether a queue-visible event or a mark follows the last stop."""
        self.waiting: deque[WaitingEvent] = deque()
        self.first_taken = False
        """Whether the first waiting event was taken from the queue."""
        self.point: Point | None = None
        self.stopped_at: Turn | None = None
        """The turn that a stop named as the next one; None if a mark came later."""
        self._delays = WaitingEntries()
        self.entries: Mapping[EntryKey, WaitingEntry] = self._delays.by_key
        self.turns_taken: list[tuple[str, int]] = []
        """Behaviors that had a turn on the first waiting event."""
        self._projection = projection
        self._setup_count = setup_count
        self._forked_at = forked_at
        self._fork_position = 0
        self._open: Point | None = None
        """The invocation that has begun and has no outcome yet."""
        self._open_at = 0
        self._takers: dict[str, Callable[[Any, LogRow], None]] = {
            "pattern.matched": self._on_matched,
            "behavior.started": self._on_started,
            "relation_behavior.started": self._on_started,
            "behavior.completed": self._on_outcome,
            "behavior.failed": self._on_outcome,
            "behavior.scheduled": self._on_scheduled,
            "runtime.idle": self._on_idle,
            "runtime.budget_exhausted": self._on_stop,
            "runtime.paused": self._on_stop,
        }

    def see(self, stored: LogRow) -> None:
        """Take the next event of the log into account."""
        self.see_read(stored, mark_of(stored.type, stored.actor, stored.caused_by, stored.payload))

    def see_read(self, stored: LogRow, mark: Mark | Scheduled | Stop | None) -> None:
        """The same with an event that has been read as a mark already; None if it is none."""
        if self._forked_at is not None and stored.id == self._forked_at:
            self._fork_position = stored.position
        if stored.position <= self._setup_count:
            return
        type = stored.type
        if mark is not None:
            self.worked = True
            self._takers[type](mark, stored)
            return
        internal = is_internal(type)
        if type == "tool.in_doubt" and self._open is not None and stored.actor == self._open.behavior:
            self.last_stop = (type, None)
        is_of_runtime = internal and stored.actor == "runtime"
        if self._open is not None and not is_of_runtime and stored.actor != self._open.behavior:
            self._lose_outcome()
        if not internal:
            self.tick += 1
            self.worked = True
            self.waiting.append(WaitingEvent(stored, self.tick, False))
        elif type in SUBSCRIBABLE:
            self._wait(stored, about_behavior(stored.payload))

    @property
    def open_point(self) -> Point | None:
        """The turn whose invocation has begun and has no outcome yet."""
        return self._open

    def cut_off(self) -> CutOff | None:
        """The invocation that a crash cut off, its prefix still to be read."""
        position, point = self.cut_off_at(), self._open
        if position is None or point is None:
            return None
        return CutOff(point.behavior, point.ordinal, point.event_id, position, point.delayed, point.relation_id)

    def cut_off_at(self) -> int | None:
        """Position of the first mark of the invocation that a crash cut off; None if there is none."""
        if self._open is None or self._open_at <= self._fork_position:
            return None
        return self._open_at

    def _wait(self, stored: LogRow, about: str | None) -> None:
        self.waiting.append(WaitingEvent(stored, self.tick, True, about))

    def _lose_outcome(self) -> None:
        if self._open is not None and self._open_at > self._fork_position:
            message, point = "invocation of %s has no outcome in the log and counts as done", self._open
            fields = {"event_id": point.event_id, "behavior": point.behavior}
            say(_logger, logging.WARNING, message, point.behavior, **fields)
        self._open = None

    def _on_matched(self, mark: Mark, stored: LogRow) -> None:
        self._lose_outcome()
        point = self._reach(mark, stored)
        point.matched_only = True
        if stored.id == self._forked_at and self._projection is not None:
            point.touched = relations_touching(self._projection, self._strings_of_trigger(point))
        self._open, self._open_at = point, stored.position
        self._wait(stored, mark.behavior)

    def _on_started(self, mark: Mark, stored: LogRow) -> None:
        opened = self._open_at if self._open is not None and self._open.matched_only else stored.position
        if opened == stored.position:
            self._lose_outcome()
        point = self._reach(mark, stored)
        point.matched_only = False
        if mark.relation_id is not None:
            point.about_relations = True
            point.relation_id = mark.relation_id
            if self._projection is not None:
                relation = self._projection.relations.get(mark.relation_id)
                point.last_relation = point.last_relation if relation is None else relation.sequence
        self._open, self._open_at = point, opened

    def _on_outcome(self, mark: Mark, stored: LogRow) -> None:
        self._open = None
        point = self._reach(mark, stored)
        if not point.triggered_by_internal:
            self._wait(stored, mark.behavior)

    def _on_scheduled(self, scheduled: Scheduled, stored: LogRow) -> None:
        mark = Mark(scheduled.behavior, scheduled.event_id, scheduled.ordinal)
        self._lose_outcome()
        self._reach(mark, stored).is_scheduled = True
        if self.first_taken and self.waiting:
            key = (mark.behavior, mark.ordinal, mark.event_id)
            entry = WaitingEntry(mark.behavior, mark.ordinal, self.waiting[0], scheduled.fire_at_tick)
            self._delays.add(key, entry)

    def _on_idle(self, stop: Stop, stored: LogRow) -> None:
        self._lose_outcome()
        self.last_stop = (stored.type, None)
        self.worked = False
        self.last_taken = next((w.event.id for w in reversed(self.waiting) if not w.internal), self.last_taken)
        self.waiting.clear()
        self._delays.forget_up_to(self.tick)
        self._leave_first()

    def _on_stop(self, stop: Stop, stored: LogRow) -> None:
        self._lose_outcome()
        self.last_stop = (stored.type, stop.exhausted_by)
        self.worked = False
        if stop.next is None or stop.next.event_id is None:
            return
        event_id, turn = stop.next.event_id, stop.next.turn
        self._reach_event(event_id)
        if not self._is_first(event_id):
            return
        if stop.next.finished:
            self._drop_first()
            return
        if turn is None:
            return
        self.stopped_at = turn
        if turn.event_id != event_id:
            # Entries of one tick fire in the order in which they were scheduled, so the earlier ones are decided.
            self._delays.drop_before((turn.behavior, turn.ordinal or 0, turn.event_id))
        if self.point is not None and not self._is_at(turn):
            self.point = None

    def _is_at(self, turn: Turn) -> bool:
        point = self.point
        return point is not None and (point.behavior, point.ordinal, point.event_id) == (
            turn.behavior,
            turn.ordinal or 0,
            turn.event_id,
        )

    def _is_first(self, event_id: str) -> bool:
        return bool(self.first_taken and self.waiting and self.waiting[0].event.id == event_id)

    def _reach(self, mark: Mark, stored: LogRow) -> Point:
        """The point of a mark: the turn that it stands in; all work before that turn is decided."""
        self.stopped_at = None
        key = (mark.behavior, mark.ordinal, mark.event_id)
        entry = self.entries.get(key) if self.entries else None
        point = self.point
        if (
            point is not None
            and point.event_id == mark.event_id
            and point.behavior == mark.behavior
            and point.ordinal == mark.ordinal
            and point.delayed == (entry is not None)
        ):
            return point
        if entry is not None:
            self._reach_tick(entry.fire_at)
            self._delays.drop_before(key)
            internal = entry.trigger.internal
        else:
            self._reach_event(mark.event_id)
            internal = self._is_first(mark.event_id) and self.waiting[0].internal
            self.turns_taken.append((mark.behavior, mark.ordinal))
        sequence = 0 if self._projection is None else self._projection.sequence
        self.point = Point(
            mark.behavior,
            mark.ordinal,
            mark.event_id,
            entry is not None,
            stored.position,
            sequence,
            triggered_by_internal=internal,
        )
        return self.point

    def _reach_event(self, event_id: str) -> None:
        """All that waited before this event is decided, and it was taken from the queue."""
        before = 0
        for waiting in self.waiting:
            if waiting.event.id == event_id:
                break
            before += 1
        else:
            return
        for _ in range(before):
            self._drop_first()
        self.first_taken = True
        self.last_taken = event_id

    def _reach_tick(self, tick: int) -> None:
        """All that waited before the queue-visible event of this tick is decided, and its behaviors are too."""
        while self.waiting and (self.waiting[0].tick < tick or self.waiting[0].internal):
            self._drop_first()
        if self.waiting and self.waiting[0].tick == tick:
            self.first_taken = True
            self.last_taken = self.waiting[0].event.id

    def _drop_first(self) -> None:
        dropped = self.waiting.popleft()
        if self.entries and not dropped.internal:
            self._delays.forget(dropped.tick)
        self._leave_first()

    def _leave_first(self) -> None:
        self.first_taken = False
        self.point = None
        self.stopped_at = None
        self.turns_taken = []

    def _strings_of_trigger(self, point: Point) -> set[str]:
        entry = self.entries.get((point.behavior, point.ordinal, point.event_id))
        if entry is not None:
            return strings_of(event_of(entry.trigger.event))
        return strings_of(event_of(self.waiting[0].event)) if self.waiting else set()
