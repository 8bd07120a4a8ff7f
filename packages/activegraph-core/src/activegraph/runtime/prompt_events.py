"""The newest events that prompts show, kept from one prompt to the next.

A prompt shows the last events that are no bookkeeping. Between two of those stand marks, requests and
answers without number, so looking for them from the end of the log would cost more with every call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from activegraph.core.event import Event
from activegraph.core.log import RunLog
from activegraph.core.record import EventBatch, EventRecord
from activegraph.core.view_builder import recent_events
from activegraph.llm.prompt_text import in_prompts

__all__ = ["PromptEvents"]


class PromptEvents:
    """What prompts of one run show of its log; each event is looked at once."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._kept: deque[Event] = deque(maxlen=0)
        self._head = 0
        """Position up to which the log has been looked at."""

    def recent(self, count: int, head: int, unlogged: Sequence[EventRecord]) -> list[Event]:
        """The newest `count` events up to position `head` and in the open step behind it."""
        if not count:
            return []
        if count > (self._kept.maxlen or 0) or head < self._head:
            self._kept = deque(recent_events(self._log, head, (), count, in_prompts), maxlen=count)
        else:
            self._kept.extend(event for event in self._log.read(self._head + 1, head) if in_prompts(event))
        self._head = head
        found = [*self._kept, *(event for event in EventBatch(unlogged) if in_prompts(event))]
        return found[max(0, len(found) - count) :]
