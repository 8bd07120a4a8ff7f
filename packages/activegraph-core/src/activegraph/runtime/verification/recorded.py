"""The log that is followed: its events in order, and for each who brought it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from activegraph.core.event import Event
from activegraph.runtime.log_rows import LogRow, event_of
from activegraph.runtime.mark_reading import Mark, Scheduled, Stop, mark_of
from activegraph.runtime.queue import is_internal, is_lifecycle
from activegraph.runtime.scanner import LogScanner

__all__ = ["Recorded", "RecordedRun"]

Kind = Literal["mark", "effect", "input", "stop", "note"]


class Recorded(Struct, gc=False):
    """One event of the log."""

    row: LogRow
    kind: Kind
    """A mark of the runtime, a behavior's doing, the host's, where the loop stopped, or none of these."""
    mark: Mark | Scheduled | Stop | None
    cuts: bool
    """Whether the invocation before it has no outcome: a fork cut it, or the outcome was lost."""
    is_compared: bool

    @property
    def payload(self) -> bytes:
        """The payload as it is stored."""
        payload = self.row.payload
        return payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")

    def event(self) -> Event:
        """As an event."""
        return event_of(self.row)

    @property
    def is_idle(self) -> bool:
        """Whether the queue was empty here."""
        return self.kind == "stop" and self.row.type == "runtime.idle"


class RecordedRun:
    """A log that is read once, from the front, with a look ahead.

    Args:
        rows: The log in order.
        setup_count: Events that the graph held before its first runtime.
        forked_at: Id of the event that the run was forked at.
    """

    def __init__(self, rows: Iterator[LogRow], *, setup_count: int, forked_at: str | None) -> None:
        self._rows = rows
        self._scan = LogScanner(setup_count=setup_count, forked_at=forked_at)
        self._forked_at = forked_at
        self._is_behind_fork = False
        """Whether the last event that was read is the one that the run was forked at."""
        self._ahead: deque[Recorded] = deque()
        self.last: LogRow | None = None
        """The last event that was taken."""
        self.last_compared: LogRow | None = None
        self.began_after: LogRow | None = None
        """The event before the first mark of the turn that was begun last."""
        self.acted: set[str] = set()
        """Names of the behaviors that were invoked up to here."""
        self._turn: tuple[str, int, str] | None = None

    def peek(self, place: int = 0) -> Recorded | None:
        """The event `place` behind the next one; None where the log has ended."""
        ahead = self._ahead
        while len(ahead) <= place:
            row = next(self._rows, None)
            if row is None:
                return None
            ahead.append(self._read(row))
        return ahead[place]

    def take(self, count: int = 1) -> None:
        """Go on behind the next `count` events, which have been looked at."""
        for _ in range(count):
            taken = self._ahead.popleft()
            if isinstance(taken.mark, Mark):
                self.acted.add(taken.mark.behavior)
                turn = (taken.mark.behavior, taken.mark.ordinal, taken.mark.event_id)
                if turn != self._turn:
                    self._turn, self.began_after = turn, self.last
            self.last = taken.row
            if taken.is_compared:
                self.last_compared = taken.row

    def next_work(self, place: int = 0) -> Recorded | None:
        """The next event from `place` on that is more than a note."""
        while (found := self.peek(place)) is not None and found.kind == "note":
            place += 1
        return found

    def _read(self, row: LogRow) -> Recorded:
        scan = self._scan
        before = scan.open_point
        mark = mark_of(row.type, row.actor, row.caused_by, row.payload) if is_internal(row.type) else None
        scan.see(row)
        inside = scan.open_point
        is_outcome = mark is not None and row.type in ("behavior.completed", "behavior.failed")
        cuts = before is not None and (self._is_behind_fork or (inside is not before and not is_outcome))
        self._is_behind_fork = row.id == self._forked_at
        is_compared = not is_lifecycle(row.type)
        kind: Kind
        if mark is not None:
            kind = "stop" if isinstance(mark, Stop) else "mark"
        elif row.type == "tool.in_doubt" or (not is_compared and row.actor == "runtime"):
            kind = "note"
        elif inside is not None and row.actor == inside.behavior:
            kind = "effect"
        else:
            kind = "input"
        return Recorded(row, kind, mark, cuts, is_compared)
