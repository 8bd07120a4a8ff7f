"""Run-level functions over URLs: what programs and the command line call without opening a handle."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any

from activegraph.core.codec import check_header
from activegraph.core.event import Event
from activegraph.errors import NonSerializableEventError, RunNotFoundError, StorageError
from activegraph.store.base import EventStore, ForkResult, RunRecord
from activegraph.store.forking import fork_stored_run
from activegraph.store.registry import backend_of
from activegraph.store.url import StoreURL, parse_store_url

__all__ = [
    "advice_naming",
    "can_be_run_id",
    "fork_run",
    "get_run",
    "list_runs",
    "most_recent_run_id",
    "open_store",
    "run_not_found",
]


def open_store(url: str, run_id: str, *, read_only: bool = False) -> EventStore:
    """A handle on one run of the store at `url`; the driver is imported only now.

    Raises:
        InvalidStoreURL: The text names no store.
        MissingOptionalDependency: The scheme's distribution is not installed.
        StoreNotFoundError, StoreUnavailableError, SchemaVersionMismatch: It cannot be opened.
    """
    parsed = parse_store_url(url)
    return backend_of(parsed).open(parsed, run_id, read_only=read_only)


def list_runs(url: str) -> list[RunRecord]:
    """All runs of a store, by `created_at`, then id. Nothing is created or written.

    Raises:
        InvalidStoreURL: The text names no store.
        StoreNotFoundError: There is nothing at this address.
    """
    parsed = parse_store_url(url)
    return backend_of(parsed).list_runs(parsed)


def most_recent_run_id(url: str) -> str | None:
    """The run that was appended to last; None for a store without runs."""
    parsed = parse_store_url(url)
    return backend_of(parsed).most_recent_run_id(parsed)


def get_run(url: str, run_id: str) -> RunRecord:
    """The record of one run.

    Raises:
        RunNotFoundError: The store has no such run; the message names some that it has.
    """
    parsed = parse_store_url(url)
    backend = backend_of(parsed)
    if not can_be_run_id(run_id):
        raise run_not_found(parsed, run_id)
    with closing(backend.open(parsed, run_id, read_only=True)) as store:
        look: Any = getattr(store, "get_run", None)
        record: RunRecord | None = None if look is None else look()
    if look is None:
        record = next((known for known in backend.list_runs(parsed) if known.run_id == run_id), None)
    if record is None:
        raise run_not_found(parsed, run_id)
    return record


def can_be_run_id(text: str) -> bool:
    """Whether a run can have this id; a handle on anything else is refused as if it were to be written."""
    try:
        check_header("run_id", text)
    except NonSerializableEventError:
        return False
    return True


def run_not_found(url: StoreURL, run_id: str | None) -> RunNotFoundError:
    """The error for an unknown run, with up to five that exist."""
    known = [record.run_id for record in backend_of(url).list_runs(url)]
    if run_id is None:
        summary = f"no runs found in {url.safe}"
    else:
        summary = f"no run {run_id!r} in {url.safe}"
    some = ", ".join(known[-5:]) if known else "none"
    return RunNotFoundError(
        summary,
        what_failed=f"Looking for {'any run' if run_id is None else f'run {run_id!r}'} in {url.safe}.",
        why="A read never creates a run.",
        how_to_fix=f"Runs there: {some}{nearest(run_id, known)}",
        context={"run_id": run_id, "url": url.safe},
    )


def nearest(name: str | None, known: list[str]) -> str:
    """A hint at the most similar name, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name if isinstance(name, str) else "", known, n=1)
    return f"\nDid you mean {close[0]}?" if close else ""


@contextmanager
def advice_naming(url: StoreURL) -> Iterator[None]:
    """Errors inside the block advise with this URL: a handle does not know its own, and advice is to be pasted."""
    try:
        yield
    except StorageError as error:
        error.how_to_fix = error.how_to_fix.replace("<url>", shlex.quote(url.safe))
        raise


def fork_run(
    url: str,
    *,
    run_id: str,
    at_event: str,
    label: str | None = None,
    to_url: str | None = None,
    new_run_id: str | None = None,
    pack_settings: Mapping[str, Mapping[str, Any]] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> ForkResult:
    """A new, dormant run that begins with another's events up to and including `at_event`.

    Args:
        to_url: Another store to make it in; default the same one.
        new_run_id: Default a fresh ULID.
        pack_settings: Settings to override in the fork, by pack; nested dicts for nested models.
        on_progress: Called now and then with the number of events copied into another store, and of those
            that the parent holds.

    Raises:
        RunNotFoundError, EventNotFoundError, RunExistsError: Nothing was created.
        CorruptedEventPayloadError, LogInconsistencyError: What is copied into another store cannot be read;
            nothing was created. Within one store the database copies, and nothing is looked at.
        InvalidRuntimeConfiguration: A setting that the run's packs do not have; nothing was created.
    """
    source = parse_store_url(url)
    target = source if to_url is None else parse_store_url(to_url)
    parent = get_run(url, run_id)
    extra_events: Sequence[Event] = ()
    if pack_settings:
        # The packs stand above the stores, and know what their settings may be.
        overrides = import_module("activegraph.packs.overrides")
        extra_events = overrides.override_events(url, run_id, at_event, pack_settings)
    with advice_naming(source):
        return fork_stored_run(
            source,
            target,
            parent,
            at_event=at_event,
            label=label,
            new_run_id=new_run_id,
            extra_events=extra_events,
            on_progress=on_progress,
        )
