"""A store of many faults: the URL scheme `broken`, where `?defect=name` chooses the one promise that it breaks.

    broken:///tmp/x.db?defect=drops_the_last_event

Each defect is a SQLite store or backend with a small override, and tells by the ids of the suite's
cases which promise it breaks. `install` makes the scheme known to this process and its children.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from activegraph.core.event import Event
from activegraph.errors import InvalidStoreURL
from activegraph.store.base import EventStore, ImportResult, RawEvent, RunRecord
from activegraph.store.sqlite import SQLiteEventStore
from activegraph.store.sqlite.backend import SQLiteBackend
from activegraph.store.sqlite.conformance import SQLiteHooks
from activegraph.store.url import StoreURL, parse_sqlite_url

__all__ = ["BrokenBackend", "Defect", "TellingBackend", "breaks", "defects", "install"]

_Broken = TypeVar("_Broken", bound=type)

_MODULES = (
    "broken_contents",
    "broken_reading",
    "broken_lookups",
    "broken_writing",
    "broken_heads",
    "broken_records",
    "broken_catalogs",
    "broken_guards",
)


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        cases: Ids of cases of which each must refuse it; none where it is refused by a case on two stores.
        kind: A subclass of the SQLite store, or of its backend.
        by: Part of the name of the one case that is slow to come to, where an id has many.
    """

    name: str
    cases: tuple[str, ...]
    kind: type
    by: str = ""


_defects: dict[str, Defect] = {"none": Defect("none", (), SQLiteEventStore)}


def breaks(*cases: str, by: str = "") -> Callable[[_Broken], _Broken]:
    """Register a class as a defect under its own name."""

    def register(kind: _Broken) -> _Broken:
        _defects[kind.__name__] = Defect(kind.__name__, cases, kind, by)
        return kind

    return register


def defects() -> dict[str, Defect]:
    """All defects by name, and `none`, which has none."""
    for module in _MODULES:
        import_module(f"support.{module}")
    return _defects


def install(folder: Path) -> None:
    """Announce the scheme by an entry point on the path, as an installed distribution would."""
    about = folder / "broken_stores-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-stores\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[activegraph.stores]\n"
        "broken = support.broken_stores:BrokenBackend\n"
        "telling = support.broken_stores:TellingBackend\n"
    )
    sys.path.insert(0, str(folder))


class BrokenBackend:
    """Opens the store that the URL's `defect` names."""

    scheme = "broken"

    def parse(self, url: str) -> StoreURL:
        base, _, query = url.partition("?")
        return StoreURL("broken", url, parse_sqlite_url(base).sqlite_path, (("defect", query.partition("=")[2]),))

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> EventStore:
        kind = _kind(url)
        if issubclass(kind, SQLiteBackend):
            return kind().open(_sound(url), run_id, read_only=read_only)
        store: EventStore = kind(url.sqlite_path, run_id, read_only=read_only)
        return store

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        kind = _kind(url)
        if issubclass(kind, SQLiteBackend):
            return kind().list_runs(_sound(url))
        found: list[RunRecord] = kind.list_runs(url.sqlite_path)  # type: ignore[attr-defined]
        return found

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        kind = _kind(url)
        if issubclass(kind, SQLiteBackend):
            return kind().most_recent_run_id(_sound(url))
        found: str | None = kind.most_recent_run_id(url.sqlite_path)  # type: ignore[attr-defined]
        return found

    def fork_run(self, url: StoreURL, *, extra_events: Sequence[Event] = (), **named: Any) -> int:
        kind = _kind(url)
        if issubclass(kind, SQLiteBackend):
            return kind().fork_run(_sound(url), extra_events=extra_events, **named)
        copied: int = kind.fork_run(url.sqlite_path, extra_events=extra_events, **named)  # type: ignore[attr-defined]
        return copied

    def import_run(self, url: StoreURL, record: RunRecord, events: Iterable[RawEvent]) -> ImportResult:
        kind = _kind(url)
        backend = kind() if issubclass(kind, SQLiteBackend) else SQLiteBackend()
        return backend.import_run(_sound(url), record, events)

    @property
    def conformance_hooks(self) -> object:
        return _Hooks()


class TellingBackend(BrokenBackend):
    """Tells every URL that it cannot use as it was given."""

    scheme = "telling"

    def parse(self, url: str) -> StoreURL:
        if not url.startswith("telling:///"):
            raise InvalidStoreURL(f"{url} names no file", context={"url": "***"})
        return replace(super().parse(f"{url}?defect=none"), scheme="telling")


class _Hooks:
    """The hooks of the sound store, for URLs of the broken one."""

    server = False

    def __getattr__(self, name: str) -> Any:
        hook = getattr(SQLiteHooks(), name)
        return lambda url, *arguments, **named: hook(_sound_text(url), *arguments, **named)


def _kind(url: StoreURL) -> type:
    return defects()[dict(url.options)["defect"]].kind


def _sound(url: StoreURL) -> StoreURL:
    return parse_sqlite_url(_sound_text(url.raw))


def _sound_text(url: str) -> str:
    return f"sqlite:{url.partition('?')[0].partition(':')[2]}"
