"""What an event store promises: a small required protocol, and capabilities that are protocols of their own.

A store that lacks a capability still works; its presence is the answer to whether it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from activegraph.core.event import Event

if TYPE_CHECKING:
    from activegraph.core.graph import Graph
    from activegraph.store.url import StoreURL

__all__ = [
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
]


class RawEvent(msgspec.Struct, frozen=True, gc=False):
    """One stored row, undecoded. `payload` is the text as stored."""

    position: int
    id: str
    type: str
    actor: str | None
    payload: str
    frame_id: str | None
    caused_by: str | None
    timestamp: str
    digest: bytes | None


RawEvent.__module__ = "activegraph.store"


@dataclass
class RunRecord:
    """One run of a store. `event_count`, `last_event_id` and `status` are derived from the log when it is read.

    Attributes:
        created_at: UTC, `YYYY-MM-DDTHH:MM:SSZ`.
        status: How the log ends: `idle` where nothing waits behind its last `runtime.idle`,
            `exhausted` behind a `runtime.budget_exhausted`, else `stopped`.
        setup_count: Events held before the run's first runtime; None if there has been none.
    """

    run_id: str
    parent_run_id: str | None
    forked_at_event_id: str | None
    label: str | None
    created_at: str
    goal: str | None
    frame_id: str | None
    event_count: int = 0
    last_event_id: str | None = None
    status: Literal["stopped", "idle", "exhausted"] = "stopped"
    setup_count: int | None = None


@dataclass(frozen=True)
class ForkResult:
    """A fork that was made. `to_url` is masked."""

    parent_run_id: str
    new_run_id: str
    at_event: str
    label: str | None
    events_copied: int
    to_url: str
    settings_override_events: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ImportResult:
    """Rows of one run that were written, and rows that were there already with the same content."""

    inserted: int
    existing: int


@runtime_checkable
class EventStore(Protocol):
    """One run's log in a store that may hold many.

    Every method but `close` raises `StoreUnavailableError` on a closed store.
    """

    run_id: str

    def append(self, event: Event) -> None:
        """Commit one event; visible to other readers when this returns.

        Raises:
            DuplicateEventError: The run has this id; nothing was stored.
            NonSerializableEventError: The payload or a field cannot be carried.
            ConcurrentWriterError: Another writer moved the head; nothing was stored.
            StoreReadOnlyError: The handle was opened for reading.
        """
        ...

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        """Events in position order, as one snapshot taken at the first `next()`.

        Args:
            after: Exclusive; until: Inclusive. Reversed boundaries give nothing.

        Raises:
            EventNotFoundError: An unknown boundary, at the first `next()` at the latest.
            CorruptedEventPayloadError: At the bad event, after the good ones before it.
        """
        ...

    def get_event(self, event_id: str) -> Event | None:
        """The event of this id, by index."""
        ...

    def count(self) -> int:
        """Number of events, from the key."""
        ...

    def truncate_after(self, event_id: str) -> None:
        """Delete everything after this event, atomically. The runtime never does."""
        ...

    def close(self) -> None:
        """Release what the store owns and nothing that it was lent. Idempotent; never raises."""
        ...


@runtime_checkable
class AtomicAppend(Protocol):
    """A store that commits several events in one transaction."""

    def append_many(
        self,
        events: Sequence[Event],
        *,
        expected_count: int | None = None,
        sync: bool | None = None,
    ) -> int:
        """Append `events` in order, all or none, and return the new head position.

        Args:
            events: In commit order. Empty stores nothing, and still checks the head.
            expected_count: Events that the writer believes the run holds; None for the head that
                this handle last knew.
            sync: True waits until this and every earlier commit is on stable storage; None leaves
                it to the store's setting; False need not wait.

        Raises:
            ConcurrentWriterError: The head is another one, in either direction; nothing was stored.
            DuplicateEventError: An id exists in this run, or twice in `events`.
            NonSerializableEventError: A payload holds a value that the canonical form refuses.

        The unique key (run_id, position) is the lock: no head is read before the insert. Optimistic
        concurrency in the sense of Kung and Robinson, 1981.
        """
        ...

    def head(self) -> int:
        """The last position, 0 for an empty run."""
        ...


@runtime_checkable
class RangeRead(Protocol):
    """A store that reads by position."""

    def iter_range(self, start: int = 1, stop: int | None = None) -> Iterator[Event]:
        """Events at positions `start` to `stop`, both inclusive; `start < 1` is a `ValueError`."""
        ...

    def tail(self, n: int) -> list[Event]:
        """The last `n` events, oldest first; cost O(n)."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """A store whose appends and metadata can commit together."""

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside commits at the end of the block, or nothing of it."""
        ...


