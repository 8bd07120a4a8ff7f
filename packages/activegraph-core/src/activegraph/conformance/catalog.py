"""The two doors to all runs of a store: the backend of its URL, and class methods of the store itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activegraph.store.base import RunRecord

__all__ = ["Catalog", "by_class", "by_url", "doors"]


@dataclass(frozen=True)
class Catalog:
    """One door.

    Attributes:
        name: As a message names it.
        fork_run: Takes the keyword arguments of `RunCatalog.fork_run`; None where runs cannot be forked.
    """

    name: str
    list_runs: Callable[[], list[RunRecord]]
    most_recent_run_id: Callable[[], str | None]
    fork_run: Callable[..., int] | None


def by_url(url: str) -> Catalog:
    """The door of the backend that serves `url`."""
    from activegraph.store.registry import backend_of
    from activegraph.store.url import parse_store_url

    parsed = parse_store_url(url)
    backend: Any = backend_of(parsed)
    fork = getattr(backend, "fork_run", None)
    return Catalog(
        "the backend",
        lambda: backend.list_runs(parsed),
        lambda: backend.most_recent_run_id(parsed),
        None if fork is None else lambda **named: fork(parsed, **named),
    )


def by_class(kind: Any, target: Any) -> Catalog:
    """The door of a store class; `target` is what its constructor takes first."""
    fork = getattr(kind, "fork_run", None)
    return Catalog(
        f"the class {kind.__name__}",
        lambda: kind.list_runs(target),
        lambda: kind.most_recent_run_id(target),
        None if fork is None else lambda **named: fork(target, **named),
    )


def doors(url: str | None, kind: type, target: Any) -> list[Catalog]:
    """Both doors, as far as they are there."""
    found = [] if url is None else [by_url(url)]
    if hasattr(kind, "list_runs") and target is not None:
        found.append(by_class(kind, target))
    return found
