"""Event stores: the protocol, the memory store, URLs and run-level functions. Names load when first used."""

from typing import TYPE_CHECKING, Any

__path__ = __import__("pkgutil").extend_path(__path__, __name__)
__path__.append(f"{__path__[0]}/absent")  # last: where nobody has brought a module, it says what to install

_MODULES = {
    "base": (
        "AtomicAppend",
        "EventStore",
        "ForkResult",
        "ImportResult",
        "MigrationSource",
        "RangeRead",
        "RawEvent",
        "RunCatalog",
        "RunMetadata",
        "RunRecord",
        "StoreBackend",
        "StoreIdentity",
        "StoredRuns",
        "Transactional",
        "replay_into",
    ),
    "errors": (
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
    ),
    "memory": ("InMemoryEventStore",),
    "runs": ("fork_run", "get_run", "list_runs", "most_recent_run_id", "open_store"),
    "url": ("StoreURL", "parse_store_url", "parse_url", "safe_url", "sqlite_url"),
    "verify": ("VerifyReport", "verify_run"),
}

_HOME = {name: f"activegraph.store.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [*sorted(_HOME), "PostgresEventStore", "SQLiteEventStore"]  # noqa: PLE0604 - names, made above

_OTHER_DISTRIBUTIONS = {
    "SQLiteEventStore": ("activegraph.store.sqlite", "activegraph-store-sqlite"),
    "PostgresEventStore": ("activegraph.store.postgres", "activegraph-store-postgres"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _OTHER_DISTRIBUTIONS:
        module, distribution = _OTHER_DISTRIBUTIONS[name]
        try:
            value = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            from activegraph.errors import MissingOptionalDependency

            raise MissingOptionalDependency(package=distribution, feature=name) from error
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.store.base import AtomicAppend as AtomicAppend
    from activegraph.store.base import EventStore as EventStore
    from activegraph.store.base import ForkResult as ForkResult
    from activegraph.store.base import ImportResult as ImportResult
    from activegraph.store.base import MigrationSource as MigrationSource
    from activegraph.store.base import RangeRead as RangeRead
    from activegraph.store.base import RawEvent as RawEvent
    from activegraph.store.base import RunCatalog as RunCatalog
    from activegraph.store.base import RunMetadata as RunMetadata
    from activegraph.store.base import RunRecord as RunRecord
    from activegraph.store.base import StoreBackend as StoreBackend
    from activegraph.store.base import StoredRuns as StoredRuns
    from activegraph.store.base import StoreIdentity as StoreIdentity
    from activegraph.store.base import Transactional as Transactional
    from activegraph.store.base import replay_into as replay_into
    from activegraph.store.errors import ConcurrentWriterError as ConcurrentWriterError
    from activegraph.store.errors import CorruptedEventPayloadError as CorruptedEventPayloadError
    from activegraph.store.errors import DuplicateEventError as DuplicateEventError
    from activegraph.store.errors import EventNotFoundError as EventNotFoundError
    from activegraph.store.errors import InvalidStoreURL as InvalidStoreURL
    from activegraph.store.errors import LogInconsistencyError as LogInconsistencyError
    from activegraph.store.errors import NonSerializableEventError as NonSerializableEventError
    from activegraph.store.errors import RunExistsError as RunExistsError
    from activegraph.store.errors import RunNotFoundError as RunNotFoundError
    from activegraph.store.errors import SchemaVersionMismatch as SchemaVersionMismatch
    from activegraph.store.errors import StoreNotFoundError as StoreNotFoundError
    from activegraph.store.errors import StoreReadOnlyError as StoreReadOnlyError
    from activegraph.store.errors import StoreUnavailableError as StoreUnavailableError
    from activegraph.store.memory import InMemoryEventStore as InMemoryEventStore
    from activegraph.store.postgres import PostgresEventStore as PostgresEventStore
    from activegraph.store.runs import fork_run as fork_run
    from activegraph.store.runs import get_run as get_run
    from activegraph.store.runs import list_runs as list_runs
    from activegraph.store.runs import most_recent_run_id as most_recent_run_id
    from activegraph.store.runs import open_store as open_store
    from activegraph.store.sqlite import SQLiteEventStore as SQLiteEventStore
    from activegraph.store.url import StoreURL as StoreURL
    from activegraph.store.url import parse_store_url as parse_store_url
    from activegraph.store.url import parse_url as parse_url
    from activegraph.store.url import safe_url as safe_url
    from activegraph.store.url import sqlite_url as sqlite_url
    from activegraph.store.verify import VerifyReport as VerifyReport
    from activegraph.store.verify import verify_run as verify_run
