"""Errors of stores, their URLs and their content."""

from __future__ import annotations

from activegraph.errors.base import StorageError

__all__ = [
    "ConcurrentWriterError",
    "CorruptedEventPayloadError",
    "DuplicateEventError",
    "EventNotFoundError",
    "InvalidStoreURL",
    "LogInconsistencyError",
    "NonSerializableEventError",
    "RunExistsError",
    "RunNotFoundError",
    "SchemaVersionMismatch",
    "StoreNotFoundError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
]


class InvalidStoreURL(StorageError, ValueError):
    """Text that names no store."""

    _doc_slug = "invalid-store-url-error"


class StoreNotFoundError(StorageError, FileNotFoundError):
    """Nothing is there, and nothing may be created."""


class StoreUnavailableError(StorageError, ConnectionError):
    """The database cannot do it now; `context["reason"]` says why, `context["committed"]` what became of a write."""


class StoreReadOnlyError(StorageError, PermissionError):
    """A write through a handle that was opened for reading."""


class RunNotFoundError(StorageError, FileNotFoundError, LookupError):
    """The store holds no such run, or no run at all."""


class RunExistsError(StorageError, ValueError):
    """The id of a new run is taken."""


class EventNotFoundError(StorageError, KeyError):
    """The run holds no such event."""


class DuplicateEventError(StorageError, ValueError):
    """The run holds an event with this id already; nothing was stored."""


class ConcurrentWriterError(StorageError):
    """Another writer moved the run's head, or the database lost its last commits; nothing was stored."""

    def __init__(
        self,
        *,
        run_id: str,
        expected_head: str | None,
        actual_head: str | None,
        expected_count: int,
        actual_count: int,
        driver: str,
    ) -> None:
        super().__init__(
            f"run {run_id!r} has {actual_count} events, this writer expected {expected_count}",
            what_failed=f"Appending to run {run_id!r} at position {expected_count + 1}. Nothing was stored.",
            why="A run has one writer at a time, so that its log is one history and not two interleaved.",
            how_to_fix=(
                "Stop the other writer, then load the run again and go on from its head:\n"
                f"    Runtime.load(url, run_id={run_id!r})"
            ),
            context={
                "run_id": run_id,
                "expected_head": expected_head,
                "actual_head": actual_head,
                "expected_count": expected_count,
                "actual_count": actual_count,
                "driver": driver,
            },
        )
        self.run_id = run_id
        self.expected_head = expected_head
        self.actual_head = actual_head
        self.expected_count = expected_count
        self.actual_count = actual_count
        self.driver = driver


class NonSerializableEventError(StorageError, TypeError):
    """A value that the log cannot carry; `context["path"]` says where it stands."""


class CorruptedEventPayloadError(StorageError):
    """A stored payload that cannot be read."""


class LogInconsistencyError(StorageError):
    """A log that is not one run's dense, chained history; `context["reason"]` says in what way."""


class SchemaVersionMismatch(StorageError):
    """The store was written by another version of the schema; nothing was touched."""
