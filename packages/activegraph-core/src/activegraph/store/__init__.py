"""Event stores: the protocol, the memory store, URLs and run-level functions. Names load when first used."""

from typing import Any

__path__ = __import__("pkgutil").extend_path(__path__, __name__)

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
        except (ImportError, AttributeError) as error:
            from activegraph.errors import MissingOptionalDependency

            raise MissingOptionalDependency(package=distribution, feature=name) from error
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
