"""What a log still owes, as a queue for the behaviors that are registered now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from activegraph.core.projection import Projection
from activegraph.core.state import RelationState
from activegraph.runtime.log_rows import cause_of
from activegraph.runtime.points import Point, WaitingEvent
from activegraph.runtime.progress import turns_left
from activegraph.runtime.queue import DelayedEntries, DelayedEntry, WorkItem
from activegraph.runtime.relating import relations_of_event
from activegraph.runtime.scanner import LogScanner
from activegraph.runtime.subscriptions import Subscriber, Subscriptions

__all__ = ["Owed"]


class Owed:
    """The work behind the last mark of a log, found by a scanner."""

    def __init__(self, scan: LogScanner) -> None:
        self._scan = scan
        self._cut = scan.cut_off_at() is not None

    def depth(self, subscriptions: Subscriptions) -> int:
        """How many events wait for dispatch."""
        waiting = list(self._scan.waiting)
        depth = sum(1 for w in waiting if not w.internal or subscriptions.for_type(w.event.type))
        return depth - 1 if self.is_first_done(subscriptions) else depth

    def is_first_done(self, subscriptions: Subscriptions) -> bool:
        """Whether nothing can be left of the first event that waits: all turns taken, no entry due at its tick."""
        return bool(self._scan.waiting) and self._is_first_done(subscriptions, self._scan.waiting[0])

    def queue(self, subscriptions: Subscriptions, projection: Projection) -> deque[WorkItem]:
        """The events that wait; the first one as far as its dispatch had got."""
        items: deque[WorkItem] = deque()
        for place, waiting in enumerate(self._scan.waiting):
            is_cut_here = place == 0 and self._cut
            if waiting.internal and not is_cut_here and not subscriptions.for_type(waiting.event.type):
                continue
            item = _item(waiting)
            if place == 0 and self._scan.first_taken:
                item.taken = True
                self._place_turn(item, subscriptions, projection)
                if self._is_first_done(subscriptions, waiting):
                    continue
            items.append(item)
        return items

    def entries(self, subscriptions: Subscriptions, projection: Projection) -> DelayedEntries:
        """The delayed entries that wait; one whose firing had begun as far as it had got."""
        entries = DelayedEntries()
        for key, waiting in self._scan.entries.items():
            entry = DelayedEntry(waiting.behavior, waiting.ordinal, cause_of(waiting.trigger.event), waiting.fire_at)
            point = self._scan.point
            if point is not None and point.delayed and (point.behavior, point.ordinal, point.event_id) == key:
                subscriber = subscriptions.named(waiting.behavior, waiting.ordinal)
                if subscriber is not None:
                    entry.relations = self._relations_left(point, subscriber, entry.event, projection)
                    if entry.relations is None and not self._cut:
                        continue
            entries.add(entry)
        return entries

    def _is_first_done(self, subscriptions: Subscriptions, first: WaitingEvent) -> bool:
        scan = self._scan
        if not scan.first_taken or self._cut or scan.stopped_at is not None:
            return False
        if not first.internal and any(entry.fire_at == first.tick for entry in scan.entries.values()):
            return False
        decided, done = self._decided(subscriptions)
        point = scan.point
        if point is not None and (point.about_relations or self._is_about_relations(point, subscriptions)):
            return False
        turns = subscriptions.for_type(first.event.type)
        return not any(turn.index >= decided and turn.index not in done for turn in turns)

    @staticmethod
    def _is_about_relations(point: Point, subscriptions: Subscriptions) -> bool:
        """Whether a turn of which only the match is known is one of a relation behavior."""
        subscriber = subscriptions.named(point.behavior, point.ordinal) if point.matched_only else None
        return subscriber is not None and subscriber.relation_type is not None

    def _place_turn(self, item: WorkItem, subscriptions: Subscriptions, projection: Projection) -> None:
        scan = self._scan
        if scan.stopped_at is not None:
            turn = subscriptions.named(scan.stopped_at.behavior, scan.stopped_at.ordinal)
            if scan.stopped_at.event_id != item.record.id:
                item.next_turn = len(subscriptions.subscribers)
                return
            item.next_turn, item.done = self._decided(subscriptions)
            if turn is not None:
                item.next_turn, item.done = turn.index, item.done - {turn.index}
        else:
            item.next_turn, item.done = self._decided(subscriptions)
        point = scan.point
        if point is None or point.delayed:
            return
        subscriber = subscriptions.named(point.behavior, point.ordinal)
        if subscriber is None:
            return
        left = self._relations_left(point, subscriber, item.event, projection)
        if left is not None or self._cut:
            item.next_turn = subscriber.index
            item.done -= {subscriber.index}
            item.relations = left

    def _decided(self, subscriptions: Subscriptions) -> tuple[int, frozenset[int]]:
        """Registration index of the first turn on the first event that is not decided yet, and of those that were taken."""
        point = self._scan.point
        if point is not None and point.delayed:
            return len(subscriptions.subscribers), frozenset()
        return turns_left(self._scan.turns_taken, subscriptions)

    @staticmethod
    def _relations_left(
        point: Point, subscriber: Subscriber, event: object, projection: Projection
    ) -> deque[RelationState] | None:
        """The relations of a turn that has begun: behind the last marked one, older than its first mark."""
        if subscriber.relation_type is None or point.is_scheduled:
            return None
        candidates: Iterable[RelationState] = relations_of_event(projection, subscriber.relation_type, event)  # type: ignore[arg-type]
        last = point.last_relation
        if point.matched_only and point.touched is not None:
            # The fork cut the first invocation, which counts as done, and its relation has no mark.
            first = next((r for r in point.touched if r.type == subscriber.relation_type), None)
            last = -1 if first is None else first.sequence
        return deque(r for r in candidates if last < r.sequence < point.sequence)


def _item(waiting: WaitingEvent) -> WorkItem:
    return WorkItem(cause_of(waiting.event), waiting.tick, None, waiting.about, waiting.internal)
