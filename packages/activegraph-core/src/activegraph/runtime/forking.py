"""Forks: a new run that begins with another run's events up to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.ids import IDGen
from activegraph.errors import IncompatibleRuntimeState

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["fork_in_store"]


def fork_in_store(
    engine: Engine, at_event: str, label: str | None, pack_settings: Mapping[str, Mapping[str, Any]] | None = None
) -> EventStore:
    """Copy the run's events up to and including `at_event` into a new run of the same store, and open it.

    Args:
        pack_settings: Settings that the new run is to have, recorded in it behind what is copied.

    Raises:
        InvalidRuntimeConfiguration: Settings that the run's packs do not have; no run is created.
        IncompatibleRuntimeState: There is no store, or one that cannot fork.
        EventNotFoundError: The run has no such event; no run is created.
    """
    store: Any = engine.log.store
    sibling = getattr(store, "open_sibling", None)
    fork_run = getattr(type(store), "fork_run", None)
    if store is not None and sibling is not None and fork_run is not None:
        new_run_id = IDGen().run()
        extra = {"extra_events": _overrides(engine, at_event, pack_settings)} if pack_settings else {}
        fork_run(
            store.target,
            parent_run_id=engine.run_id,
            new_run_id=new_run_id,
            at_event_id=at_event,
            label=label,
            created_at=Clock().now(),
            **extra,
        )
        opened: EventStore = sibling(new_run_id)
        return opened
    if engine.url is not None:
        return _fork_by_url(engine.url, engine.run_id, at_event, label, pack_settings)
    kind = "none" if store is None else type(store).__name__
    raise IncompatibleRuntimeState(
        f"run {engine.run_id!r} cannot be forked: {'it has no store' if store is None else kind + ' cannot fork'}",
        what_failed=f"`fork(at_event={at_event!r})` of run {engine.run_id!r}.",
        why="A fork is a new run in the same store, so there must be a store that holds several runs.",
        how_to_fix='Runtime(graph, persist_to="sqlite:///run.db"), or `save_state("run.db")` first.',
        context={"run_id": engine.run_id, "current_store_kind": kind},
    )


def _overrides(engine: Engine, at_event: str, pack_settings: Mapping[str, Mapping[str, Any]]) -> list[Event]:
    """The events of other settings, checked by the packs that this runtime has, or that are installed."""
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


def _fork_by_url(
    url: str, run_id: str, at_event: str, label: str | None, pack_settings: Mapping[str, Mapping[str, Any]] | None
) -> EventStore:
    from activegraph.store import fork_run, open_store

    made = fork_run(url, run_id=run_id, at_event=at_event, label=label, pack_settings=pack_settings)
    return open_store(url, made.new_run_id)
