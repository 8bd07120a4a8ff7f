"""Forks: a new run that begins with another run's events up to one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.ids import IDGen
from activegraph.errors import IncompatibleRuntimeState

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["fork_in_store", "override_events", "require_forkable"]


def require_forkable(engine: Engine, at_event: str) -> None:
    """Refuse a fork of a run that is in no store, or in one that cannot fork."""
    store = engine.log.store
    if _has_siblings(store) or engine.url is not None:
        return
    kind = "none" if store is None else type(store).__name__
    raise IncompatibleRuntimeState(
        f"run {engine.run_id!r} cannot be forked: {'it has no store' if store is None else kind + ' cannot fork'}",
        what_failed=f"`fork(at_event={at_event!r})` of run {engine.run_id!r}.",
        why="A fork is a new run in the same store, so there must be a store that holds several runs.",
        how_to_fix='Runtime(graph, persist_to="sqlite:///run.db"), or `save_state("run.db")` first.',
        context={"run_id": engine.run_id, "current_store_kind": kind},
    )


def fork_in_store(engine: Engine, at_event: str, label: str | None, extra_events: Sequence[Event] = ()) -> EventStore:
    """Copy the run's events up to and including `at_event` into a new run of the same store, and open it.

    Args:
        extra_events: Follow the copied ones, in the same transaction.

    Raises:
        IncompatibleRuntimeState: There is no store, or one that cannot fork.
        EventNotFoundError: The run has no such event; no run is created.
    """
    require_forkable(engine, at_event)
    store: Any = engine.log.store
    if not _has_siblings(store):
        return _fork_by_url(str(engine.url), engine.run_id, at_event, label, extra_events)
    new_run_id = IDGen().run()
    extra = {"extra_events": extra_events} if extra_events else {}
    type(store).fork_run(
        store.target,
        parent_run_id=engine.run_id,
        new_run_id=new_run_id,
        at_event_id=at_event,
        label=label,
        created_at=Clock().now(),
        **extra,
    )
    opened: EventStore = store.open_sibling(new_run_id)
    return opened


def _has_siblings(store: object) -> bool:
    """Whether other runs of the same store can be made and opened by a handle of one."""
    return store is not None and hasattr(store, "open_sibling") and hasattr(type(store), "fork_run")


def _fork_by_url(url: str, run_id: str, at_event: str, label: str | None, extra_events: Sequence[Event]) -> EventStore:
    from activegraph.store.forking import fork_stored_run
    from activegraph.store.runs import get_run, open_store
    from activegraph.store.url import parse_store_url

    place = parse_store_url(url)
    made = fork_stored_run(
        place, place, get_run(url, run_id), at_event=at_event, label=label, extra_events=extra_events
    )
    return open_store(url, made.new_run_id)


def override_events(
    engine: Engine, at_event: str, pack_settings: Mapping[str, Mapping[str, Any]] | None
) -> Sequence[Event]:
    """The events of a fork with other settings, checked by the packs that this runtime has, or that are installed.

    Raises:
        EventNotFoundError: The run has no such event.
        InvalidRuntimeConfiguration: Settings that the run's packs do not have.
    """
    if not pack_settings:
        return ()
    # Needed by few, and they bring the rooms of the stores along.
    from activegraph.packs.overrides import installed_schema, overrides_behind, packs_in_prefix
    from activegraph.store.refusals import unknown_event

    known = packs_in_prefix(engine.log.read(), at_event)
    if known is None:
        raise unknown_event(at_event, engine.run_id, "fork", type(engine.log.store).__name__)

    def schema_of(name: str, version: str) -> Any:
        attached = engine.packs.find(name)
        if attached is not None and attached.pack.version == version:
            return attached.pack.settings_schema
        return installed_schema(name, version)

    return overrides_behind(known, at_event, pack_settings, schema_of=schema_of, clock=engine.graph.clock)
