"""Run-level functions over URLs: what programs and the command line call without opening a handle."""

from __future__ import annotations

from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.ids import IDGen
from activegraph.errors import IncompatibleRuntimeState, RunExistsError, RunNotFoundError
from activegraph.store.base import EventStore, ForkResult, RawEvent, RunRecord
from activegraph.store.memory import unknown_event
from activegraph.store.registry import backend_for
from activegraph.store.url import StoreURL, parse_store_url

__all__ = ["fork_run", "get_run", "list_runs", "most_recent_run_id", "open_store"]


def open_store(url: str, run_id: str, *, read_only: bool = False) -> EventStore:
    """A handle on one run of the store at `url`; the driver is imported only now.

    Raises:
        InvalidStoreURL: The text names no store.
        MissingOptionalDependency: The scheme's distribution is not installed.
        StoreNotFoundError, StoreUnavailableError, SchemaVersionMismatch: It cannot be opened.
    """
    parsed = parse_store_url(url)
    return backend_for(parsed.scheme, url).open(parsed, run_id, read_only=read_only)


def list_runs(url: str) -> list[RunRecord]:
    """All runs of a store, by `created_at`, then id."""
    parsed = parse_store_url(url)
    return backend_for(parsed.scheme, url).list_runs(parsed)


def most_recent_run_id(url: str) -> str | None:
    """The run that was appended to last; None for a store without runs."""
    parsed = parse_store_url(url)
    return backend_for(parsed.scheme, url).most_recent_run_id(parsed)


def get_run(url: str, run_id: str) -> RunRecord:
    """The record of one run.

    Raises:
        RunNotFoundError: The store has no such run; the message names some that it has.
    """
    with open_store(url, run_id, read_only=True) as store:  # type: ignore[attr-defined]  # stores are context managers
        look = getattr(store, "get_run", None)
        record: RunRecord | None = look() if look is not None else None
    if record is None:
        raise run_not_found(parse_store_url(url), run_id)
    return record


def run_not_found(url: StoreURL, run_id: str | None) -> RunNotFoundError:
    """The error for an unknown run, with up to five that exist."""
    known = [record.run_id for record in backend_for(url.scheme, url.raw).list_runs(url)]
    if run_id is None:
        summary = f"no runs found in {url.safe}"
    else:
        summary = f"no run {run_id!r} in {url.safe}"
    some = ", ".join(known[-5:]) if known else "none"
    return RunNotFoundError(
        summary,
        what_failed=f"Looking for run {run_id!r} in {url.safe}." if run_id else f"Looking for any run in {url.safe}.",
        why="A read never creates a run.",
        how_to_fix=f"Runs there: {some}{nearest(run_id, known)}",
        context={"run_id": run_id, "url": url.safe},
    )


def nearest(name: str | None, known: list[str]) -> str:
    """A hint at the most similar name, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name or "", known, n=1)
    return f"\nDid you mean {close[0]}?" if close else ""


def fork_run(
    url: str,
    *,
    run_id: str,
    at_event: str,
    label: str | None = None,
    to_url: str | None = None,
    new_run_id: str | None = None,
) -> ForkResult:
    """A new, dormant run that begins with another's events up to and including `at_event`.

    Args:
        to_url: Another store to make it in; default the same one.
        new_run_id: Default a fresh ULID.

    Raises:
        RunNotFoundError, EventNotFoundError, RunExistsError: Nothing was created.
    """
    source = parse_store_url(url)
    target = source if to_url is None else parse_store_url(to_url)
    record = get_run(url, run_id)
    new_id = IDGen().run() if new_run_id is None else new_run_id
    created_at = Clock().now()
    if same_store(source, target):
        fork: Any = getattr(backend_for(source.scheme, url), "fork_run", None)
        if fork is None:
            raise _cannot("fork_run", source)
        copied = fork(
            source,
            parent_run_id=run_id,
            new_run_id=new_id,
            at_event_id=at_event,
            label=label,
            created_at=created_at,
        )
    else:
        copied = _copy_prefix(source, target, record, at_event, label, new_id, created_at)
    return ForkResult(run_id, new_id, at_event, label, copied, target.safe)


def _copy_prefix(
    source: StoreURL,
    target: StoreURL,
    parent: RunRecord,
    at_event: str,
    label: str | None,
    new_run_id: str,
    created_at: str,
) -> int:
    importer: Any = getattr(backend_for(target.scheme, target.raw), "import_run", None)
    if importer is None:
        raise _cannot("import_run", target)
    with open_store(source.raw, parent.run_id, read_only=True) as store:  # type: ignore[attr-defined]  # as above
        prefix: list[RawEvent] = []
        for row in store.iter_raw():
            prefix.append(row)
            if row.id == at_event:
                break
        else:
            raise unknown_event(at_event, parent.run_id, "fork", source.scheme)
    if _exists(target, new_run_id):
        raise RunExistsError(
            f"run {new_run_id!r} exists already",
            what_failed=f"Forking into run {new_run_id!r} of {target.safe}. Nothing was changed.",
            why="A run id names one history.",
            how_to_fix="Leave the new run's id out, so that a fresh one is drawn.",
            context={"run_id": new_run_id},
        )
    setup = None if parent.setup_count is None else min(parent.setup_count, len(prefix))
    record = RunRecord(
        new_run_id, parent.run_id, at_event, label, created_at, parent.goal, parent.frame_id, setup_count=setup
    )
    importer(target, record, prefix)
    return len(prefix)


def _exists(url: StoreURL, run_id: str) -> bool:
    from activegraph.errors import StoreNotFoundError

    try:
        return any(record.run_id == run_id for record in backend_for(url.scheme, url.raw).list_runs(url))
    except StoreNotFoundError:
        return False


def same_store(a: StoreURL, b: StoreURL) -> bool:
    """Whether two URLs name one store, in whatever spelling."""
    import os

    if a.scheme != b.scheme:
        return False
    if a.sqlite_path is not None and b.sqlite_path is not None:
        return os.path.realpath(a.sqlite_path) == os.path.realpath(b.sqlite_path)
    return a.raw == b.raw


def _cannot(operation: str, url: StoreURL) -> IncompatibleRuntimeState:
    return IncompatibleRuntimeState(
        f"the {url.scheme} store cannot {operation}",
        what_failed=f"`{operation}` on {url.safe}.",
        why="It is an optional capability of a store backend.",
        how_to_fix="Use a SQLite or PostgreSQL store, or add the method to the backend.",
        context={"current_store_kind": url.scheme, "operation": operation},
    )
