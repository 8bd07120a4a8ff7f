"""Copies runs from one store into another: each run in one transaction, compared with what is there.

Nothing is ever overwritten and nothing skipped in silence: an event that the destination holds
must say the same as in the source, else its run fails and the destination is left as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from activegraph.errors import (
    ActiveGraphError,
    CorruptedEventPayloadError,
    InvalidRuntimeConfiguration,
    StoreNotFoundError,
)
from activegraph.store.base import EventStore, ImportResult, MigrationSource, RawEvent, RunRecord, StoredRuns
from activegraph.store.forking import same_store
from activegraph.store.imports import import_run
from activegraph.store.registry import backend_of
from activegraph.store.runs import run_not_found
from activegraph.store.serde import checked_payload, encode_event
from activegraph.store.url import StoreURL, parse_store_url

__all__ = ["MigrationReport", "MigrationRunReport", "migrate"]

_logger = logging.getLogger("activegraph.migration")

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class MigrationRunReport:
    """What became of one run.

    Attributes:
        status: `"ok"` or `"failed"` (`"skipped"` is reserved).
        events_migrated: Rows that this call has written; 0 where all were there already.
        error: Why it failed, in one line.
        skipped_events: Ids of events that were left out because their payload cannot be read, in log order.
    """

    run_id: str
    status: str
    events_migrated: int
    error: str | None = None
    skipped_events: tuple[str, ...] = ()


@dataclass(frozen=True)
class MigrationReport:
    """What became of all of them. URLs are masked."""

    source_url: str
    dest_url: str
    runs: tuple[MigrationRunReport, ...]

    @property
    def ok(self) -> bool:
        """Whether no run failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[MigrationRunReport, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.status == "failed")


for _public in (MigrationReport, MigrationRunReport):
    _public.__module__ = "activegraph.observability"


def migrate(
    source_url: str,
    dest_url: str,
    *,
    only_run_ids: Iterable[str] | None = None,
    on_progress: Callable[[MigrationRunReport], object] | None = None,
    skip_corrupted: bool = False,
) -> MigrationReport:
    """Copy runs; a second call copies only what is missing (operator.md 7).

    Args:
        only_run_ids: Only these, in the order in which the source lists them.
        on_progress: Called with each run's report, in order.
        skip_corrupted: Leave out events whose payload cannot be read instead of failing their run;
            the copy's positions are dense and its digests new from there on.

    Raises:
        InvalidRuntimeConfiguration: Source and destination are one store.
        InvalidStoreURL, StoreNotFoundError, SchemaVersionMismatch, StoreUnavailableError: One of
            them cannot be used at all. What concerns one run is in its report instead.
    """
    source, destination = parse_store_url(source_url), parse_store_url(dest_url)
    if same_store(source, destination):
        raise _one_store(source, destination)
    reports: list[MigrationRunReport] = []

    def add(report: MigrationRunReport) -> None:
        reports.append(report)
        _tell(report, on_progress)

    with closing(_opened(source)) as runs:
        listed = runs.list_runs()
        _check_usable(destination)
        wanted = None if only_run_ids is None else list(dict.fromkeys(only_run_ids))
        for record in listed:
            if wanted is None or record.run_id in wanted:
                add(_migrate_run(runs, record, destination, skip_corrupted=skip_corrupted))
        known = {record.run_id for record in listed}
        for run_id in wanted or ():
            if run_id not in known:
                add(MigrationRunReport(run_id, "failed", 0, _one_line(run_not_found(source, run_id))))
    report = MigrationReport(source.safe, destination.safe, tuple(reports))
    _logger.info("migration finished: %d ok, %d failed", len(reports) - len(report.failures), len(report.failures))
    return report


def _migrate_run(
    runs: StoredRuns, record: RunRecord, destination: StoreURL, *, skip_corrupted: bool
) -> MigrationRunReport:
    rows = _SourceRows(runs, record.run_id, skip_corrupted=skip_corrupted)
    try:
        if skip_corrupted and record.setup_count:
            # What is left out of the set-up no longer counts to it, and the record is written first.
            record = replace(record, setup_count=record.setup_count - rows.unreadable_within(record.setup_count))
        written: ImportResult = import_run(destination, record, rows)
    except Exception as error:  # a run that fails must not stop the others; its report says why
        side = "read" if rows.failure is error or isinstance(error, CorruptedEventPayloadError) else "write"
        return MigrationRunReport(record.run_id, "failed", 0, f"{side} failure: {_one_line(error)}")
    return MigrationRunReport(record.run_id, "ok", written.inserted, None, tuple(rows.skipped))


