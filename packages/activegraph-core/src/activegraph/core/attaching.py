"""Puts a store under the log of a graph, once both are known to hold the same events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from activegraph.core.event import canonical_payload
from activegraph.core.log import RunLog
from activegraph.core.recorder import Recorder
from activegraph.errors import IncompatibleRuntimeState, InvalidArgumentType
from activegraph.errors.base import shown

if TYPE_CHECKING:
    from activegraph.core.event import Event
    from activegraph.store.base import EventStore

__all__ = ["append_backlog", "attach_store"]


def attach_store(
    log: RunLog, recorder: Recorder, store: EventStore, record: Callable[[EventStore], None] | None = None
) -> None:
    """Attach `store` to a log, writing what the log holds into an empty one.

    Args:
        record: Writes what else belongs to the run, in the transaction of the backlog where the
            store knows transactions. Default: what the graph's runtime, if it has one, has to say.

    Raises:
        IncompatibleRuntimeState: Another store is attached, or `store` holds other events.
        InvalidArgumentType: `store` is none.
    """
    if log.store is store:
        return
    if log.store is not None:
        raise IncompatibleRuntimeState(
            f"run {recorder.run_id!r} is attached to another store already",
            what_failed=f"Attaching a second store to the graph of run {recorder.run_id!r}.",
            why="A run has one log; two stores would each hold a part of it.",
            how_to_fix="Use `activegraph migrate` (or `save_state` on a graph without a store) to copy a run.",
            context={"run_id": recorder.run_id},
        )
    _check_store(store)
    stored = store.count()
    if store.run_id != recorder.run_id or (stored and not _holds(store, log)):
        raise IncompatibleRuntimeState(
            f"the store of run {store.run_id!r} does not fit the graph of run {recorder.run_id!r}",
            what_failed=f"Attaching a store that holds {stored} events of run {store.run_id!r} "
            f"to a graph with {log.head} events.",
            why="A graph is the projection of its log, so a log with other events cannot be put under it.",
            how_to_fix=f"Load the stored run with `Runtime.load(url, run_id={store.run_id!r})`, or attach an empty store of this run.",
            context={"run_id": recorder.run_id, "store_run_id": store.run_id},
        )
    backlog = [] if stored else list(log.read())
    if record is None and recorder.observer is not None:
        record = recorder.observer.attaching
    with _transaction_of(store):
        if record is not None:
            record(store)
        if backlog:
            append_backlog(store, backlog)
    log.attach(store)


def _check_store(store: object) -> None:
    if hasattr(store, "run_id") and all(callable(getattr(store, name, None)) for name in ("append", "count")):
        return
    raise InvalidArgumentType(
        f"a store is an open EventStore, not {type(store).__name__}",
        what_failed=f"Attaching {shown(store)} to a graph as its store.",
        why="What happens to the graph is appended to it.",
        how_to_fix='Runtime(graph, persist_to="sqlite:///run.db"), or open it first:\n'
        '    store=open_store("sqlite:///run.db", graph.run_id)',
        context={"argument": "store", "type": type(store).__name__},
    )


def _transaction_of(store: EventStore) -> AbstractContextManager[Any]:
    begin: Callable[[], AbstractContextManager[Any]] | None = getattr(store, "transaction", None)
    return nullcontext() if begin is None else begin()


def _holds(store: EventStore, log: RunLog) -> bool:
    """Whether the store's events of the run are the graph's own, one by one."""
    if store.count() != log.head:
        return False
    return all(
        (ours.id, ours.type, ours.actor, ours.frame_id, ours.caused_by, ours.timestamp)
        == (theirs.id, theirs.type, theirs.actor, theirs.frame_id, theirs.caused_by, theirs.timestamp)
        and canonical_payload(ours) == canonical_payload(theirs)
        for ours, theirs in zip(log.read(), store.iter_events(), strict=True)
    )


def append_backlog(store: EventStore, backlog: list[Event]) -> None:
    """Write a whole log into an empty store, in one transaction where the store can."""
    append_many: Callable[..., int] | None = getattr(store, "append_many", None)
    if append_many is not None:
        append_many(backlog, expected_count=0, sync=True)
        return
    for event in backlog:
        store.append(event)
