"""The one way in which events of this process are made: time and id are read, drawn and checked here."""

from __future__ import annotations

from functools import partial

from activegraph.core.changes import Stamp
from activegraph.core.clock import Clock
from activegraph.core.codec import check_header
from activegraph.core.ids import IDGen
from activegraph.core.record import EventRecord

__all__ = ["EventMaker"]


class EventMaker:
    """Makes events for one run, each with the next id and the time now."""

    def __init__(self, ids: IDGen, clock: Clock) -> None:
        self.ids = ids
        self.clock = clock
        self._draw = ids.event if type(ids) is IDGen else partial(_checked_id, ids)
        """Gives the next event id; one of a user's own making is checked, as a header field has to be."""
        self._time = ""
        """What the clock said last; one that says the same again need not be checked again."""

    def event(
        self, type: str, payload: bytes, stamp: Stamp, timestamp: str | None = None, id: str | None = None
    ) -> EventRecord:
        """A new event; the clock is read and the next id drawn unless they are given."""
        now = self.now() if timestamp is None else timestamp
        if id is None:
            id = self._draw()
        return EventRecord(id, type, payload, stamp.actor, stamp.frame_id, stamp.caused_by, now)

    def stop(self, type: str, payload: bytes, stamp: Stamp) -> EventRecord:
        """An event that says that the run has stopped: a run that was stopped goes on with the ids of one that was not."""
        now = self.now()
        return self.event(type, payload, stamp, now, check_header("id", self.ids.stop()))

    def now(self) -> str:
        """The clock's time, read before any id is drawn: a clock that fails consumes none.

        Raises:
            NonSerializableEventError: The clock gives something else than text.
        """
        now = self.clock.now()
        if now is not self._time:
            self._time = check_header("timestamp", now)
        return self._time


def _checked_id(ids: IDGen) -> str:
    id: str = check_header("id", ids.event())
    return id
