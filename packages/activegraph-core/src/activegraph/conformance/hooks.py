"""What a store's backend may offer the suites when they run by URL; every member is optional.

A backend names an object with any of these members as its attribute `conformance_hooks`. What is
missing is missed by name: the cases that need it are skipped. All of them act on the store behind
a URL from outside, past the store's own code, as an operator with the database's tools would.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from activegraph.store.base import EventStore

__all__ = ["Lent", "StoreHooks", "hooks_of"]


class Lent(Protocol):
    """Connections of the caller's that stores are made on: one connection, or a pool."""

    def make_store(self, run_id: str) -> EventStore:
        """A store on the lent connection or pool."""
        ...

    def in_use(self) -> int:
        """Connections of the pool that have not been given back; of one connection: its open transactions."""
        ...

    def settings(self) -> object:
        """What the store must leave as it found it, comparable by `==`."""
        ...

    def execute(self, statement: str) -> None:
        """Run a statement on the lent connection, as its owner."""
        ...

    def close(self) -> None:
        """Close the connection or the pool under the stores."""
        ...


class StoreHooks(Protocol):
    """The hooks by name. Implement those that the database allows."""

    server: bool
    """Whether a server stands behind the URL, whose connections can be lost; by default, whether the URL has a host."""

    def isolated(self, url: str) -> AbstractContextManager[str]:
        """The URL of an empty place of its own in the same database, taken away at the end."""
        ...

    def delete_run(self, url: str, run_id: str) -> None:
        """Remove all of a run, so that a shared database is left as it was found."""
        ...

    def state(self, url: str) -> object:
        """All that is in the place of this URL, comparable by `==`, read without leaving a trace."""
        ...

    def damage(self, url: str, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        """Change columns of a stored row (`id`, `type`, `payload` as text, `digest`, …), or delete it."""
        ...

    def set_meta(self, url: str, key: str, value: str | None) -> None:
        """Set `schema_version` or `codec_version`; None removes it."""
        ...

    def make_foreign(self, url: str) -> None:
        """Put tables that are not ours into an empty place."""
        ...

    def held_lock(self, url: str) -> AbstractContextManager[None]:
        """Hold a lock in another session that lets readers in, and keeps writers and changes of the schema out."""
        ...

    def without_rights(self, url: str) -> AbstractContextManager[tuple[str, str]]:
        """URLs of the same place as a role that may only read, and as one that may read and write but not create."""
        ...

    def is_synced(self, url: str) -> bool:
        """Whether the last commit is on stable storage, as the server tells; called right after it."""
        ...

    def asynchronous(self, url: str) -> str:
        """The URL with a setting by which the server does not wait for stable storage."""
        ...

    def severable(self, url: str) -> tuple[str, Callable[[], None]]:
        """The URL with sessions that can be told from everybody else's, and a function that ends those on the server."""
        ...

    def lend(self, url: str, kind: str, size: int) -> AbstractContextManager[Lent]:
        """A `"connection"`, or a `"pool"` of `size` connections, made by the caller."""
        ...


def hooks_of(url: str | None) -> Any:
    """The hooks that the backend of a URL offers; None if it has none."""
    from activegraph.store.registry import backend_of
    from activegraph.store.url import parse_store_url

    if url is None:
        return None
    return getattr(backend_of(parse_store_url(url)), "conformance_hooks", None)
