"""Turns: one event given to its behaviors, one after the other, then to what was delayed until its tick.

A behavior is matched when its turn comes, so it sees what earlier ones did. A turn that has begun
(its first mark is recorded) is not matched again; where the budget stops it between two
relations, the rest waits.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from time import perf_counter
from typing import Any

from msgspec import Struct

from activegraph.core.changes import Stamp
from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.state import RelationState
from activegraph.runtime.engine import Engine
from activegraph.runtime.invocation import Invocation
from activegraph.runtime.live_event import live_event
from activegraph.runtime.matching import SLOW_SECONDS
from activegraph.runtime.points import CutOff
from activegraph.runtime.queue import DelayedEntry, WorkItem
from activegraph.runtime.relating import relations_of_event
from activegraph.runtime.subscriptions import Subscriber, Subscriptions

__all__ = ["Turn", "dispatch", "invoke_again"]


class Turn(Struct, frozen=True, gc=False):
    """The turn before which the budget stopped the loop."""

    behavior: str
    ordinal: int
    event_id: str


def dispatch(engine: Engine, subscriptions: Subscriptions, item: WorkItem) -> Turn | None:
    """Give the event to its behaviors, then fire what is due at its tick.

    Returns:
        The turn before which the budget said no; None when all is done.
    """
    for subscriber in subscriptions.for_type(item.record.type):
        index = subscriber.index
        if index < item.next_turn or index in item.done or subscriber.name == item.about:
            continue
        if not _turn(engine, subscriber, item):
            item.next_turn = index
            return Turn(subscriber.name, subscriber.ordinal or 0, item.record.id)
        item.next_turn = index + 1
        item.relations = None
    if item.internal:
        return None
    item.next_turn = len(subscriptions.subscribers)
    due = engine.delayed.due(item.tick)
    return None if due is None else _fire(engine, subscriptions, item.tick, due)


def invoke_again(engine: Engine, subscriptions: Subscriptions, cut: CutOff) -> bool:
    """Execute the invocation that a crash cut off, against what it had recorded.

    Returns:
        False where its behavior is not registered, or is one of another kind.
    """
    subscriber = subscriptions.named(cut.behavior, cut.ordinal)
    if subscriber is None or not engine.queue:
        return False
    item = engine.queue[0]
    due = engine.delayed.due(item.tick) if cut.delayed else None
    place: WorkItem | DelayedEntry = due[0] if due else item
    is_about_relation = subscriber.relation_type is not None
    if place.record.id != cut.event_id or (cut.relation_id is not None and not is_about_relation):
        return False
    relation = None
    if cut.relation_id is not None:
        relation = engine.projection.relations.get(cut.relation_id)
    elif place.relations:
        relation = place.relations.popleft()
    if is_about_relation and relation is None:
        return False
    _invoke(engine, subscriber, place.event, place.depth, relation)
    if is_about_relation:
        return True
    if due:
        due.popleft()
    else:
        item.next_turn = subscriber.index + 1
    return True


def _turn(engine: Engine, subscriber: Subscriber, place: WorkItem | DelayedEntry) -> bool:
    """One behavior's turn on a queued event, or the firing of its delayed entry; False if the budget stopped it."""
    event = place.event
    if place.relations is not None:
        return _invoke_relations(engine, subscriber, event, place.depth, place.relations)
    if subscriber.where is not None:
        seen = live_event(engine.projection, event) if isinstance(place, DelayedEntry) else event
        if not subscriber.where.matches_event(seen):
            return True
    relations: deque[RelationState] | None = None
    if subscriber.relation_type is not None:
        relations = deque(relations_of_event(engine.projection, subscriber.relation_type, event))
        if not relations:
            return True
    if subscriber.matcher is not None and not _has_match(engine, subscriber, event):
        return True
    if subscriber.delay is not None and isinstance(place, WorkItem):
        _schedule(engine, subscriber, place, subscriber.delay)
        return True
    if not engine.budget.remaining(leave_out="max_events"):
        return False
    if relations is None:
        _invoke(engine, subscriber, event, place.depth, None, is_first=True)
        return True
    place.relations = relations
    return _invoke_relations(engine, subscriber, event, place.depth, relations, is_first=True)


