"""The recorder of a re-execution: nothing is taken in that has not met its counterpart in the log."""

from __future__ import annotations

from activegraph.core.event import Event
from activegraph.core.log import RunLog
from activegraph.core.projection import Projection
from activegraph.core.record import EventRecord
from activegraph.core.recorder import Recorder
from activegraph.runtime.log_rows import row_of
from activegraph.runtime.scanner import LogScanner
from activegraph.runtime.verification.meeting import Meeting

__all__ = ["MeetingRecorder"]


class MeetingRecorder(Recorder):
    """Keeps the events of the re-execution in memory, and knows what they still owe.

    Attributes:
        owes: The order of work, as far as the events tell.
    """

    def __init__(self, run_id: str, projection: Projection, log: RunLog, meeting: Meeting, owes: LogScanner) -> None:
        super().__init__(run_id, projection, log)
        self.meeting = meeting
        self.owes = owes

    def record(self, event: EventRecord) -> None:
        """Take in an event of the open step, once it has met its counterpart."""
        shown = event.event()
        self.meeting.meet(shown)
        super().record(event)
        self._saw(shown, self.log.head + len(self.step))

    def record_mark(self, event: EventRecord) -> None:
        """The same for a mark."""
        shown = event.event()
        self.meeting.meet(shown)
        super().record_mark(event)
        self._saw(shown, self.log.head + len(self.step))

    def take_over(self, event: EventRecord) -> None:
        """Take in an event of the host's as it was recorded; it is committed when this returns."""
        self.log.write((event,))
        self.projection.apply(event.type, event.payload)
        if self.observer is not None:
            self.observer.recorded(event)
        self._saw(event.event(), self.log.head + 1)
        self.log.advance((event,))

    def _saw(self, event: Event, position: int) -> None:
        self.owes.see(row_of(position, event))
        self.meeting.met()
