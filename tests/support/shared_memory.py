"""A store that outlives its runtime inside one process, and can die at a chosen commit.

It stands in for a disk where thousands of crashes are tried: the log is that of the memory store,
a crash is an exception that nothing catches, and a load opens the same log again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from activegraph.core.event import Event
from activegraph.store import registry
from activegraph.store.base import RunRecord
from activegraph.store.memory import InMemoryEventStore
from activegraph.store.url import StoreURL

__all__ = ["Disk", "SimulatedCrash", "new_disk"]


class SimulatedCrash(BaseException):
    """The process is gone."""


class Disk:
    """All runs of one URL, and the fuse that ends a process at one of its commits."""

    def __init__(self, name: str, *, atomic: bool = True) -> None:
        self.name = name
        self.atomic = atomic
        self.url = f"memtest://{name}"
        self.runs: dict[str, _Log] = {}
        self.commits = 0
        self._crash_at: int | None = None
        self._after = False

    def crash_at(self, commit: int | None, *, after: bool = False) -> None:
        """Die at the given commit from now on (1 is the next), before or after it is stored."""
        self.commits = 0
        self._crash_at, self._after = commit, after

    def open(self, run_id: str) -> _Log:
        """The log of one run."""
        kind = _Log if self.atomic else _EventByEventLog
        return self.runs.setdefault(run_id, kind(self, run_id))

    def events(self, run_id: str) -> list[Event]:
        """What is on the disk."""
        return list(self.runs[run_id].iter_events())

    def commit(self, log: _Log, events: Sequence[Event], **options: Any) -> int:
        """Store a batch, unless the fuse burns."""
        if events:
            self.commits += 1
        dies = bool(events) and self.commits == self._crash_at
        if dies and not self._after:
            raise SimulatedCrash
        stored = InMemoryEventStore.append_many(log, events, **options)
        if dies:
            raise SimulatedCrash
        return stored


class _Log(InMemoryEventStore):
    def __init__(self, disk: Disk, run_id: str) -> None:
        super().__init__(run_id)
        self.disk = disk
        self.target = disk

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return self.disk.commit(self, events, **options)

    def close(self) -> None:
        """The disk stays."""

    def open_sibling(self, run_id: str) -> _Log:
        return self.disk.open(run_id)

    @classmethod
    def fork_run(
        cls,
        target: Disk,
        *,
        parent_run_id: str,
        new_run_id: str,
        at_event_id: str,
        label: str | None,
        created_at: str,
    ) -> int:
        parent, child = target.runs[parent_run_id], target.open(new_run_id)
        prefix = list(parent.iter_events(until=at_event_id))
        record = parent.get_run()
        setup = None if record is None or record.setup_count is None else min(record.setup_count, len(prefix))
        InMemoryEventStore.append_many(child, prefix)
        child._record = None
        child.upsert_run(
            parent_run_id=parent_run_id,
            forked_at_event_id=at_event_id,
            label=label,
            created_at=created_at,
            setup_count=setup,
        )
        return len(prefix)


class _EventByEventLog(_Log):
    """A log whose store knows no batches: a crash leaves part of a step."""

    @property
    def append_many(self) -> Any:
        raise AttributeError("this store appends one event at a time")

    def append(self, event: Event) -> None:
        self.disk.commit(self, (event,))


class _Backend:
    scheme = "memtest"

    def __init__(self) -> None:
        self.disks: dict[str, Disk] = {}

    def parse(self, url: str) -> StoreURL:
        return StoreURL("memtest", url)

    def open(self, url: StoreURL, run_id: str, *, read_only: bool = False) -> Any:
        return self._disk(url).open(run_id)

    def list_runs(self, url: StoreURL) -> list[RunRecord]:
        return [record for log in self._disk(url).runs.values() if (record := log.get_run()) is not None]

    def most_recent_run_id(self, url: StoreURL) -> str | None:
        return next(reversed(self._disk(url).runs), None)

    def _disk(self, url: StoreURL) -> Disk:
        return self.disks[url.raw.split("://", 1)[1]]


_backend = _Backend()
_names = count(1)


def new_disk(*, atomic: bool = True) -> Disk:
    """An empty disk, reachable by its URL in this process.

    Args:
        atomic: Whether its store commits the events of a step together.
    """
    registry._loaded["memtest"] = _backend
    disk = Disk(f"disk{next(_names)}", atomic=atomic)
    _backend.disks = {disk.name: disk}
    return disk
