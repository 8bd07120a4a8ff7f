"""The record of a run: what a store keeps of it beside its events."""

from __future__ import annotations

from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.codec import decode_canonical
from activegraph.core.log import LogStore, RunLog
from activegraph.core.record import EventRecord

__all__ = ["RunFacts", "record_run"]


class RunFacts:
    """What the record of one run tells.

    Args:
        setup_count: Events that the graph held before its first runtime.
    """

    def __init__(self, log: RunLog, setup_count: int, frame_id: str | None) -> None:
        self.setup_count = setup_count
        self.goal: str | None = None
        self.has_unrecorded_goal = False
        self._log = log
        self._frame_id = frame_id

    def take_over(self, previous: RunFacts) -> None:
        """What an earlier runtime of the same graph knew."""
        self.setup_count, self.goal = previous.setup_count, previous.goal
        self.has_unrecorded_goal = previous.has_unrecorded_goal

    def loaded(self, goal: str | None, setup_count: int) -> None:
        """Take over what a loaded run's record says."""
        self.goal, self.setup_count, self.has_unrecorded_goal = goal, setup_count, False

    def saw_goal(self, event: EventRecord) -> None:
        """The goal of a `goal.created`; the first one is the run's, and recorded when its event is committed."""
        if self.goal is None:
            goal = decode_canonical(event.payload).get("goal")
            self.goal = goal if isinstance(goal, str) else None
            self.has_unrecorded_goal = self.goal is not None

    def set_goal(self, goal: str) -> None:
        """Record a goal whose event is about to come, unless there was one before."""
        if self.goal is None:
            self.goal = goal
            self.record_goal()

    def record_goal(self) -> None:
        """Write the first goal into the run's record; without a store it waits for one."""
        if self._log.store is not None:
            record_run(self._log.store, goal=self.goal, frame_id=self._frame_id)
        self.has_unrecorded_goal = False

    def record_in(self, store: LogStore) -> None:
        """Record the run in a store that is being put under its log."""
        record_run(store, setup_count=self.setup_count, goal=self.goal, frame_id=self._frame_id)
        self.has_unrecorded_goal = False


def record_run(store: LogStore, **fields: Any) -> None:
    """Write fields of the run's record, where the store keeps any; None leaves a field as it is."""
    upsert = getattr(store, "upsert_run", None)
    get_run = getattr(store, "get_run", None)
    if upsert is None or get_run is None:
        return
    known = get_run()
    if known is not None and known.setup_count is not None:
        fields.pop("setup_count", None)
    # Not by the graph's clock, which is read once per event and for nothing else.
    created_at = Clock().now() if known is None else known.created_at
    upsert(created_at=created_at, **fields)
