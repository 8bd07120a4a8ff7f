"""Copies runs from one store into another, losing nothing, each in one transaction of the destination.

What is there already is compared, never overwritten; whatever goes wrong with one run is told in
its report and leaves the others alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from activegraph.core.log_lines import error_fields, say
from activegraph.errors import (
    ActiveGraphError,
    CorruptedEventPayloadError,
    IncompatibleRuntimeState,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
)
from activegraph.store.base import RawEvent, RunRecord, StoreBackend, StoredRuns
from activegraph.store.forking import same_store
from activegraph.store.imports import canonical_text, import_run
from activegraph.store.refusals import missing_position
from activegraph.store.registry import backend_of
from activegraph.store.runs import run_not_found
from activegraph.store.serde import checked_payload, corrupted, encode_event
from activegraph.store.url import StoreURL, parse_store_url

__all__ = ["MigrationReport", "MigrationRunReport", "migrate"]

_logger = logging.getLogger("activegraph.migration")

_TOLD_EVERY = 500
"""Rows between two calls of `on_events`."""


@dataclass(frozen=True)
class MigrationRunReport:
    """What became of one run.

    Attributes:
        status: `ok` or `failed`; `skipped` is reserved.
        events_migrated: Rows that this call wrote.
        error: One line, passwords masked; None for a run that went through.
        skipped_events: Ids of events that could not be read and were left out, in log order.
    """

    run_id: str
    status: str
    events_migrated: int
    error: str | None = None
    skipped_events: tuple[str, ...] = ()


@dataclass(frozen=True)
class MigrationReport:
    """What became of a migration. Both URLs are masked."""

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


MigrationRunReport.__module__ = MigrationReport.__module__ = "activegraph"


def migrate(
    source_url: str,
    dest_url: str,
    *,
    only_run_ids: Iterable[str] | None = None,
    on_progress: Callable[[MigrationRunReport], object] | None = None,
    skip_corrupted: bool = False,
    on_events: Callable[[int, int], object] | None = None,
) -> MigrationReport:
    """Copy runs into another store; a second call finds them there and writes nothing.

    Args:
        source_url: Opened read-only; runs that grow meanwhile are copied as they were.
        dest_url: Made if missing.
        only_run_ids: Leave out all others; ids that are not there are reported as failed.
        on_progress: Called with each run's report when that run is done.
        skip_corrupted: Leave out events whose payload cannot be read, instead of failing their run.
        on_events: Called now and then with the number of events that are done, and of those in all. What
            either callback raises is logged and ignored.

    Raises:
        InvalidStoreURL, StoreNotFoundError, StoreUnavailableError, SchemaVersionMismatch: One of
            the stores cannot be used at all.
        InvalidRuntimeConfiguration: Both URLs name one store.
    """
    if isinstance(only_run_ids, str):
        raise InvalidArgumentType(
            "only_run_ids is one string, not a list of run ids",
            what_failed=f"Migrating with only_run_ids={only_run_ids!r}.",
            why="Each of its letters would be taken for a run id.",
            how_to_fix=f"only_run_ids=[{only_run_ids!r}]",
            context={"argument": "only_run_ids"},
        )
    source, dest = parse_store_url(source_url), parse_store_url(dest_url)
    if same_store(source, dest):
        raise _one_store(source, dest)
    wanted = None if only_run_ids is None else list(dict.fromkeys(only_run_ids))
    reports: list[MigrationRunReport] = []
    with closing(_open_source(source, skip_corrupted=skip_corrupted)) as runs:
        records = [record for record in runs.list_runs() if wanted is None or record.run_id in wanted]
        if records:
            # Whatever keeps all runs from being written is told by an error, before the first of them.
            backend_of(dest).open(dest, records[0].run_id).close()
        count = _EventCount(records, on_events)
        for record in records:
            reports.append(_Copy(source, dest, runs, record, count, skip_corrupted=skip_corrupted).report())
            count.run_is_done(record)
            _tell(reports[-1], on_progress)
    found = {record.run_id for record in records}
    for run_id in wanted or ():
        if run_id not in found:
            unknown = run_not_found(source, run_id)
            reports.append(MigrationRunReport(run_id, "failed", 0, f"RunNotFoundError: {unknown.summary}"))
            _tell(reports[-1], on_progress)
    report = MigrationReport(source.safe, dest.safe, tuple(reports))
    failed = len(report.failures)
    say(_logger, logging.INFO, "migration finished: %d ok, %d failed", len(reports) - failed, failed)
    return report


def _tell(report: MigrationRunReport, on_progress: Callable[[MigrationRunReport], object] | None) -> None:
    message = "run migrated: %s %d events"
    say(_logger, logging.INFO, message, report.status, report.events_migrated, run_id=report.run_id)
    if on_progress is not None:
        _call(report.run_id, on_progress, report)


def _call(run_id: str, callback: Callable[..., object], *arguments: object) -> None:
    try:
        callback(*arguments)
    except Exception as error:  # a border: the caller's own code
        say(_logger, logging.WARNING, "progress callback failed", run_id=run_id, **error_fields(error))


class _EventCount:
    """How many events are done, over all runs; a run that failed half-way is done with all of them."""

    def __init__(self, records: list[RunRecord], on_events: Callable[[int, int], object] | None) -> None:
        self._on_events = on_events
        self._total = sum(record.event_count for record in records)
        self._before = 0

    def passing(self, record: RunRecord, rows: Iterator[RawEvent]) -> Iterator[RawEvent]:
        """The rows of a run, counted as they pass."""
        if self._on_events is None:
            return rows
        return self._counted(record, rows, self._on_events)

    def _counted(
        self, record: RunRecord, rows: Iterator[RawEvent], tell: Callable[[int, int], object]
    ) -> Iterator[RawEvent]:
        for count, row in enumerate(rows, 1):
            if count % _TOLD_EVERY == 0:
                _call(record.run_id, tell, min(self._before + count, self._total), self._total)
            yield row

    def run_is_done(self, record: RunRecord) -> None:
        """Go on to the next run."""
        self._before += record.event_count
        if self._on_events is not None:
            _call(record.run_id, self._on_events, self._before, self._total)


class _Copy:
    """One run on its way from the source to the destination."""

    def __init__(
        self,
        source: StoreURL,
        dest: StoreURL,
        runs: StoredRuns,
        record: RunRecord,
        count: _EventCount,
        *,
        skip_corrupted: bool,
    ) -> None:
        self._source = source
        self._dest = dest
        self._runs = runs
        self._record = record
        self._count = count
        self._skip_corrupted = skip_corrupted
        self._skipped: list[str] = []
        self._is_reading = True

    def report(self) -> MigrationRunReport:
        """Copy the run, and say what became of it."""
        run_id = self._record.run_id
        try:
            record = replace(self._record, setup_count=self._setup_count())
            self._is_reading = False
            result = import_run(self._dest, record, self._rows())
        except Exception as error:  # a border: backends of others raise what they like
            side = "read" if self._is_reading else "write"
            summary = error.summary if isinstance(error, ActiveGraphError) else str(error)
            text = f"{side} failure: {type(error).__name__}: {' '.join(summary.split())}"
            return MigrationRunReport(run_id, "failed", 0, _masked(text, self._source, self._dest))
        return MigrationRunReport(run_id, "ok", result.inserted, skipped_events=tuple(self._skipped))

    def _rows(self) -> Iterator[RawEvent]:
        """The rows that can be read, at dense positions; behind a skipped one the digests are made anew.

        While one is being read, whatever is raised is a failure of the source.
        """
        run_id, position = self._record.run_id, 0
        self._is_reading = True
        for due, row in enumerate(self._count.passing(self._record, self._runs.iter_raw(run_id)), 1):
            if row.position != due and not self._skip_corrupted:
                raise missing_position(run_id, due, row.position)
            try:
                _check(row, run_id)
            except CorruptedEventPayloadError:
                if not self._skip_corrupted:
                    raise
                self._skipped.append(row.id)
                continue
            position += 1
            stays = row.position == position and row.digest is not None and not self._skipped
            written = row if stays else self._moved(row, position)
            self._is_reading = False
            yield written
            self._is_reading = True
        self._is_reading = False

    def _moved(self, row: RawEvent, position: int) -> RawEvent:
        """A row at its place in the destination, without a digest where that has to be made anew."""
        digest = None if self._skipped else row.digest
        text = canonical_text(row.payload) if digest is None else row.payload
        return RawEvent(position, row.id, row.type, row.actor, text, row.frame_id, row.caused_by, row.timestamp, digest)

    def _setup_count(self) -> int | None:
        """Events that the run held before its first runtime, less those that will be skipped."""
        count = self._record.setup_count
        if not count or not self._skip_corrupted:
            return count
        unreadable = 0
        for place, row in enumerate(self._runs.iter_raw(self._record.run_id), 1):
            if place > count:
                break
            try:
                _check(row, self._record.run_id)
            except CorruptedEventPayloadError:
                unreadable += 1
        return count - unreadable


def _check(row: RawEvent, run_id: str) -> None:
    checked_payload(row.payload, event_id=row.id, run_id=run_id)
    try:
        f"{row.id}{row.type}{row.actor}{row.frame_id}{row.caused_by}{row.timestamp}".encode()
    except UnicodeEncodeError:
        raise corrupted(row.payload, "a field beside it is no UTF-8 text", event_id=row.id, run_id=run_id) from None


def _open_source(url: StoreURL, *, skip_corrupted: bool) -> StoredRuns:
    backend = backend_of(url)
    own: Callable[[StoreURL], StoredRuns] | None = getattr(backend, "open_source", None)
    return _BackendRuns(backend, url, must_get_past=skip_corrupted) if own is None else own(url)


class _BackendRuns:
    """The runs of a backend that has no other way of showing them than its stores."""

    def __init__(self, backend: StoreBackend, url: StoreURL, *, must_get_past: bool) -> None:
        self._backend = backend
        self._url = url
        self._must_get_past = must_get_past

    def list_runs(self) -> list[RunRecord]:
        return self._backend.list_runs(self._url)

    def iter_raw(self, run_id: str) -> Iterator[RawEvent]:
        with closing(self._backend.open(self._url, run_id, read_only=True)) as store:
            own: Callable[[], Iterator[RawEvent]] | None = getattr(store, "iter_raw", None)
            if own is not None:
                yield from own()
                return
            if self._must_get_past:
                raise _no_raw_rows(self._url)
            for position, event in enumerate(store.iter_events(), 1):
                row: dict[str, Any] = encode_event(event)
                yield RawEvent(position=position, digest=None, **row)

    def close(self) -> None:
        """Nothing is held."""


def _no_raw_rows(url: StoreURL) -> IncompatibleRuntimeState:
    return IncompatibleRuntimeState(
        f"the {url.scheme} store has no raw rows, so nothing can be skipped",
        what_failed=f"Reading {url.safe} past events that cannot be read.",
        why="An event that cannot be read can be left out only where the rows can be read without decoding them.",
        how_to_fix="Migrate without skip_corrupted, or give the store `iter_raw()`.",
        context={"current_store_kind": url.scheme, "operation": "skip_corrupted"},
    )


def _one_store(source: StoreURL, dest: StoreURL) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"{source.safe} and {dest.safe} are one store",
        what_failed=f"Migrating from {source.safe} to {dest.safe}. Nothing was opened for writing.",
        why="A migration copies runs under their own ids, so into their own store it would copy nothing.",
        how_to_fix="Name another destination; for a copy under another id fork the run at its last event.",
        context={"source_url": source.safe, "dest_url": dest.safe},
    )


def _masked(text: str, *urls: StoreURL) -> str:
    """`text` without the passwords of these URLs, for errors of drivers that quote them."""
    for url in urls:
        text = text.replace(url.raw, url.safe)
        try:
            password = urlsplit(url.raw).password
        except ValueError:
            password = None
        for secret in (password, unquote(password) if password else None):
            if secret:
                text = text.replace(secret, "***")
    return text
