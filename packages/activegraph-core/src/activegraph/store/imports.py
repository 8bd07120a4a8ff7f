"""Writes a run that was recorded elsewhere into a store, compared with what is there already.

Backends do it themselves where they can (`import_run` of `StoreBackend`); for others it is done
here, through the store's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from activegraph.core.codec import CodecError, decode_canonical, encode_value
from activegraph.core.event import NO_DIGEST, Event, canonical_payload, digest_of, event_as_read
from activegraph.errors import IncompatibleRuntimeState, LogInconsistencyError, NonSerializableEventError
from activegraph.store.base import EventStore, ImportResult, RawEvent, RunRecord
from activegraph.store.records import normalized_time
from activegraph.store.registry import backend_of
from activegraph.store.serde import corrupted
from activegraph.store.url import StoreURL

__all__ = [
    "canonical_text",
    "check_same_origin",
    "compare_existing",
    "conflict",
    "import_run",
    "not_offered",
    "text_to_store",
    "too_long",
]

_BATCH = 500

_FIELDS = ("type", "payload", "actor", "frame_id", "caused_by", "timestamp")


def import_run(url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
    """Write a run and its events in one transaction of the store at `url`, and sync it.

    Args:
        events: In order; positions are counted anew. `digest` None takes the next digest of the chain.

    Raises:
        LogInconsistencyError: Contents conflict with what is there (`reason` is `conflict`); nothing was written.
        IncompatibleRuntimeState: The store can neither import nor commit several appends together.
    """
    backend = backend_of(url)
    offered: Any = getattr(backend, "import_run", None)
    if offered is not None:
        result: ImportResult = offered(url, record, events)
        return result
    with closing(backend.open(url, record.run_id)) as store:
        transaction: Any = getattr(store, "transaction", None)
        if transaction is None:
            raise not_offered("import_run", url)
        with transaction():
            result = _import_through(store, record, events)
        append_many: Any = getattr(store, "append_many", None)
        if append_many is not None:
            append_many((), sync=True)
    return result


def _import_through(store: EventStore, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
    get_run: Any = getattr(store, "get_run", None)
    if get_run is not None:
        known = get_run()
        if known is not None:
            check_same_origin(known, record)
        _upsert_missing(store, known, record)
    stored = _rows_of(store)
    existing = inserted = 0
    digest = NO_DIGEST
    source = iter(events)
    append: Any = getattr(store, "append_many", None)
    while batch := list(islice(source, _BATCH)):
        fresh = []
        for row in batch:
            held = next(stored, None)
            event = _event(row)
            digest = _chained(record.run_id, digest, row, event)
            if held is not None:
                compare_existing(record.run_id, row, held)
                existing += 1
            else:
                fresh.append(event)
        if append is not None and fresh:
            append(fresh)
        else:
            for event in fresh:
                store.append(event)
        inserted += len(fresh)
    if next(stored, None) is not None:
        raise too_long(record.run_id, existing)
    return ImportResult(inserted, existing)


def _rows_of(store: EventStore) -> Iterator[RawEvent]:
    """What the store held before this import; later rows must not be taken for it."""
    count = store.count()
    for position, event in enumerate(islice(store.iter_events(), count), 1):
        text = canonical_payload(event).decode("utf-8")
        yield RawEvent(
            position, event.id, event.type, event.actor, text, event.frame_id, event.caused_by, event.timestamp, None
        )


def _upsert_missing(store: Any, known: RunRecord | None, record: RunRecord) -> None:
    fields = {
        name: getattr(record, name)
        for name in ("label", "goal", "frame_id", "setup_count")
        if known is None or getattr(known, name) is None
    }
    store.upsert_run(
        created_at=record.created_at,
        parent_run_id=record.parent_run_id,
        forked_at_event_id=record.forked_at_event_id,
        **fields,
    )


def _event(row: RawEvent) -> Event:
    payload = row.payload.encode("utf-8", "surrogatepass")
    return event_as_read(row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, row.timestamp)


def _chained(run_id: str, digest: bytes, row: RawEvent, event: Event) -> bytes:
    """The event's digest; a store that makes its own must not paper over a damage of the source."""
    made = digest_of(
        digest, row.id, row.type, canonical_payload(event), row.actor, row.frame_id, row.caused_by, row.timestamp
    )
    if row.digest is not None and row.digest != made:
        raise LogInconsistencyError(
            f"event {row.id!r} of run {run_id!r} is not what was recorded: its digest does not fit",
            what_failed=f"Copying event {row.id!r} into a store that makes digests of its own. Nothing was written.",
            why="With a new digest nobody could tell any more that the event, or one before it, was changed.",
            how_to_fix="Copy the run into a SQLite or PostgreSQL store, which keep digests, and look at it with `activegraph verify`.",
            context={"run_id": run_id, "reason": "digest", "event_id": row.id, "position": row.position},
        )
    return made