def _has_match(engine: Engine, subscriber: Subscriber, event: Event) -> bool:
    began = perf_counter()
    found = engine.matching.count(subscriber)
    seconds = perf_counter() - began
    if engine.measures is not None:
        engine.measures.evaluated(seconds)
    if seconds > SLOW_SECONDS:
        engine.matching.say_slow(subscriber.name, found, seconds, run_id=engine.run_id, event_id=event.id)
    return found > 0


def _fire(engine: Engine, subscriptions: Subscriptions, tick: int, due: deque[DelayedEntry]) -> Turn | None:
    while due:
        entry = due[0]
        subscriber = subscriptions.named(entry.name, entry.ordinal)
        if subscriber is not None and not _turn(engine, subscriber, entry):
            return Turn(subscriber.name, subscriber.ordinal or 0, entry.record.id)
        due.popleft()
    engine.delayed.drop(tick)
    return None


def _schedule(engine: Engine, subscriber: Subscriber, item: WorkItem, delay: int) -> None:
    """Write down that the behavior is to be invoked later; it is committed with what comes next."""
    payload: dict[str, Any] = {
        "behavior": subscriber.name,
        "event_id": item.record.id,
        "activate_after": delay,
        "fire_at_tick": item.tick + delay,
        "current_tick": item.tick,
    }
    if subscriber.ordinal is not None:
        payload["ordinal"] = subscriber.ordinal
    stamp = Stamp("runtime", item.record.id, engine.frame_id)
    engine.recorder.record_mark(engine.writer.event("behavior.scheduled", encode_payload_bytes(payload), stamp))
    engine.delayed.add(DelayedEntry(subscriber.name, subscriber.ordinal, item.record, item.tick + delay, item.depth))
    engine.worked = True


def _invoke_relations(
    engine: Engine,
    subscriber: Subscriber,
    event: Event,
    depth: int | None,
    relations: deque[RelationState],
    *,
    is_first: bool = False,
) -> bool:
    """Invoke for each relation that is still there; False if the budget stopped it, the rest stays in `relations`."""
    while relations:
        if engine.projection.relations.get(relations[0].id) is not relations[0]:
            relations.popleft()
            continue
        if not engine.budget.remaining(leave_out="max_events"):
            return False
        _invoke(engine, subscriber, event, depth, relations.popleft(), is_first=is_first)
        is_first = False
    return True


@cache
def model_invocation() -> type[Invocation]:
    """The invocations of behaviors that ask models; most programs have none, and need not import what that takes."""
    from activegraph.runtime.model_invocation import ModelInvocation

    return ModelInvocation


def _invoke(
    engine: Engine,
    subscriber: Subscriber,
    event: Event,
    depth: int | None,
    relation: RelationState | None,
    *,
    is_first: bool = False,
) -> None:
    """One invocation: a step of its own, committed whole.

    Args:
        is_first: Whether its turn begins with it, so that `pattern.matched` comes before it.
    """
    cut, recorder = engine.cut, engine.recorder
    if engine.log.failure is not None:
        # A listener was told why, and may have kept it to itself.
        raise engine.log.failure
    engine.trigger, engine.trigger_depth = event, depth
    engine.worked = True
    if cut is None or not cut.has_started:
        engine.budget.consume("max_behavior_calls")
    kind = model_invocation() if subscriber.asks_model else Invocation
    invocation = kind(engine, subscriber, event, relation, cut, is_first)
    try:
        invocation.execute()
    finally:
        engine.trigger = engine.trigger_depth = None
    engine.cut = None
    patches = invocation.patches_applied + invocation.patches_by_hand
    if patches:
        engine.budget.consume("max_patches", patches)
    recorder.commit_step(engine.step_sync)
