"""How far the behaviors have got with an event, told in their names, since the list of them may change.

Work has one order, so the last turn that was taken is a point in it: behaviors before it are
decided, those behind it are owed, but for those that had a turn when they stood elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from activegraph.runtime.queue import WorkItem
from activegraph.runtime.subscriptions import Subscriptions

__all__ = ["replace_turn", "turns_left"]


def turns_left(taken: Sequence[tuple[str, int]], subscriptions: Subscriptions) -> tuple[int, frozenset[int]]:
    """Index of the first behavior that is not decided yet, and of all that had their turn.

    Args:
        taken: Name and ordinal of each behavior that had a turn, in order. One that is not
            registered any more tells nothing, and the one before it is the last.
    """
    known = [turn.index for name, ordinal in taken if (turn := subscriptions.named(name, ordinal)) is not None]
    if not known:
        return 0, frozenset()
    return known[-1] + 1, frozenset(known)


def replace_turn(item: WorkItem, before: Subscriptions, now: Subscriptions) -> None:
    """Put an item that was partly dispatched to the behaviors `before` where it stands among those of `now`."""
    if not item.taken:
        return
    turns = before.for_type(item.record.type)
    taken = [(s.name, s.ordinal or 0) for s in turns if s.index < item.next_turn or s.index in item.done]
    following = next((s for s in turns if s.index >= item.next_turn and s.index not in item.done), None)
    if following is None:
        item.next_turn, item.done = len(now.subscribers), frozenset()
        return
    found = now.named(following.name, following.ordinal)
    item.next_turn, item.done = turns_left(taken, now)
    if found is not None:
        item.next_turn, item.done = found.index, item.done - {found.index}
    else:
        item.relations = None
