"""The loop: takes events from the queue and gives them to the behaviors that they match.

One thread, one queue, run to completion. A behavior is matched when its turn comes, so it sees
what earlier ones did, and a run that was stopped between two turns goes on at the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from activegraph.core.changes import Stamp
from activegraph.core.codec import encode_payload_bytes
from activegraph.core.graph import Graph
from activegraph.core.log_lines import say
from activegraph.core.refusals import stopped
from activegraph.errors import IncompatibleRuntimeState
from activegraph.runtime.depth import causal_depth
from activegraph.runtime.engine import Engine
from activegraph.runtime.in_doubt import refuse_doubt
from activegraph.runtime.pack_events import record_packs
from activegraph.runtime.queue import WorkItem
from activegraph.runtime.refusals import closed_error
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.runtime.turns import Turn, dispatch, invoke_again

__all__ = ["finish_cut_off", "go_on", "on_the_stack", "run_loop"]

_logger = logging.getLogger("activegraph.runtime")

Predicate = Callable[[Graph], Any]


@contextmanager
def on_the_stack(engine: Engine, operation: str) -> Iterator[Subscriptions]:
    """A `run_*` call: refused where it cannot be, and the only writer while it lasts.

    Raises:
        IncompatibleRuntimeState: The runtime is closed or stopped, or a run or transaction is open.
    """
    recorder, log = engine.recorder, engine.log
    if engine.closed:
        raise closed_error(engine.run_id, operation)
    if log.failure is not None:
        raise stopped(engine.run_id, log.failure) from log.failure
    recorder.take_stack(operation)
    try:
        subscriptions = engine.refresh_subscriptions()
        record_packs(engine)
        with log.lock:
            engine.running = True
            engine.publish()
        if engine.measures is not None:
            engine.measures.budget(engine.budget)
        yield subscriptions
    finally:
        recorder.leave_stack()
        if engine.measures is not None:
            engine.measures.queued(engine.queue_depth())
            engine.measures.budget(engine.budget)
        with log.lock:
            engine.running = False
            if log.failure is None:
                engine.publish()


def go_on(engine: Engine, subscriptions: Subscriptions, predicate: Predicate | None = None) -> None:
    """The loop of a call that brings no goal: the budget's seconds go on where they were."""
    if not engine.budget.started:
        engine.budget.start()
    run_loop(engine, subscriptions, predicate)


def run_loop(engine: Engine, subscriptions: Subscriptions, predicate: Predicate | None = None) -> None:
    """Work until the queue is empty, the budget is used up, or the predicate says stop."""
    finish_cut_off(engine, subscriptions)
    queue = engine.queue
    while True:
        item = queue[0] if queue else None
        if item is None or not item.taken:
            if not engine.budget.remaining():
                _stop(engine, "runtime.budget_exhausted", None)
                return
            if item is None:
                _stop(engine, "runtime.idle", None)
                return
            if predicate is not None and _says_stop(engine, predicate):
                return
        turn = _dispatch(engine, subscriptions, item)
        if turn is not None:
            _stop(engine, "runtime.budget_exhausted", turn)
            return


def _dispatch(engine: Engine, subscriptions: Subscriptions, item: WorkItem) -> Turn | None:
    """Give the first event of the queue to its behaviors; the turn at which the budget said no, if it did."""
    recorder = engine.recorder
    try:
        if not item.taken:
            _take(engine, item)
        turn = dispatch(engine, subscriptions, item)
        if recorder.step:
            recorder.commit_step(engine.step_sync)
        if turn is None:
            engine.queue.popleft()
            measures = engine.measures
            if measures is not None:
                # Whatever is queued inside a run is heard by somebody, so nothing has to be left out.
                measures.queued(len(engine.queue))
        return turn
    except BaseException as error:
        # An interrupt, wherever it came, or a store that failed: this event is half done here and owed in the log.
        recorder.stop(error)
        raise


def finish_cut_off(engine: Engine, subscriptions: Subscriptions) -> None:
    """Execute the invocation that a crash cut off again, against what it had recorded.

    Raises:
        IncompatibleRuntimeState: Its behavior is not registered, or a tool call of it is in doubt.
        ReplayDivergenceError: It did something else than it had recorded.
    """
    cut = engine.cut
    if cut is None:
        return
    refuse_doubt(engine)
    try:
        if invoke_again(engine, subscriptions, cut):
            return
    except BaseException as error:
        engine.recorder.stop(error)
        raise
    raise IncompatibleRuntimeState(
        f"run {engine.run_id!r} was cut off inside behavior {cut.behavior!r}, which is not registered",
        what_failed=f"Going on with run {engine.run_id!r}: {cut.behavior!r} on event {cut.event_id!r} has no outcome in the log.",
        why="An invocation that was cut off is executed again against what it had recorded, so its behavior has to be there, as it was.",
        how_to_fix=f"Register {cut.behavior!r} (import its module, or pass `behaviors=`), then run again.",
        context={"run_id": engine.run_id, "behavior": cut.behavior, "event_id": cut.event_id},
    )


def _take(engine: Engine, item: WorkItem) -> None:
    item.taken = True
    engine.worked = True
    engine.last_taken = item.record.id
    if not item.internal:
        budget = engine.budget
        budget.consume("max_events")
        if engine.measures is not None and budget.limits["max_events"] != inf:
            engine.measures.events_left(budget)
    if engine.recorder.informing and _logger.isEnabledFor(logging.DEBUG):
        engine.log_queue("pop", item)
    if item.depth is None:
        item.depth = causal_depth(engine.log, item.record, engine.depths)
    engine.budget.reach("max_depth", item.depth)


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
    if engine.log.failure is not None:
        raise engine.log.failure
    exhausted_by = engine.budget.exhausted_by() if type == "runtime.budget_exhausted" else None
    is_news = engine.worked or engine.last_stop != (type, exhausted_by)
    if is_news:
        payload: dict[str, Any] = {}
        if exhausted_by is not None:
            payload["exhausted_by"] = exhausted_by
        payload["snapshot"] = engine.budget.snapshot()
        if type != "runtime.idle":
            payload["next"] = _next(engine, turn)
        build = engine.writer.event if type == "runtime.idle" else engine.writer.stop
        stamp = Stamp("runtime", None, engine.frame_id)
        event = build(type, encode_payload_bytes(payload), stamp)
        try:
            engine.recorder.record(event)
            engine.last_stop = (type, exhausted_by)
            engine.worked = False
        except BaseException as error:
            # An interrupt: the next call would write the same again.
            engine.recorder.stop(error)
            raise
    engine.recorder.commit_step(engine.host_sync)
    if is_news and type != "runtime.paused":
        what = "run idle" if type == "runtime.idle" else f"run stopped: budget {exhausted_by}"
        say(_logger, logging.INFO, what, run_id=engine.run_id)


def _next(engine: Engine, turn: Turn | None) -> dict[str, Any]:
    """How far the order of work has got: the last event taken, and the turn at which it stopped."""
    place = None if turn is None else {"behavior": turn.behavior, "ordinal": turn.ordinal, "event_id": turn.event_id}
    return {"event_id": engine.last_taken, "finished": turn is None, "turn": place}
