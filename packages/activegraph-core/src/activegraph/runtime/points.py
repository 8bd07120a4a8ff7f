"""What is known of places in the order of work: events and delayed entries that wait, the turn of a mark, what was cut off."""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from activegraph.core.event import Event
from activegraph.core.state import RelationState
from activegraph.runtime.log_rows import LogRow

__all__ = ["CutOff", "EntryKey", "Point", "WaitingEntries", "WaitingEntry", "WaitingEvent"]

EntryKey = tuple[str, int, str]
"""Name and ordinal of a delayed behavior, and id of its trigger."""


class WaitingEvent(Struct, gc=False):
    """An event that is queued, or would be if a behavior named its type."""

    event: LogRow
    tick: int
    internal: bool
    about: str | None = None


class WaitingEntry(Struct, gc=False):
    """A `behavior.scheduled` whose time has not come, or whose firing is under way."""

    behavior: str
    ordinal: int
    trigger: WaitingEvent
    fire_at: int


class WaitingEntries:
    """The delayed entries that wait; those of one tick in the order in which they were scheduled, in which they fire."""

    def __init__(self) -> None:
        self.by_key: dict[EntryKey, WaitingEntry] = {}
        self._by_tick: dict[int, list[EntryKey]] = {}

    def add(self, key: EntryKey, entry: WaitingEntry) -> None:
        """Note one that was scheduled."""
        self.by_key[key] = entry
        self._by_tick.setdefault(entry.fire_at, []).append(key)

    def drop_before(self, key: EntryKey) -> None:
        """Forget those that fire at the same tick before this one."""
        entry = self.by_key.get(key)
        if entry is None:
            return
        keys = self._by_tick[entry.fire_at]
        while keys[0] != key:
            self.by_key.pop(keys.pop(0), None)

    def forget(self, tick: int) -> None:
        """Forget those of one tick."""
        for key in self._by_tick.pop(tick, ()):
            self.by_key.pop(key, None)

    def forget_up_to(self, tick: int) -> None:
        """Forget those of this tick and of all before it."""
        for due in [due for due in self._by_tick if due <= tick]:
            self.forget(due)


class Point(Struct, gc=False):
    """The turn that the last mark stands in."""

    behavior: str
    ordinal: int
    event_id: str
    delayed: bool
    first_position: int
    """Position of the turn's first mark."""
    sequence: int
    """Place in creation order of the next element, at the turn's first mark."""
    about_relations: bool = False
    relation_id: str | None = None
    last_relation: int = -1
    """Place in creation order of the last marked relation."""
    is_scheduled: bool = False
    """Whether the turn ended with a schedule instead of invocations."""
    matched_only: bool = False
    """Whether only `pattern.matched` is there yet."""
    touched: list[RelationState] | None = None
    """Relations that the trigger touched when a fork cut the turn right behind its `pattern.matched`."""
    triggered_by_internal: bool = False


class CutOff(Struct):
    """An invocation that a crash cut off, and what it had recorded."""

    behavior: str
    ordinal: int
    event_id: str
    started_at: int
    """Position of its first mark; the graph and the ids it began with are those before it."""
    delayed: bool
    relation_id: str | None
    """The relation that it is about; None for one that had only matched yet."""
    prefix: deque[Event] = msgspec.field(default_factory=deque)
    in_doubt: set[str | None] = msgspec.field(default_factory=set)
    """Ids of the tool requests that were said to be in doubt."""
    may_repeat: str | None = None
    """The one of them that somebody has allowed to be made again."""

    @property
    def has_started(self) -> bool:
        """Whether its start is recorded; a match alone uses no call."""
        return any(event.type in ("behavior.started", "relation_behavior.started") for event in self.prefix)
