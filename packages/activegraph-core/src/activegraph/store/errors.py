"""Storage errors, under the path that store users import them from."""

from activegraph.errors import (
    ConcurrentWriterError,
    CorruptedEventPayloadError,
    DuplicateEventError,
    EventNotFoundError,
    InvalidStoreURL,
    LogInconsistencyError,
    NonSerializableEventError,
    RunExistsError,
    RunNotFoundError,
    SchemaVersionMismatch,
    StorageError,
    StoreNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

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
    "StorageError",
    "StoreNotFoundError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
]
