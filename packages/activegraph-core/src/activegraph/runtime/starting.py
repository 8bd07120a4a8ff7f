"""How a run begins: with a goal, or from a log that was left."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from activegraph.core.changes import Stamp
from activegraph.core.clock import Clock
from activegraph.core.codec import check_header, encode_payload_bytes
from activegraph.core.graph import Graph
from activegraph.core.log_lines import say
from activegraph.errors import RunNotFoundError
from activegraph.runtime.arguments import checked_behaviors, checked_durability, checked_frame
from activegraph.runtime.budget import Budget
from activegraph.runtime.carry_over import RecordedUse
from activegraph.runtime.engine import Engine
from activegraph.runtime.loading import LoadedRun, load_run
from activegraph.runtime.measures import measures_of
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.owed import Owed
from activegraph.runtime.saving import store_url

if TYPE_CHECKING:
    from activegraph.store.base import EventStore

__all__ = [
    "adopt_frame",
    "emit_goal",
    "load_with_use",
    "log_forked",
    "log_loaded",
    "new_engine",
    "open_recorded_run",
    "resume_engine",
]

_logger = logging.getLogger("activegraph.runtime")


def new_engine(
    graph: Graph,
    options: CallOptions,
    metrics: Any,
    *,
    behaviors: Any,
    frame: Any,
    policy: Any,
    budget: Mapping[str, Any] | Budget | None,
    seed: int,
    durability: str,
) -> Engine:
    """The engine of a new runtime, which the graph does not know of yet.

    Raises:
        InvalidRuntimeConfiguration, InvalidArgumentType: Arguments that make no sense.
    """
    checked_frame(frame)
    engine = Engine(
        graph,
        behaviors=None if behaviors is None else checked_behaviors(behaviors),
        frame=frame,
        policy=policy,
        budget=budget if isinstance(budget, Budget) else Budget(budget),
        seed=seed,
        durability=checked_durability(durability),
        options=options,
    )
    engine.measures = measures_of(metrics, graph.run_id)
    return engine


def emit_goal(engine: Engine, goal: str, actor: str) -> None:
    """Record the goal with the run, restart the budget's seconds and emit `goal.created`."""
    stamp = Stamp(check_header("actor", actor), None, engine.frame_id)
    payload = encode_payload_bytes({"goal": goal})
    now = engine.writer.now()
    engine.budget.start()
    engine.facts.set_goal(goal)
    engine.recorder.record(engine.writer.event("goal.created", payload, stamp, now))
    engine.recorder.commit_step(engine.step_sync)


def adopt_frame(frame: Any, loaded: LoadedRun) -> None:
    """A frame that is passed again without its id is the one that the run had."""
    if frame is not None and checked_frame(frame) is None and loaded.frame_id is not None:
        frame.id = loaded.frame_id


def load_with_use(store: EventStore, clock: Clock | None, budget: Budget) -> LoadedRun:
    """Rebuild a run; a budget that carries over is charged with what the log records."""
    if not budget.carry_over:
        return load_run(store, clock=clock)
    use = RecordedUse()
    loaded = load_run(store, clock=clock, readers=(use.see,))
    use.charge(budget, loaded.scan)
    return loaded


def open_recorded_run(path: str | os.PathLike[str], run_id: str | None) -> tuple[str, EventStore]:
    """Open a stored run for going on with it, and its URL; nothing is created where there is none.

    Raises:
        StoreNotFoundError, RunNotFoundError: There is no such store or run.
    """
    from activegraph.store.runs import get_run, most_recent_run_id, open_store
    from activegraph.store.url import safe_url

    url = store_url(path)
    chosen = most_recent_run_id(url) if run_id is None else get_run(url, run_id).run_id
    if chosen is None:
        raise RunNotFoundError(
            f"no runs in {safe_url(url)}",
            what_failed=f"Loading the most recent run of {safe_url(url)}.",
            why="The store holds no run yet.",
            how_to_fix=f"Record one first: Runtime(graph, persist_to={safe_url(url)!r})",
            context={"run_id": None, "url": safe_url(url)},
        )
    return url, open_store(url, chosen)


def resume_engine(engine: Engine, loaded: LoadedRun, url: str | None) -> None:
    """Give a fresh engine what the log says: ticks, the last stop, what is owed and what was cut off.

    Args:
        url: Where the store was opened; it belongs to the engine from now on.
    """
    scan = loaded.scan
    engine.tick = scan.tick
    engine.last_stop = scan.last_stop
    engine.worked = scan.worked and scan.last_stop is not None and scan.last_stop[0] == "runtime.idle"
    engine.last_taken = scan.last_taken
    engine.owed = Owed(scan)
    engine.count_waiting()
    engine.approvals = loaded.approvals
    engine.pack_events = loaded.pack_events
    engine.cut = loaded.cut
    record = loaded.record
    engine.facts.loaded(*(None, 0) if record is None else (record.goal, record.setup_count or 0))
    engine.log.attach(loaded.store)
    engine.owned, engine.url = loaded.store, url
    engine.outside.look_into_log(url)
    with engine.log.lock:
        engine.publish()


def log_loaded(engine: Engine) -> None:
    """The INFO line of a run that was loaded."""
    say(
        _logger,
        logging.INFO,
        "run loaded: %d events, %d owed",
        engine.log.head,
        engine.queue_depth(),
        run_id=engine.run_id,
    )


def log_forked(engine: Engine, parent: str, at_event: str) -> None:
    """The INFO line of a run that was forked."""
    say(_logger, logging.INFO, "run forked: %s at %s -> %s", parent, at_event, engine.run_id, run_id=engine.run_id)
