"""Holds the events of a re-execution against those of the log, one by one.

Compared is what a run did, in order. Marks of the lifecycle are found again where they can be, since
they say how far the recorded run had got when its host came in; that they differ is no difference.
"""

from __future__ import annotations

from typing import NoReturn

from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import Event, raw_payload
from activegraph.core.ids import IDGen
from activegraph.core.log_lines import text_of
from activegraph.runtime.mark_reading import Mark, Scheduled, mark_of
from activegraph.runtime.queue import is_lifecycle
from activegraph.runtime.verification.comparing import Difference, difference_of
from activegraph.runtime.verification.recorded import Recorded, RecordedRun

__all__ = ["Halt", "Meeting", "RecordedClock"]

NO_EVENT = "<no recorded event>"


class Halt(BaseException):
    """The re-execution stops here: at a difference, where the host came in, or at the end of the record.

    No `Exception`, so that no behavior takes it for one of its own.
    """


class Meeting:
    """Where the re-execution stands in the log.

    Attributes:
        difference: The first difference, once there is one.
        has_ended: Whether all that was recorded has been met.
        failure: Payload of the last `behavior.failed` that the record does not have.
        is_host: Whether what comes now is done by the host, so that it meets the host's own events.
    """

    def __init__(self, recorded: RecordedRun, ids: IDGen) -> None:
        self.recorded = recorded
        self.ids = ids
        self.difference: Difference | None = None
        self.has_ended = False
        self.failure: bytes | None = None
        self.is_host = False
        self._is_halting = False
        self._halts_behind = False
        self._moved: dict[str, str] = {}
        """Ids of recorded events whose counterparts have others: marks more or less have moved the sequence."""
        self._ids_behind = vars(ids).copy()
        self._served: Recorded | None = None
        """An answer that was taken from the log, so that it need not be compared with itself."""

    def now(self) -> str:
        """The time of the next recorded event, which is that of its counterpart."""
        following = self.recorded.peek()
        row = self.recorded.last if following is None else following.row
        return "" if row is None else row.timestamp

    def meet(self, event: Event) -> None:
        """Find the counterpart of an event that is about to be recorded.

        Raises:
            Halt: There is none, and it is not to be recorded.
        """
        if self._is_halting:
            raise Halt  # a behavior kept the first one to itself
        if is_lifecycle(event.type):
            self._meet_mark(event)
        else:
            self._meet_compared(event)

    def met(self) -> None:
        """The event has been recorded.

        Raises:
            Halt: The recorded run had got this far when its host came in.
        """
        self._ids_behind = vars(self.ids).copy()
        if self._halts_behind:
            self._halt()

    def resume(self) -> None:
        """Go on behind a halt: ids that were drawn for what was not recorded are free again."""
        self._is_halting = self._halts_behind = False
        vars(self.ids).update(self._ids_behind)

    def feed(self, found: Recorded, new_id: str) -> None:
        """Take a recorded event over as the host's own."""
        if new_id != found.row.id:
            self._moved[found.row.id] = new_id
        self.recorded.take()

    def present_id(self, recorded_id: str | None) -> str | None:
        """The id of the counterpart of a recorded event."""
        return None if recorded_id is None else self._moved.get(recorded_id, recorded_id)

    def finished_early(self, missing: Recorded) -> None:
        """The re-execution has nothing more to do, and the record has."""
        self.difference = Difference(missing.row, missing.row.type, None, None)

    def refused(self, missing: Recorded, who: str, error: Exception) -> None:
        """What the host did then is refused now."""
        told = {"behavior": who, "exception_type": type(error).__name__, "message": text_of(error)}
        self.finished_early(missing)
        self.failure = encode_payload_bytes(told)

    def next_in_invocation(self) -> Recorded | None:
        """The next event of the running invocation: one of its own, or its outcome. None where there is none."""
        place = 0
        while (found := self.recorded.peek(place)) is not None and not found.cuts:
            if found.kind == "effect" or found.row.type in _OUTCOMES:
                return found
            if found.kind != "note":
                break
            place += 1
        return None

    def answer(self, type: str) -> Recorded:
        """The recorded answer to the request that was met last; it will be met next.

        Raises:
            Halt: There is none.
        """
        place = 0
        while (found := self.recorded.peek(place)) is not None and found.kind == "note" and not found.cuts:
            place += 1
        if found is None:
            self._end()
        if found.cuts:
            self._halt_at_cut(found)
        if found.kind != "effect":
            self._differ(Difference(self.recorded.last_compared or found.row, NO_EVENT, type, None))
        if found.row.type != type:
            self._differ(Difference(found.row, found.row.type, type, None))
        self._served = found
        return found

    def _meet_compared(self, event: Event) -> None:
        place = 0
        while (found := self.recorded.peek(place)) is not None:
            if found.cuts:
                self._halt_at_cut(found)
            if found.kind == "stop" or (found.kind == "input" and not self.is_host):
                if self._is_last(place):
                    self._end()
                self._differ(Difference(self.recorded.last_compared or found.row, NO_EVENT, event.type, event))
            if found.is_compared:
                break
            place += 1
        if found is None:
            self._end()
        difference = None if found is self._served else difference_of(found, event, self._moved)
        if difference is not None:
            self._differ(difference)
        self._found(found, event, place)

    def _is_last(self, place: int) -> bool:
        """Whether the record ends with a stop that is not idle, so that it does not say what would have come next."""
        while (found := self.recorded.peek(place)) is not None:
            if found.is_compared or found.is_idle:
                return False
            place += 1
        return True

    def _meet_mark(self, event: Event) -> None:
        if event.type == "behavior.failed":
            self.failure = raw_payload(event)
        place = 0
        while (found := self.recorded.peek(place)) is not None and not found.cuts:
            if found.is_compared or found.kind not in ("mark", "note"):
                return  # a mark that the record does not have, of something that did nothing there
            if found.kind == "mark" and self._is_same_mark(found, event):
                self._found(found, event, place)
                return
            place += 1
        if found is None:
            self._end()
        self._halt_at_cut(found)

    def _is_same_mark(self, found: Recorded, event: Event) -> bool:
        if found.row.type != event.type:
            return False
        payload = raw_payload(event)
        if found.payload == payload:
            return True
        mark, theirs = mark_of(event.type, event.actor, event.caused_by, payload), found.mark
        if not isinstance(mark, (Mark, Scheduled)) or not isinstance(theirs, (Mark, Scheduled)):
            return False
        return (mark.behavior, mark.ordinal, mark.event_id, getattr(mark, "relation_id", None)) == (
            theirs.behavior,
            theirs.ordinal,
            self._moved.get(theirs.event_id, theirs.event_id),
            getattr(theirs, "relation_id", None),
        )

    def _found(self, found: Recorded, event: Event, place: int) -> None:
        self.failure = None
        self.recorded.take(place + 1)
        if found.row.id != event.id:
            self._moved[found.row.id] = event.id
        if found.kind == "mark" and found.row.type in _TURN_ENDS:
            following = self.recorded.next_work()
            self._halts_behind = following is None or (following.kind in ("input", "stop") and not following.is_idle)

    def _differ(self, difference: Difference) -> NoReturn:
        self.difference = difference
        self._halt()

    def _end(self) -> NoReturn:
        self.has_ended = True
        self._halt()

    def _halt_at_cut(self, behind: Recorded) -> NoReturn:
        """The invocation has no outcome in the record, and counts as done from here on."""
        behind.cuts = False
        self._halt()

    def _halt(self) -> NoReturn:
        self._is_halting = True
        raise Halt


_OUTCOMES = frozenset({"behavior.completed", "behavior.failed"})

_TURN_ENDS = _OUTCOMES | {"behavior.scheduled"}
"""Marks behind which the host can have come in."""


class RecordedClock:
    """The times of the log: each event happens when its counterpart did, and nothing takes any time."""

    meeting: Meeting | None = None

    def now(self) -> str:
        """The time of the next recorded event."""
        return "" if self.meeting is None else self.meeting.now()

    def monotonic(self) -> float:
        """Always the same moment."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once."""