def check_same_origin(known: RunRecord, record: RunRecord) -> None:
    """Raise unless a run that is there has the lineage and creation time of the one that is copied."""
    for name in ("parent_run_id", "forked_at_event_id", "created_at"):
        given, stored = getattr(record, name), getattr(known, name)
        if name == "created_at":
            given = normalized_time(given)
        if given != stored:
            raise conflict(record.run_id, None, f"its {name} is {stored!r}, not {given!r}")


def compare_existing(run_id: str, incoming: RawEvent, stored: RawEvent | None) -> None:
    """Raise unless a stored event says the same as the incoming one at its position."""
    if stored is None or incoming.id != stored.id:
        raise conflict(run_id, incoming.id, "position differs")
    differing = [name for name in _FIELDS if not _equal(name, incoming, stored)]
    if differing:
        raise conflict(run_id, incoming.id, f"{', '.join(differing)} {'differs' if len(differing) == 1 else 'differ'}")


def _equal(name: str, incoming: RawEvent, stored: RawEvent) -> bool:
    if getattr(incoming, name) == getattr(stored, name):
        return True
    return name == "payload" and canonical_text(incoming.payload) == canonical_text(stored.payload)


def canonical_text(payload: str) -> str:
    """Stored text in canonical form; text that cannot be decoded stays as it is."""
    try:
        return encode_value(decode_canonical(payload)).decode("utf-8")
    except (CodecError, NonSerializableEventError):
        return payload


def text_to_store(run_id: str, row: RawEvent) -> str:
    """The payload of an imported row as it is to be stored: a row that gets its digest here has canonical text.

    Raises:
        CorruptedEventPayloadError: The payload is no text that a column could hold.
    """
    text = row.payload
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise corrupted(text, "the payload is no UTF-8 text", event_id=row.id, run_id=run_id) from None
    # A digest that is made here speaks of canonical text, so that is what must be stored.
    return canonical_text(text) if row.digest is None else text


def conflict(run_id: str, event_id: str | None, what: str) -> LogInconsistencyError:
    """The error for a destination that holds something else."""
    where = f"run {run_id!r}" if event_id is None else f"event {event_id!r} of run {run_id!r}"
    context = {"run_id": run_id, "reason": "conflict"}
    if event_id is not None:
        context["event_id"] = event_id
    return LogInconsistencyError(
        f"{where} is in the destination with another content: {what}",
        what_failed=f"Copying {where}: {what}. Nothing of this run was written.",
        why="An event is written once; the same id with another content is another history.",
        how_to_fix="Compare both runs (`activegraph diff`), and copy into a store that does not hold this run.",
        context=context,
    )


def too_long(run_id: str, length: int) -> LogInconsistencyError:
    """The error for a destination that goes on behind the source's end."""
    return conflict(run_id, None, f"it has more than the {length} events of the source")


def not_offered(operation: str, url: StoreURL) -> IncompatibleRuntimeState:
    """The error for an optional operation that a backend has no means for."""
    return IncompatibleRuntimeState(
        f"the {url.scheme} store cannot {operation}",
        what_failed=f"`{operation}` on {url.safe}. Nothing was written.",
        why="It needs a backend that offers it, or a store with `transaction()`.",
        how_to_fix="Use a SQLite or PostgreSQL store, or add the method to the backend.",
        context={"current_store_kind": url.scheme, "operation": operation},
    )
