"""Forks: a new run that begins with another run's events up to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activegraph.core.clock import Clock
from activegraph.core.ids import IDGen
from activegraph.errors import IncompatibleRuntimeState

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["fork_in_store"]


def fork_in_store(engine: Engine, at_event: str, label: str | None) -> EventStore:
    """Copy the run's events up to and including `at_event` into a new run of the same store, and open it.

    Raises:
        IncompatibleRuntimeState: There is no store, or one that cannot fork.
        EventNotFoundError: The run has no such event; no run is created.
    """
    store: Any = engine.log.store
    sibling = getattr(store, "open_sibling", None)
    fork_run = getattr(type(store), "fork_run", None)
    if store is not None and sibling is not None and fork_run is not None:
        new_run_id = IDGen().run()
        fork_run(
            store.target,
            parent_run_id=engine.run_id,
            new_run_id=new_run_id,
            at_event_id=at_event,
            label=label,
            created_at=Clock().now(),
        )
        opened: EventStore = sibling(new_run_id)
        return opened
    if engine.url is not None:
        return _fork_by_url(engine.url, engine.run_id, at_event, label)
    kind = "none" if store is None else type(store).__name__
    raise IncompatibleRuntimeState(
        f"run {engine.run_id!r} cannot be forked: {'it has no store' if store is None else kind + ' cannot fork'}",
        what_failed=f"`fork(at_event={at_event!r})` of run {engine.run_id!r}.",
        why="A fork is a new run in the same store, so there must be a store that holds several runs.",
        how_to_fix='Runtime(graph, persist_to="sqlite:///run.db"), or `save_state("run.db")` first.',
        context={"run_id": engine.run_id, "current_store_kind": kind},
    )


def _fork_by_url(url: str, run_id: str, at_event: str, label: str | None) -> EventStore:
    from activegraph.store import fork_run, open_store

    made = fork_run(url, run_id=run_id, at_event=at_event, label=label)
    return open_store(url, made.new_run_id)
