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
from activegraph.runtime.engine import Engine, closed_error
from activegraph.runtime.queue import WorkItem
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.runtime.turns import Turn, dispatch, invoke_again

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
    queue, budget, recorder = engine.queue, engine.budget, engine.recorder
    while True:
        item = queue[0] if queue else None
        if item is None or not item.taken:
            if not budget.remaining():
                _stop(engine, "runtime.budget_exhausted", None)
                return
            if item is None:
                _stop(engine, "runtime.idle", None)
                return
            if predicate is not None and _says_stop(engine, predicate):
                return
            _take(engine, item)
        turn = dispatch(engine, subscriptions, item)
        if recorder.step:
            recorder.commit_step(engine.step_sync)
        if turn is not None:
            _stop(engine, "runtime.budget_exhausted", turn)
            return
        queue.popleft()


def finish_cut_off(engine: Engine, subscriptions: Subscriptions) -> None:
    """Execute the invocation that a crash cut off again, against what it had recorded."""
    cut = engine.cut
    if cut is None:
        return
    if subscriptions.named(cut.behavior, cut.ordinal) is None or not engine.queue:
        raise IncompatibleRuntimeState(
            f"run {engine.run_id!r} was cut off inside behavior {cut.behavior!r}, which is not registered",
            what_failed=f"Going on with run {engine.run_id!r}: {cut.behavior!r} on event {cut.event_id!r} has no outcome in the log.",
            why="An invocation that was cut off is executed again against what it had recorded, so its behavior has to be there.",
            how_to_fix=f"Register {cut.behavior!r} (import its module, or pass `behaviors=`), then run again.",
            context={"run_id": engine.run_id, "behavior": cut.behavior, "event_id": cut.event_id},
        )
    invoke_again(engine, subscriptions, cut)


def _take(engine: Engine, item: WorkItem) -> None:
    item.taken = True
    engine.worked = True
    engine.last_taken = item.event.id
    if not item.internal:
        engine.budget.consume("max_events")
    depth = _causal_depth(engine, item)
    if depth is not None:
        engine.budget.reach("max_depth", depth)


def _says_stop(engine: Engine, predicate: Predicate) -> bool:
    try:
        stop = bool(predicate(engine.graph))
    except BaseException:
        _stop(engine, "runtime.paused", None)
        raise
    if stop:
        _stop(engine, "runtime.paused", None)
    return stop


def _stop(engine: Engine, type: str, turn: Turn | None) -> None:
    """Write down that the loop has stopped and how far it got, unless the log says so already."""
    exhausted_by = engine.budget.exhausted_by() if type == "runtime.budget_exhausted" else None
    if engine.worked or engine.last_stop != (type, exhausted_by):
        payload: dict[str, Any] = {}
        if exhausted_by is not None:
            payload["exhausted_by"] = exhausted_by
        payload["snapshot"] = engine.budget.snapshot()
        ids = engine.writer.ids
        if type != "runtime.idle":
            payload["next"] = _next(engine, turn)
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


def _next(engine: Engine, turn: Turn | None) -> dict[str, Any]:
    """How far the order of work has got: the last event taken, and the turn at which it stopped."""
    place = None if turn is None else {"behavior": turn.behavior, "ordinal": turn.ordinal, "event_id": turn.event_id}
    return {"event_id": engine.last_taken, "finished": turn is None, "turn": place}


def _causal_depth(engine: Engine, item: WorkItem) -> int | None:
    if item.depth is None and engine.budget.limits["max_depth"] != float("inf"):
        depth, cause = 0, item.event.caused_by
        while cause is not None and (event := engine.log.get(cause)) is not None:
            depth, cause = depth + 1, event.caused_by
        item.depth = depth
    return item.depth


def _check_runnable(engine: Engine, operation: str) -> None:
    if engine.closed:
        raise closed_error(engine.run_id, operation)
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