@runtime_checkable
class RunMetadata(Protocol):
    """A store that keeps a record per run."""

    def get_run(self) -> RunRecord | None:
        """This run's record; None if there is none."""
        ...

    def upsert_run(
        self,
        *,
        parent_run_id: str | None = None,
        forked_at_event_id: str | None = None,
        label: str | None = None,
        created_at: str,
        goal: str | None = None,
        frame_id: str | None = None,
        setup_count: int | None = None,
    ) -> None:
        """Insert or update the record. None never erases; `created_at` and lineage are fixed once set.

        Raises:
            IncompatibleRuntimeState: Another `created_at` or lineage than the stored one.
            InvalidRuntimeConfiguration: `created_at` is no ISO 8601 time.
        """
        ...


@runtime_checkable
class RunCatalog(Protocol):
    """A store class that knows all runs behind one target."""

    @classmethod
    def list_runs(cls, target: Any) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        ...

    @classmethod
    def most_recent_run_id(cls, target: Any) -> str | None:
        """The run that was appended to last."""
        ...

    @classmethod
    def fork_run(
        cls,
        target: Any,
        *,
        parent_run_id: str,
        new_run_id: str,
        at_event_id: str,
        label: str | None,
        created_at: str,
    ) -> int:
        """Copy the parent's events up to and including one into a new run, in one transaction."""
        ...


@runtime_checkable
class StoreBackend(Protocol):
    """What stands behind a URL scheme; announced by an entry point of group `activegraph.stores`."""

    scheme: str

    def parse(self, url: str) -> StoreURL:
        """The URL's parts; `InvalidStoreURL` for what is none of this scheme."""
        ...

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> EventStore:
        """A handle on one run."""
        ...

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        ...

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        """The run that was appended to last."""
        ...


@runtime_checkable
class StoreIdentity(Protocol):
    """A backend that can tell whether two URLs mean one database."""

    def identity(self, url: StoreURL) -> object:
        """A value that is equal for all spellings of one store's URL; None where it cannot be told.

        Nothing is created; a store that does not exist yet has an identity too where its place has.
        """
        ...


@runtime_checkable
class StoredRuns(Protocol):
    """The runs of one store, opened for copying them elsewhere; nothing can be written through it."""

    def list_runs(self) -> list[RunRecord]:
        """All runs by `created_at`, then id."""
        ...

    def iter_raw(self, run_id: str) -> Iterator[RawEvent]:
        """One run's rows in order, undecoded, as of the first `next()`; `digest` is None where there is none."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


@runtime_checkable
class MigrationSource(Protocol):
    """A backend that reads layouts which its stores refuse, as the source of a migration and for nothing else."""

    def open_source(self, url: StoreURL) -> StoredRuns:
        """The runs at `url`, whatever known layout they are in.

        Raises:
            StoreNotFoundError: There is no such store.
            SchemaVersionMismatch: A layout that is not known.
        """
        ...


def replay_into(graph: Graph, events: Iterable[Event]) -> int:
    """Apply events to a graph without listeners or behaviors; returns how many.

    Raises:
        IncompatibleRuntimeState: The graph has events of its own, a store or a runtime.
        LogInconsistencyError: An event that the projection refuses; those before it were applied.
    """
    from activegraph.core.replay import apply_replayed

    return apply_replayed(graph, events)