class _SourceRows:
    """The rows of one run as they are to be written; knows which it left out, and whether reading failed."""

    def __init__(self, runs: StoredRuns, run_id: str, *, skip_corrupted: bool) -> None:
        self.skipped: list[str] = []
        self.failure: Exception | None = None
        self._runs = runs
        self._run_id = run_id
        self._skip_corrupted = skip_corrupted

    def __iter__(self) -> Iterator[RawEvent]:
        self.skipped = []
        for row in _noting(self._runs.iter_raw(self._run_id), self):
            if not self._is_readable(row):
                continue
            # Behind a gap the recorded digests would not chain any more.
            yield replace_digest(row) if self.skipped else row

    def unreadable_within(self, count: int) -> int:
        """How many of the first `count` rows are left out."""
        return sum(row.position <= count and not self._is_readable(row) for row in self._runs.iter_raw(self._run_id))

    def _is_readable(self, row: RawEvent) -> bool:
        try:
            checked_payload(row.payload, event_id=row.id, run_id=self._run_id)
        except CorruptedEventPayloadError as error:
            if not self._skip_corrupted:
                self.failure = error
                raise
            self.skipped.append(row.id)
            return False
        return True


def _noting(items: Iterable[_Item], rows: _SourceRows) -> Iterator[_Item]:
    try:
        yield from items
    except Exception as error:
        rows.failure = error
        raise


def replace_digest(row: RawEvent) -> RawEvent:
    """The row without its digest, so that the destination makes the next one of its chain."""
    return RawEvent(
        row.position, row.id, row.type, row.actor, row.payload, row.frame_id, row.caused_by, row.timestamp, None
    )


def _opened(source: StoreURL) -> StoredRuns:
    backend = backend_of(source)
    if isinstance(backend, MigrationSource):
        return backend.open_source(source)
    return _ProtocolRuns(source)


class _ProtocolRuns:
    """The runs of a store that only knows the protocol."""

    def __init__(self, url: StoreURL) -> None:
        self._url = url
        self._backend = backend_of(url)

    def list_runs(self) -> list[RunRecord]:
        return self._backend.list_runs(self._url)

    def iter_raw(self, run_id: str) -> Iterator[RawEvent]:
        with closing(self._backend.open(self._url, run_id, read_only=True)) as store:
            raw: Any = getattr(store, "iter_raw", None)
            yield from raw() if raw is not None else _raw_of(store)

    def close(self) -> None:
        pass


def _raw_of(store: EventStore) -> Iterator[RawEvent]:
    for position, event in enumerate(store.iter_events(), 1):
        row = encode_event(event)
        yield RawEvent(
            position,
            row["id"],
            row["type"],
            row["actor"],
            row["payload"],
            row["frame_id"],
            row["caused_by"],
            row["timestamp"],
            None,
        )


def _check_usable(destination: StoreURL) -> None:
    """Raise what makes the whole destination unusable, before any run is tried."""
    backend = backend_of(destination)
    try:
        backend.list_runs(destination)
    except StoreNotFoundError:
        # It may be made by the first run; what cannot even be made is said now.
        backend.open(destination, "migration").close()


def _one_line(error: BaseException) -> str:
    summary = error.summary if isinstance(error, ActiveGraphError) else str(error)
    return f"{type(error).__name__}: {' '.join(summary.split())}"


def _tell(report: MigrationRunReport, on_progress: Callable[[MigrationRunReport], object] | None) -> None:
    _logger.info("run migrated: %s %d events", report.status, report.events_migrated, extra={"run_id": report.run_id})
    if on_progress is None:
        return
    try:
        on_progress(report)
    except Exception as error:
        _logger.warning(
            "progress callback failed",
            extra={"run_id": report.run_id, "error_type": type(error).__name__, "error_message": _one_line(error)},
        )


def _one_store(source: StoreURL, destination: StoreURL) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"source and destination are one store: {source.safe}",
        what_failed=f"Migrating from {source.safe} to {destination.safe}. Nothing was opened.",
        why="A migration copies runs into another store; a copy onto itself would mean nothing.",
        how_to_fix="Name another destination, or use `activegraph fork` for a copy within one store.",
        context={"source_url": source.safe, "dest_url": destination.safe},
    )
