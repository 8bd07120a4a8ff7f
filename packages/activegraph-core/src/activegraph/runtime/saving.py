"""Puts a run under a store: opens it, records the run, writes what the graph holds already."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from activegraph.core.attaching import attach_store
from activegraph.core.log import LogStore
from activegraph.errors import IncompatibleRuntimeState, InvalidRuntimeConfiguration, InvalidStoreURL
from activegraph.runtime.arguments import checked_path

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["close_run", "put_under_store", "save_state", "store_url"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")


def store_url(path: str | os.PathLike[str]) -> str:
    """`path` as a store URL; a bare path means a SQLite file."""
    from activegraph.store.url import sqlite_url

    text = checked_path(path, "path")
    return text if _SCHEME.match(text) else sqlite_url(text)


def put_under_store(engine: Engine, path: str | os.PathLike[str] | None, store: EventStore | None) -> None:
    """Put the run of a new runtime under the store at `path`, or under `store`, or record it where it is.

    Where this raises, the graph is as it was, and a store that was opened is closed again.
    """
    log = engine.log
    if log.is_closed:
        raise IncompatibleRuntimeState(
            f"the store of run {engine.run_id!r} is closed",
            what_failed="Building a runtime on a graph whose earlier runtime was closed, and its store with it.",
            why="What happens to the graph from now on could not be recorded.",
            how_to_fix=f"Runtime.load(url, run_id={engine.run_id!r})",
            context={"run_id": engine.run_id},
        )
    if path is not None:
        _open_under(engine, path)
    elif store is not None:
        attach_store(log, engine.recorder, store, engine.attaching)
    elif log.store is not None:
        engine.attaching(log.store)


def save_state(engine: Engine, path: str | os.PathLike[str] | None) -> str:
    """Make the run durable; opens a store at `path` if there is none yet.

    Returns:
        The store's path, its masked URL, or `"<in-memory>"`.

    Raises:
        InvalidRuntimeConfiguration: No store and no path, or another path than the store's.
        InvalidArgumentType: `path` is neither a path nor a URL.
    """
    log = engine.log
    path = None if path is None else checked_path(path, "path")
    if log.store is None:
        if path is None:
            raise InvalidRuntimeConfiguration(
                f"run {engine.run_id!r} has no store, so `save_state` needs a path",
                what_failed="`save_state()` without a path on a runtime without a store.",
                why="There is nowhere to write to.",
                how_to_fix='runtime.save_state("run.db")',
                context={"run_id": engine.run_id},
            )
        _open_under(engine, path)
        if log.failure is None and engine.host_sync:
            log.flush()
        return path
    where = _where(log.store)
    if path is not None and not _same_place(log.store, path):
        from activegraph.store.url import safe_url

        asked = safe_url(path)
        raise InvalidRuntimeConfiguration(
            f"run {engine.run_id!r} is stored at {where}, not at {asked}",
            what_failed=f"`save_state({asked!r})` on a runtime whose store is {where}.",
            why="A run has one log; saving it elsewhere would make a second one.",
            how_to_fix="Call `save_state()` without a path, or copy the run with `activegraph migrate`.",
            context={"run_id": engine.run_id},
        )
    if log.failure is None and not log.is_closed:
        log.flush()
    return where


def close_run(engine: Engine) -> None:
    """Detach a runtime from its graph, flush, and close the store that a runtime of this graph opened."""
    if engine.closed and engine.owned is None:
        return
    engine.check_callable("close")
    engine.detach()
    try:
        if engine.log.failure is None and engine.host_sync:
            engine.log.flush()
    finally:
        _close_owned(engine)


def _close_owned(engine: Engine) -> None:
    """Close the store that is ours; the graph reads it anew where it has to."""
    store, url, run_id = engine.owned, engine.url, engine.run_id
    if store is None or url is None:
        return

    def reopen() -> LogStore:
        from activegraph.store.runs import open_store

        return open_store(url, run_id, read_only=True)

    engine.owned = None
    store.close()
    engine.log.close(reopen)


def _open_under(engine: Engine, path: str | os.PathLike[str]) -> None:
    from activegraph.store.runs import open_store

    url = store_url(path)
    store = open_store(url, engine.run_id)
    try:
        attach_store(engine.log, engine.recorder, store, engine.attaching)
    except BaseException:
        store.close()
        raise
    engine.url, engine.owned = url, store


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

    try:
        given = parse_store_url(store_url(text)).sqlite_path
    except InvalidStoreURL:
        return False
    return given is not None and os.path.abspath(given) == os.path.abspath(os.fspath(own))
