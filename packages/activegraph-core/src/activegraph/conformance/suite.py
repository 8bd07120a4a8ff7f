"""What the cases of a store stand on: the hooks that a user gives, and handles that are given back."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from activegraph.conformance.cases import Lacking, check, of_scale, same
from activegraph.conformance.catalog import Catalog, doors
from activegraph.conformance.children import Message
from activegraph.conformance.hooks import hooks_of
from activegraph.conformance.processes import ask, options
from activegraph.store.base import EventStore, StoreBackend
from activegraph.store.url import StoreURL, parse_store_url

__all__ = ["StoreSuite"]

_MEMBERS = {
    "append_many": "append_many [AtomicAppend]",
    "head": "head [AtomicAppend]",
    "iter_range": "iter_range [RangeRead]",
    "tail": "tail [RangeRead]",
    "iter_types": "iter_types",
    "iter_raw": "iter_raw",
    "transaction": "transaction [Transactional]",
    "metadata": "get_run and upsert_run [RunMetadata]",
}
"""Capabilities that a store shows by having a member of this name, as a skip says them."""

_HOOKED = {
    "second handle": "a second handle on the same data (hook: reopen)",
    "read-only handle": "a read-only handle (hook: open_read_only)",
    "url": "the store's URL (hook: url)",
    "second process": "a second process (hook: crash_command)",
    "damaged row": "a damaged row (hook: damage)",
    "schema version": "another schema version (hook: set_meta)",
    "catalog": "list_runs and most_recent_run_id [RunCatalog] (hook: url)",
    "fork": "fork_run [RunCatalog] (hook: url)",
    "import": "import_run of its backend, or transaction, and the store's URL (hook: url)",
    "empty place": "an empty place ({tmp} in the URL, or the backend's hook isolated)",
    "state": "a look at all that the store keeps (the backend's hook state)",
    "storage": "storage outside of its process",
    "server": "a server behind the URL",
    "foreign tables": "somebody else's tables (the backend's hook make_foreign)",
    "held lock": "a lock of another session (the backend's hook held_lock)",
    "lent connections": "connections of the caller's (the backend's hook lend)",
}
"""Capabilities that hang on a hook, as a skip says them."""

_BACKEND_HOOKS = {"foreign tables": "make_foreign", "held lock": "held_lock", "lent connections": "lend"}


class StoreSuite:
    """The hooks of `EventStoreConformance`, and the helpers of its cases.

    Required is `make_store`. Without one of the others the cases that need it are skipped by name.
    """

    __test__ = False

    url: str | None = None
    """A URL by which `open_store`, `list_runs` and other processes reach the same data."""

    def make_store(self, run_id: str) -> EventStore:
        """A store for this run. Within one test, calls with the same id see the same data."""
        raise NotImplementedError("give make_store(run_id)")

    def cleanup(self) -> None:
        """Called after each test."""

    def reopen(self, store: EventStore) -> EventStore:
        """Another handle on the run of `store`, which may be closed or open."""
        raise Lacking(_HOOKED["second handle"])

    def open_read_only(self, run_id: str) -> EventStore:
        """A read-only handle on a run."""
        raise Lacking(_HOOKED["read-only handle"])

    def crash_command(self, *arguments: str) -> Sequence[str]:
        """The command line of a process that works on the same data: the worker with these arguments."""
        return self.worker_on(self.store_url(), *arguments)

    def damage(self, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        """Change columns of a stored row past the store (`payload`, `type`, …), or delete the row."""
        raise Lacking(_HOOKED["damaged row"])

    def set_meta(self, key: str, value: str | None) -> None:
        """Set `schema_version` or `codec_version` past the store; None removes it."""
        raise Lacking(_HOOKED["schema version"])

    # What follows is for the cases.

    def missing(self, need: str) -> str | None:
        """What is lacking for `need`, as a skip says it; None if the case can run."""
        if need in _MEMBERS:
            store = self.open(self.new_run())
            member = "upsert_run" if need == "metadata" else need
            return None if hasattr(store, member) else _MEMBERS[need]
        return None if self.offers(need) else _HOOKED.get(need, need)

    def offers(self, need: str) -> bool:
        """Whether a capability that hangs on a hook is there."""
        match need:
            case "second handle":
                return self._overrides("reopen") or self._makes_second_handles()
            case "read-only handle":
                return self._overrides("open_read_only")
            case "url":
                return self._url() is not None
            case "second process":
                return self._url() is not None or self._overrides("crash_command")
            case "damaged row":
                return self._overrides("damage")
            case "schema version":
                return self._overrides("set_meta")
            case "storage":
                return True
            case "catalog" | "fork":
                return any(need == "catalog" or each.fork_run is not None for each in self.catalogs())
            case "import":
                if self._url() is None:
                    return False
                return hasattr(self.backend(), "import_run") or hasattr(self.open(), "transaction")
            case "state":
                return self._url() is not None and (
                    self.parsed_url().sqlite_path is not None or self._has_hook("state")
                )
        return need in _BACKEND_HOOKS and self._has_hook(_BACKEND_HOOKS[need])

    def _has_hook(self, name: str) -> bool:
        return getattr(hooks_of(self._url()), name, None) is not None

    def _overrides(self, hook: str) -> bool:
        return getattr(type(self), hook) is not getattr(StoreSuite, hook)

    def _makes_second_handles(self) -> bool:
        """Whether calls of `make_store` give handles of their own on data that outlives one."""
        from activegraph.conformance.samples import event

        run_id = self.new_run()
        first = self.open(run_id)
        first.append(event("evt_1"))
        first.append(event("evt_2"))
        first.close()
        second = self.open(run_id)
        try:
            return second is not first and second.count() > 0
        except Exception:
            # The hook gives the handle that was closed: there is one handle, and no second.
            return False

    def _url(self) -> str | None:
        given: Any = self.url
        url: str | None = given() if callable(given) else given
        return url

    def store_url(self) -> str:
        """The URL of the data that `make_store` works on."""
        url = self._url()
        if url is None:
            raise Lacking(_HOOKED["url"])
        return url

    def parsed_url(self) -> StoreURL:
        """The parts of the store's URL."""
        return parse_store_url(self.store_url())

    def backend(self) -> StoreBackend:
        """The backend that serves the store's URL."""
        from activegraph.store.registry import backend_of

        parsed = self.parsed_url()
        return backend_of(parsed)

    def hook(self, name: str) -> Callable[..., Any]:
        """A hook of the store's backend."""
        found = getattr(hooks_of(self._url()), name, None)
        if found is None:
            raise Lacking(f"the backend's hook {name}")
        hook: Callable[..., Any] = found
        return hook

    def catalogs(self) -> list[Catalog]:
        """The doors to all runs at once: the URL's backend, and the store's class."""
        return self.catalogs_at(self._url(), self.open())

    def catalogs_at(self, url: str | None, store: EventStore) -> list[Catalog]:
        """The doors to all runs of the place of `url`, in which `store` stands."""
        return doors(url, type(store), getattr(store, "target", url))

    @property
    def resources(self) -> ExitStack:
        """What is given back at the end of the case, last first."""
        stack: ExitStack | None = self.__dict__.get("_resources")
        if stack is None:
            stack = self.__dict__["_resources"] = ExitStack()
        return stack

    def new_run(self, name: str = "run") -> str:
        """A run id that nobody has used."""
        return self.known_run(f"{name}_{uuid4().hex[:16]}")

    def known_run(self, run_id: str) -> str:
        """A run that the case makes, to be deleted at its end where the store is shared."""
        self.__dict__.setdefault("_runs", []).append(run_id)
        return run_id

    def open(self, run_id: str | None = None) -> EventStore:
        """A handle that is closed at the end of the case; without an id, on a new run."""
        return self.keep(self.make_store(self.new_run() if run_id is None else run_id))

    def keep(self, store: EventStore) -> EventStore:
        """Close a handle at the end of the case."""

        def close() -> None:
            with suppress(Exception):
                store.close()

        self.resources.callback(close)
        return store

    def filled(self, number: int, run_id: str | None = None) -> EventStore:
        """A handle on a run of `evt_1`, `evt_2`, …"""
        from activegraph.conformance.samples import events

        store: Any = self.open(run_id)
        if hasattr(store, "append_many"):
            store.append_many(events(number))
        else:
            for each in events(number):
                store.append(each)
        return store  # type: ignore[no-any-return]  # from open

    def beside(self, store: EventStore) -> EventStore:
        """A second handle on the same run, while the first stays open."""
        second = self.keep(self.make_store(store.run_id))
        if second is not store:
            return second
        second = self.keep(self.reopen(store))
        if second is store:
            raise Lacking(_HOOKED["second handle"])
        try:
            store.count()
        except Exception as error:
            raise Lacking("a second handle beside an open one (the hook reopen closes the first)") from error
        return second

    def reader(self, run_id: str) -> EventStore:
        """A read-only handle that is closed at the end of the case."""
        return self.keep(self.open_read_only(run_id))

    def again(self, store: EventStore) -> EventStore:
        """The run of `store` after that handle was closed and given up."""
        store.close()
        again = self.keep(self.reopen(store)) if self._overrides("reopen") else self.open(store.run_id)
        if again is store:
            raise Lacking(_HOOKED["second handle"])
        return again

    def empty_url(self) -> str:
        """The URL of a place of its own where no store has been yet."""
        raise Lacking(_HOOKED["empty place"])

    def open_at(self, url: str, run_id: str, *, read_only: bool = False) -> EventStore:
        """A handle on a run of the store at `url`, through its backend."""
        from activegraph.store.runs import open_store

        return self.keep(open_store(url, run_id, read_only=read_only))

    def worker_on(self, url: str, *arguments: str) -> list[str]:
        """The command line of a worker on the store at `url`."""
        return [sys.executable, "-m", "activegraph.conformance.worker", url, *arguments]

    def work(self, command: str, **named: Any) -> list[Message]:
        """What a worker on the store under test tells of a command."""
        return ask(self.crash_command(command, options(**named)))

    def swept(self, action: str, runs: list[str], **named: Any) -> list[Message]:
        """Kill one process per run at different steps of an action; gives at which each was killed."""
        told = self.work("sweep", action=action, runs=runs, seconds=of_scale(6.0, 60.0), **named)
        failed = [message for message in told if "error" in message]
        check(not failed, f"a process failed: {failed[:1]}")
        same("runs of the processes that were killed", [message["run"] for message in told], runs[: len(told)])
        # An action without any step, like a close that has nothing to release, leaves no place in it to die at.
        least = 3 if told and told[0]["of"] else 2
        check(len(told) >= min(len(runs), least), "no process was killed")
        return told

    def state_of(self, url: str | None) -> object:
        """All that is in the place of a URL, comparable by `==`: files, or what the hook `state` tells.

        Args:
            url: None for the place of the store under test.
        """
        parsed = parse_store_url(url or self.store_url())
        if parsed.sqlite_path is not None:
            return directory_state(Path(parsed.sqlite_path).parent)
        return self.hook("state")(parsed.raw)

    def public_url(self) -> tuple[str, Path]:
        """The URL of an empty place in a folder that other users of the machine can reach, and the folder."""
        raise Lacking(_HOOKED["empty place"])

    def finish(self) -> None:
        """Close what the case opened and call the user's `cleanup`."""
        try:
            self.resources.close()
        finally:
            self.__dict__.pop("_resources", None)
            runs = self.__dict__.pop("_runs", [])
            self.forget_runs(runs)
            self.cleanup()

    def forget_runs(self, run_ids: list[str]) -> None:
        """Delete the runs of a case where the store outlives it and its backend can."""
        delete = getattr(hooks_of(self._url()), "delete_run", None) if runs_outlive(self._url()) else None
        if delete is not None:
            gc.collect()
            for run_id in run_ids:
                delete(self._url(), run_id)


def runs_outlive(url: str | None) -> bool:
    """Whether a store is likely to be shared: it is not a file, which its owner throws away."""
    return url is not None and parse_store_url(url).sqlite_path is None


def directory_state(folder: Path) -> dict[str, bytes | None]:
    """Names and contents of all files below a folder; folders stand for None."""
    if not folder.exists():
        return {}
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
