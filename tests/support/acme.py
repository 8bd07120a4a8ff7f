"""A store backend as somebody else might write it: only what is required, found by a real entry point."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event
from activegraph.store import InMemoryEventStore, RunRecord, StoreURL, registry
from activegraph.store.url import invalid

__all__ = ["AcmeBackend", "PlainBackend", "install"]


class AcmeStore:
    """One run, kept as long as the process lives; closing a handle closes nothing."""

    def __init__(self, kept: InMemoryEventStore) -> None:
        self._kept = kept
        self.run_id = kept.run_id

    def append(self, event: Event) -> None:
        self._kept.append(event)

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        return self._kept.iter_events(after, until)

    def get_event(self, event_id: str) -> Event | None:
        return self._kept.get_event(event_id)

    def count(self) -> int:
        return self._kept.count()

    def truncate_after(self, event_id: str) -> None:
        self._kept.truncate_after(event_id)

    def close(self) -> None:
        pass


class AcmeTransactionalStore(AcmeStore):
    """With transactions and run records."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._kept.transaction():
            yield

    def get_run(self) -> RunRecord | None:
        return self._kept.get_run()

    def upsert_run(self, **fields: Any) -> None:
        self._kept.upsert_run(**fields)


class AcmeBackend:
    """`acme:name`: a named collection of runs in this process."""

    scheme = "acme"
    store = AcmeTransactionalStore
    kept: dict[str, dict[str, InMemoryEventStore]] = {}  # noqa: RUF012 - one database for all of the process

    def parse(self, url: str) -> StoreURL:
        if url.endswith(":"):
            raise invalid(url, "names no collection", "acme:name")
        return StoreURL(self.scheme, url)

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> AcmeStore:
        runs = self.kept.setdefault(url.raw, {})
        if read_only and run_id not in runs:
            return self.store(InMemoryEventStore(run_id))
        return self.store(runs.setdefault(run_id, InMemoryEventStore(run_id)))

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        records = [store.get_run() for store in self.kept.get(url.raw, {}).values()]
        return sorted((r for r in records if r is not None), key=lambda r: (r.created_at, r.run_id))

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        runs = self.list_runs(url)
        return runs[-1].run_id if runs else None


class PlainBackend(AcmeBackend):
    """`plain:name`: without transactions and without records."""

    scheme = "plain"
    store = AcmeStore
    kept: dict[str, dict[str, InMemoryEventStore]] = {}  # noqa: RUF012


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, entry_points: dict[str, str]) -> None:
    """Install a distribution that announces these backends, for the length of a test."""
    info = folder / "acme_stores-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-stores\nVersion: 1.0\n")
    lines = "".join(f"{scheme} = {target}\n" for scheme, target in entry_points.items())
    (info / "entry_points.txt").write_text(f"[activegraph.stores]\n{lines}")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(registry, "_loaded", {})
    monkeypatch.setattr(registry, "_failed", set())
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        monkeypatch.delitem(sys.modules, name)
    AcmeBackend.kept.clear()
    PlainBackend.kept.clear()
