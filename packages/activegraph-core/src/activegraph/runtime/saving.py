"""Puts a run under a store: records it, and writes what the graph holds already."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from activegraph.core.attaching import attach_store
from activegraph.core.clock import Clock
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration

if TYPE_CHECKING:
    from activegraph.core.log import LogStore
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["open_run_store", "put_under_store", "record_run", "save_state", "store_url"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")


def store_url(path: str | os.PathLike[str]) -> str:
    """`path` as a store URL; a bare path means a SQLite file."""
    from activegraph.store.url import sqlite_url

    text = os.fspath(path)
    return text if _SCHEME.match(text) else sqlite_url(text)


def open_run_store(path: str | os.PathLike[str], run_id: str) -> EventStore:
    """Open the store at a URL or a bare SQLite path for writing."""
    from activegraph.store.runs import open_store

    return open_store(store_url(path), run_id)


def put_under_store(graph: Graph, store: EventStore, *, setup_count: int) -> None:
    """Attach `store`, and record the run and how many events it held before its first runtime."""
    attach_store(graph._log, graph._recorder, store)
    record_run(store, graph, setup_count=setup_count)


def record_run(store: LogStore, graph: Graph, **fields: Any) -> None:
    """Write the run's record, where the store keeps any."""
    upsert = getattr(store, "upsert_run", None)
    get_run = getattr(store, "get_run", None)
    if upsert is None or get_run is None:
        return
    known = get_run()
    if known is not None and known.setup_count is not None:
        fields.pop("setup_count", None)
    # Not by the graph's clock, which is read once per event and for nothing else.
    created_at = Clock().now() if known is None else known.created_at
    upsert(created_at=created_at, **fields)


def save_state(engine: Engine, path: str | os.PathLike[str] | None) -> str:
    """Make the run durable; opens a store at `path` if there is none yet (runtime.md 14.1).

    Returns:
        The store's path, its masked URL, or `"<in-memory>"`.

    Raises:
        InvalidRuntimeConfiguration: No store and no path, or another path than the store's.
    """
    log = engine.log
    if log.store is None:
        if path is None:
            raise InvalidRuntimeConfiguration(
                f"run {engine.run_id!r} has no store, so `save_state` needs a path",
                what_failed="`save_state()` without a path on a runtime without a store.",
                why="There is nowhere to write to.",
                how_to_fix='runtime.save_state("run.db")',
                context={"run_id": engine.run_id},
            )
        setup_count = engine.setup_count
        store = open_run_store(path, engine.run_id)
        engine.url = store_url(path)
        attach_store(log, engine.recorder, store)
        record_run(store, engine.graph, setup_count=setup_count, goal=engine.goal, frame_id=engine.frame_id)
        engine.recorder.host_sync = engine.host_sync
        return os.fspath(path)
    where = _where(log.store)
    if path is not None and not _same_place(log.store, path):
        raise InvalidRuntimeConfiguration(
            f"run {engine.run_id!r} is stored at {where}, not at {os.fspath(path)}",
            what_failed=f"`save_state({os.fspath(path)!r})` on a runtime whose store is {where}.",
            why="A run has one log; saving it elsewhere would make a second one.",
            how_to_fix="Call `save_state()` without a path, or copy the run with `activegraph migrate`.",
            context={"run_id": engine.run_id},
        )
    if log.failure is None:
        log.flush()
    return where


def _where(store: Any) -> str:
    for name in ("path", "safe_url"):
        found = getattr(store, name, None)
        if isinstance(found, (str, os.PathLike)):
            return os.fspath(found)
    return "<in-memory>"


def _same_place(store: Any, path: str | os.PathLike[str]) -> bool:
    text = os.fspath(path)
    if text == _where(store):
        return True
    own = getattr(store, "path", None)
    if own is None:
        return text == getattr(store, "url", None)
    from activegraph.store.url import parse_store_url

    given = parse_store_url(store_url(text)).sqlite_path
    return given is not None and os.path.abspath(given) == os.path.abspath(os.fspath(own))
