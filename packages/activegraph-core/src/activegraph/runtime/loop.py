"""The loop: takes events from the queue and gives them to the behaviors that they match.

One thread, one queue, run to completion. A behavior is matched when its turn comes, so it sees
what earlier ones did, and a run that was stopped between two turns goes on at the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import make_event
from activegraph.core.graph import Graph
from activegraph.core.recorder import stopped_error
from activegraph.errors import IncompatibleRuntimeState
from activegraph.runtime.engine import Engine
from activegraph.runtime.invocation import Invocation
from activegraph.runtime.queue import WorkItem
from activegraph.runtime.subscriptions import Subscriber, Subscriptions

__all__ = ["finish_cut_off", "on_the_stack", "run_loop"]

_logger = logging.getLogger("activegraph.runtime")

Predicate = Callable[[Graph], Any]


@contextmanager
def on_the_stack(engine: Engine, operation: str) -> Iterator[Subscriptions]:
    """A `run_*` call: refused where it cannot be, and the only writer while it lasts.

    Raises:
        IncompatibleRuntimeState: The runtime is closed or stopped, or a run or transaction is open.
    """
    _check_runnable(engine, operation)
    engine.recorder.runner = get_ident()
    engine.running = True
    try:
        subscriptions = engine.refresh_subscriptions()
        with engine.log.lock:
            engine.publish()
        yield subscriptions
    finally:
        engine.recorder.runner = None
        engine.running = False
        with engine.log.lock:
            engine.publish()


def run_loop(engine: Engine, subscriptions: Subscriptions, predicate: Predicate | None = None) -> None:
    """Work until the queue is empty, the budget is used up, or the predicate says stop."""
    finish_cut_off(engine, subscriptions)
    queue = engine.queue
    while True:
        item = queue[0] if queue else None
        resumed = item is not None and item.taken
        if not engine.budget.remaining(leave_out="max_events" if resumed else None):
            turn = _turn_of(subscriptions, item) if resumed and item is not None else None
            _stop(
                engine,
                "runtime.budget_exhausted",
                item if resumed else None,
                turn=turn,
                exhausted_by=engine.budget.exhausted_by(),
            )
            return
        if item is None:
            _stop(engine, "runtime.idle", None)
            return
        if not item.taken:
            if predicate is not None and _says_stop(engine, predicate):
                return
            _take(engine, item)
        stopped_before = _dispatch(engine, subscriptions, item)
        if stopped_before is not None:
            _stop(
                engine,
                "runtime.budget_exhausted",
                item,
                turn=stopped_before,
                exhausted_by=engine.budget.exhausted_by(),
            )
            return
        queue.popleft()


def finish_cut_off(engine: Engine, subscriptions: Subscriptions) -> None:
    """Execute the invocation that a crash cut off again, against what it had recorded."""
    cut = engine.cut
    if cut is None:
        return
    index = subscriptions.index_of(cut.behavior, cut.ordinal)
    item = engine.queue[0] if engine.queue else None
    if index is None or item is None or item.event.id != cut.event_id:
        raise IncompatibleRuntimeState(
            f"run {engine.run_id!r} was cut off inside behavior {cut.behavior!r}, which is not registered",
            what_failed=f"Going on with run {engine.run_id!r}: {cut.behavior!r} on event {cut.event_id!r} has no outcome in the log.",
            why="An invocation that was cut off is executed again against what it had recorded, so its behavior has to be there.",
            how_to_fix=f"Register {cut.behavior!r} (import its module, or pass `behaviors=`), then run again.",
            context={"run_id": engine.run_id, "behavior": cut.behavior, "event_id": cut.event_id},
        )
    subscriber = subscriptions.subscribers[index]
    _invoke(engine, subscriber, item)
    item.next_turn = index + 1


def _take(engine: Engine, item: WorkItem) -> None:
    item.taken = True
    engine.worked = True
    engine.last_taken = item.event.id
    if item.about is None:
        engine.budget.consume("max_events")
    depth = _causal_depth(engine, item)
    if depth is not None:
        engine.budget.reach("max_depth", depth)


def _dispatch(engine: Engine, subscriptions: Subscriptions, item: WorkItem) -> Subscriber | None:
    """Give the event to its behaviors; the one whose turn it was when the budget said no, or None."""
    event = item.event
    for subscriber in subscriptions.for_type(event.type):
        if subscriber.index < item.next_turn or subscriber.name == item.about:
            continue
        if subscriber.where is not None and not subscriber.where.matches_event(event):
            continue
        if not engine.budget.remaining(leave_out="max_events"):
            item.next_turn = subscriber.index
            return subscriber
        _invoke(engine, subscriber, item)
        item.next_turn = subscriber.index + 1
    return None


def _turn_of(subscriptions: Subscriptions, item: WorkItem) -> Subscriber | None:
    turns = subscriptions.for_type(item.event.type)
    return next((s for s in turns if s.index >= item.next_turn and s.name != item.about), None)


def _invoke(engine: Engine, subscriber: Subscriber, item: WorkItem) -> None:
    cut, recorder = engine.cut, engine.recorder
    engine.current = item
    engine.worked = True
    prefix = cut.prefix if cut is not None else None
    if not prefix:
        engine.budget.consume("max_behavior_calls")
    invocation = Invocation(engine, subscriber, item.event, prefix=prefix)
    try:
        invocation.execute()
    except BaseException as error:
        # Nothing after the last commit is written, and memory is ahead of it from here on.
        recorder.step.clear()
        if engine.log.failure is None:
            engine.log.failure = error
        raise
    finally:
        engine.current = None
    engine.cut = None
    if invocation.patches_applied:
        engine.budget.consume("max_patches", invocation.patches_applied)
    recorder.commit_step(engine.step_sync)


def _says_stop(engine: Engine, predicate: Predicate) -> bool:
    try:
        stop = bool(predicate(engine.graph))
    except BaseException:
        _stop(engine, "runtime.paused", None)
        raise
    if stop:
        _stop(engine, "runtime.paused", None)
    return stop


def _stop(
    engine: Engine,
    type: str,
    item: WorkItem | None,
    *,
    turn: Subscriber | None = None,
    exhausted_by: str | None = None,
) -> None:
    """Write down that the loop has stopped and how far it got, unless the log says so already."""
    if engine.worked or engine.last_stop != (type, exhausted_by):
        payload: dict[str, Any] = {}
        if exhausted_by is not None:
            payload["exhausted_by"] = exhausted_by
        payload["snapshot"] = engine.budget.snapshot()
        ids = engine.writer.ids
        if type != "runtime.idle":
            payload["next"] = _next(engine, item, turn)
        event = make_event(
            ids.event() if type == "runtime.idle" else ids.stop(),
            type,
            encode_payload_bytes(payload),
            "runtime",
            engine.frame_id,
            None,
            engine.writer.clock.now(),
            canonical=True,
        )
        engine.recorder.record(event)
        engine.last_stop = (type, exhausted_by)
        engine.worked = False
        what = "run idle" if type == "runtime.idle" else f"run stopped: budget {exhausted_by}"
        if type != "runtime.paused":
            _logger.info(what, extra={"run_id": engine.run_id})
    engine.recorder.commit_step(engine.host_sync)


def _next(engine: Engine, item: WorkItem | None, turn: Subscriber | None) -> dict[str, Any]:
    if item is None:
        return {"event_id": engine.last_taken, "finished": True, "turn": None}
    place = None
    if turn is not None:
        place = {"behavior": turn.name, "ordinal": turn.ordinal or 0, "event_id": item.event.id}
    return {"event_id": item.event.id, "finished": False, "turn": place}


def _causal_depth(engine: Engine, item: WorkItem) -> int | None:
    if item.depth is None and engine.budget.limits["max_depth"] != float("inf"):
        depth, cause = 0, item.event.caused_by
        while cause is not None and (event := engine.log.get(cause)) is not None:
            depth, cause = depth + 1, event.caused_by
        item.depth = depth
    return item.depth


def _check_runnable(engine: Engine, operation: str) -> None:
    if engine.closed:
        raise IncompatibleRuntimeState(
            f"the runtime of run {engine.run_id!r} is closed",
            what_failed=f"`{operation}` on a runtime that was closed, or whose graph another runtime has taken over.",
            why="A closed runtime no longer hears of the graph's changes.",
            how_to_fix=f"Runtime.load(url, run_id={engine.run_id!r}), or use the runtime that was built last.",
            context={"run_id": engine.run_id, "operation": operation},
        )
    if engine.log.failure is not None:
        raise stopped_error(engine.run_id, engine.log.failure)
    if engine.running or engine.recorder.runner is not None or engine.recorder.transactions:
        raise IncompatibleRuntimeState(
            f"`{operation}` was called while run {engine.run_id!r} is working",
            what_failed=f"`{operation}` from a behavior, a listener, another thread or an open `graph.transaction()`.",
            why="Events are dispatched one after the other by one loop; a second one inside it would change their order.",
            how_to_fix="Emit an event and let the running loop dispatch it, or call again when the first call has returned.",
            context={"run_id": engine.run_id, "operation": operation},
        )
