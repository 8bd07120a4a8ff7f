"""Runs from elsewhere: written with COPY in one transaction, and compared with what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, islice
from struct import Struct
from typing import Any

from activegraph.core.event import NO_DIGEST, digest_of
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.imports import check_same_origin, compare_existing, conflict, text_to_store, too_long
from activegraph.store.postgres import reads
from activegraph.store.postgres.catalog import write_run
from activegraph.store.postgres.connections import Connections
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.forking import wait_for_commit
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.session import Session
from activegraph.store.postgres.writes import instant
from activegraph.store.records import merged_record
from msgspec.structs import replace

__all__ = ["import_run"]

# What stands behind the destination's head can only conflict by its id, and a conflict fails the whole run, so
# COPY needs no temporary table: the unique keys refuse, and the transaction takes everything back.
COPY_EVENTS = """
COPY events (
    run_id, position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, timestamp, digest
) FROM STDIN (FORMAT BINARY)"""

# Texts and bytes travel as they are; what else a row holds is eight bytes in the order of the network.
_bigint = Struct(">q").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_LINE_OF_COPY = re.compile(r"events\D+(\d+)")
_BATCH = 2000
_ROWS_OF_COPY = 50_000
"""Rows of one COPY; of so many the ids are kept, to tell which of them the keys have refused."""


def import_run(connections: Connections, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
    """Write a run and its rows in one transaction; rows that are there must be the same.

    Raises:
        LogInconsistencyError: Contents conflict (`reason` is `conflict`); nothing was written.
    """
    with Handle(connections, record.run_id, read_only=False) as handle:
        handle.open(create_schema=True)
        copying: list[str] = []

        def copy(session: Session) -> ImportResult:
            with session.transaction():
                # The row is locked until the end, so two imports of one run come one after the other.
                write_run(session, lambda known: merged_import(known, record), record.run_id)
                result = _Import(session, record.run_id, copying).run(events)
                wait_for_commit(session)
            return result

        try:
            return handle.write(copy)
        except Exception as error:
            if isinstance(error.__cause__, psycopg().errors.UniqueViolation):
                raise conflict(record.run_id, _refused_id(error.__cause__, copying), "position differs") from error
            raise


class _Import:
    """One pass over the source's rows.

    Args:
        copying: Is kept as the ids of the COPY under way.
    """

    def __init__(self, session: Session, run_id: str, copying: list[str]) -> None:
        self._session = session
        self._run_id = run_id
        self._copying = copying
        self._head = reads.head(session, run_id)[0]
        self._digest = NO_DIGEST
        self._failure: Exception | None = None

    def run(self, events: Iterable[RawEvent]) -> ImportResult:
        source = iter(events)
        existing = self._compare(source)
        position = existing
        for first in source:
            position = self._copy(chain((first,), islice(source, _ROWS_OF_COPY - 1)), position)
        if self._head > position:
            raise too_long(self._run_id, position)
        return ImportResult(position - existing, existing)

    def _compare(self, source: Iterator[RawEvent]) -> int:
        """Compare the source's first rows with those that are there; returns how many."""
        position = 0
        while position < self._head:
            batch = list(islice(source, min(_BATCH, self._head - position)))
            if not batch:
                break
            rows = reads.page(self._session, self._run_id, position + 1, position + len(batch), len(batch))
            stored = {row[0]: RawEvent(*row) for row in rows}
            for event in batch:
                position += 1
                held = stored.get(position)
                compare_existing(self._run_id, event, held)
                self._digest = (held and held.digest) or self._digest
        return position

    def _copy(self, events: Iterable[RawEvent], position: int) -> int:
        """Copy rows in behind a position, while the source is being read; returns the last one's."""
        run_id, ids = self._run_id, self._copying
        ids.clear()
        try:
            with self._session.copy(COPY_EVENTS) as copy:
                for event in self._readable(events):
                    position += 1
                    ids.append(event.id)
                    self._digest = event.digest or NO_DIGEST
                    copy.write_row(
                        (
                            run_id,
                            _bigint(position),
                            event.id,
                            event.type,
                            event.actor,
                            event.payload,
                            event.frame_id,
                            event.caused_by,
                            event.timestamp,
                            _timestamptz(event.timestamp),
                            self._digest,
                        )
                    )
        except UnicodeEncodeError:
            text_to_store(run_id, event)
            raise
        if self._failure is not None:
            raise self._failure
        return position

    def _readable(self, events: Iterable[RawEvent]) -> Iterator[RawEvent]:
        """The rows, each with a digest, up to a failure of the source, which is kept.

        Raised during the COPY it would be told to the server, and so to the server's log, and it may quote a payload.
        """
        try:
            for event in events:
                yield self._with_digest(event) if event.digest is None else event
        except Exception as error:  # a border: the source may be anybody's
            self._failure = error

    def _with_digest(self, event: RawEvent) -> RawEvent:
        """A row that comes without one, with the next digest of the chain."""
        text = text_to_store(self._run_id, event)
        payload = text.encode("utf-8")
        digest = digest_of(
            self._digest, event.id, event.type, payload, event.actor, event.frame_id, event.caused_by, event.timestamp
        )
        return replace(event, payload=text, digest=digest)


@lru_cache(maxsize=64)
def _timestamptz(timestamp: str) -> bytes | None:
    moment = instant(timestamp)
    return None if moment is None else _bigint((datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND)


def _refused_id(error: Any, ids: list[str]) -> str | None:
    """The id of the row that COPY was at; the server names its line."""
    found = _LINE_OF_COPY.search(error.diag.context or "")
    line = int(found[1]) if found else 0
    return ids[line - 1] if 1 <= line <= len(ids) else None


def merged_import(known: RunRecord | None, record: RunRecord) -> RunRecord:
    """The destination's record after an import: lineage and time must agree, what is NULL is filled in."""
    if known is not None:
        check_same_origin(known, record)
    fresh = {
        name: getattr(record, name) if known is None or getattr(known, name) is None else None
        for name in ("label", "goal", "frame_id", "setup_count")
    }
    return merged_record(
        record.run_id,
        known,
        created_at=record.created_at,
        parent_run_id=record.parent_run_id,
        forked_at_event_id=record.forked_at_event_id,
        **fresh,
    )
