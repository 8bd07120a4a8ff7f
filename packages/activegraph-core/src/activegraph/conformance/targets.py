"""What the command line names: a store by URL, with its places, and a metrics backend by its factory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from activegraph.conformance.cases import Case
from activegraph.conformance.hooks import hooks_of
from activegraph.conformance.stores import EventStoreConformance
from activegraph.conformance.suite import directory_state
from activegraph.metrics import NoOpMetrics
from activegraph.store.base import EventStore
from activegraph.store.registry import backend_of
from activegraph.store.url import parse_store_url, safe_url

__all__ = ["MEMORY", "MetricsTarget", "StoreTarget", "StoreUnderTest"]

MEMORY = "memory:"
"""The target that stands for the memory store; only the suites know it."""

_FILES_LACK = {"server", "lent connections"}
_MEMORY_LACKS = {
    "second handle",
    "read-only handle",
    "url",
    "catalog",
    "fork",
    "import",
    "second process",
    "damaged row",
    "schema version",
    "empty place",
    "state",
    "foreign tables",
    "held lock",
    "migrate",
    "storage",
    *_FILES_LACK,
}
_PLACE = "{tmp}"


@dataclass(frozen=True)
class StoreTarget:
    """One `--store-url`; `{tmp}` in it stands for a fresh directory of each test."""

    template: str

    @property
    def name(self) -> str:
        """The URL as a report shows it."""
        return safe_url(self.template)

    @property
    def is_memory(self) -> bool:
        """Whether this is the memory store."""
        return self.template == MEMORY

    @property
    def has_places(self) -> bool:
        """Whether every test gets a directory of its own."""
        return _PLACE in self.template

    def url_in(self, folder: Path) -> str:
        """The URL with a directory for `{tmp}`."""
        return self.template.replace(_PLACE, str(folder))

    def find_backend(self) -> None:
        """Look for whoever serves the URL.

        Raises:
            InvalidStoreURL: No store that is installed takes such a URL.
            ActiveGraphError: The one that would cannot be loaded.
        """
        if not self.is_memory:
            backend_of(parse_store_url(self.url_in(Path(tempfile.gettempdir()))))

    @property
    def has_server(self) -> bool:
        """Whether connections to it can be lost: the backend's hooks say so, or the URL has a host."""
        if self.is_memory or self.has_places:
            return False
        said = getattr(hooks_of(self.template), "server", None)
        return bool(urlsplit(self.template).netloc) if said is None else bool(said)

    def applies(self, about: Case) -> bool:
        """Whether a case is about a store of this kind at all, whatever capabilities it has.

        The memory store has one handle and no URL by contract; a file has no server.
        """
        if self.is_memory:
            return not _MEMORY_LACKS.intersection(about.needs)
        return self.has_server or not _FILES_LACK.intersection(about.needs)


@dataclass(frozen=True)
class MetricsTarget:
    """One `--metrics`, with the function that reads it back where there is one."""

    factory: str
    reader: str | None = None

    @property
    def name(self) -> str:
        """The factory as a report shows it."""
        return self.factory

    def make(self) -> Any:
        """A fresh backend."""
        return _named(self.factory)()

    @property
    def can_read(self) -> bool:
        """Whether the backend's series can be read back; one that does nothing has none."""
        return self.reader is not None and not self.does_nothing

    def read(self, metrics: Any) -> Mapping[Any, float]:
        """The series of a backend."""
        found: Mapping[Any, float] = _named(self.reader or "")(metrics)
        return found

    @property
    def does_nothing(self) -> bool:
        """Whether this is the backend that measures nothing."""
        return isinstance(self.make(), NoOpMetrics)

    def applies(self, about: Case) -> bool:
        """Whether a case is about a backend of this kind: one that measures nothing cannot be read back."""
        if about.id == "metrics-13":
            return self.does_nothing
        return not (self.does_nothing and set(about.needs) & {"read", "remove_gauge"})


def _named(text: str) -> Callable[..., Any]:
    module, _, path = text.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]  # the user's word that it can be called


class StoreUnderTest(EventStoreConformance):
    """The suite on a store that is named by URL; `enter` gives each test its place."""

    __test__ = False

    def enter(self, target: StoreTarget, folder: Path) -> None:
        """Set up one test.

        Args:
            folder: A directory that is empty, and the test's own.
        """
        self.target = target
        self._folder = folder
        self._places = 0
        self._one_handle: dict[str, EventStore] = {}
        self._entered = ExitStack()
        if not target.is_memory:
            self.url = target.url_in(folder / "place")
            if target.has_places:
                (folder / "place").mkdir()

    def leave(self) -> None:
        """Give back what the places of one test took."""
        self._entered.close()

    def make_store(self, run_id: str) -> EventStore:
        if not self.target.is_memory:
            from activegraph.store.runs import open_store

            return open_store(self.store_url(), run_id)
        if run_id not in self._one_handle:
            from activegraph.store.memory import InMemoryEventStore

            self._one_handle[run_id] = InMemoryEventStore(run_id)
        return self._one_handle[run_id]

    def reopen(self, store: EventStore) -> EventStore:
        return self.make_store(store.run_id)

    def open_read_only(self, run_id: str) -> EventStore:
        from activegraph.store.runs import open_store

        return open_store(self.store_url(), run_id, read_only=True)

    def damage(self, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        self.hook("damage")(self.store_url(), run_id, position, delete=delete, **columns)

    def set_meta(self, key: str, value: str | None) -> None:
        self.hook("set_meta")(self.store_url(), key, value)

    def offers(self, need: str) -> bool:
        if self.target.is_memory:
            return False
        match need:
            case "second handle" | "read-only handle" | "second process":
                return True
            case "damaged row":
                return self._has_hook("damage")
            case "schema version":
                return self._has_hook("set_meta")
            case "empty place":
                return self.target.has_places or self._has_hook("isolated")
            case "state":
                return self.target.has_places or self._has_hook("state")
            case "server":
                return self.target.has_server
        return super().offers(need)

    def empty_url(self) -> str:
        if not self.target.has_places:
            url: str = self._entered.enter_context(self.hook("isolated")(self.store_url()))
            return url
        self._places += 1
        folder = self._folder / f"empty{self._places}"
        folder.mkdir()
        return self.target.url_in(folder)

    def public_url(self) -> tuple[str, Path]:
        folder = Path(tempfile.mkdtemp(prefix="activegraph-", dir="/tmp"))
        folder.chmod(0o755)
        self._entered.callback(shutil.rmtree, folder, ignore_errors=True)
        return self.target.url_in(folder), folder

    def state_of(self, url: str | None) -> object:
        url = self.store_url() if url is None else url
        if not self.target.has_places:
            return self.hook("state")(url)
        folders = [self._folder / "place", *(self._folder / f"empty{n}" for n in range(1, self._places + 1))]
        return directory_state(next(folder for folder in folders[::-1] if self.target.url_in(folder) == url))

    def forget_runs(self, run_ids: list[str]) -> None:
        if not self.target.is_memory and not self.target.has_places:
            super().forget_runs(run_ids)
