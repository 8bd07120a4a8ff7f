"""A run in a text file, one line for each commit.

A line without its end is of a process that died, and counts for nobody. Nothing is ever changed,
a truncation is a line as well; so an offset tells an event from any other that stood at its position.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from threading import RLock
from time import gmtime, strftime
from typing import Any

from activegraph import Event, store
from activegraph.store.refusals import closed, duplicate, first_double, read_only_handle, unknown_event
from activegraph.store.serde import decode_event, encode_event


class JsonlStore(AbstractContextManager["JsonlStore"]):
    """A handle on a run. `_known` is the head (position and offset) that its next append goes behind."""

    def __init__(self, folder: Path, run_id: str, *, read_only: bool = False) -> None:
        self.run_id, self._read_only, self._lock, self._read = run_id, read_only, RLock(), 0
        self._path = folder / f"{sha256(run_id.encode()).hexdigest()}.jsonl"
        self._places: list[tuple[str, int, int]] = []  # id, offset and length of each event
        self._positions: dict[str, int] = {}
        if not read_only:
            folder.mkdir(exist_ok=True)
        elif not folder.is_dir():
            raise store.StoreNotFoundError(f"no folder {folder}", context={"path": str(folder), "driver": "jsonl"})
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT | os.O_APPEND
        # A run that nobody has written yet reads as an empty file, and is not made.
        self._file = os.open(os.devnull if read_only and not self._path.exists() else self._path, flags, 0o666)
        self._known = self._head()

    def append(self, event: Event) -> None:
        self.append_many((event,))

    def append_many(self, events: Sequence[Event], *, expected_count: int | None = None, sync: Any = None) -> int:
        with self._writing("append"):
            rows = [encode_event(event) for event in events]
            ids = [row["id"] for row in rows]
            known = {id for id in ids if 0 < self._positions.get(id, 0) <= self._known[0]}
            if (double := first_double(ids, known)) is not None:
                raise duplicate(double, self.run_id)
            self._check_head(self._known[0] if expected_count is None else expected_count)
            if rows:
                made = {"run": self.run_id, "made": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())}
                self._commit(rows if self._read else [made, *rows])
            if sync:
                os.fsync(self._file)
            return len(self._places)

    def iter_events(self, after: str | None = None, until: str | None = None) -> Iterator[Event]:
        head, known = self._head(), self._known
        start = 0 if after is None else self._position(after, "after")
        yield from self._events(start, head[0] if until is None else self._position(until, "until"))
        if until is None and self._known == known:
            self._known = head

    def get_event(self, event_id: str) -> Event | None:
        position = self.count() and self._positions.get(event_id, 0)
        return next(self._events(position - 1, position)) if position else None

    def head(self) -> int:
        return self._head()[0]

    count = head

    def truncate_after(self, event_id: str) -> None:
        with self._writing("truncate_after"):
            position = self._position(event_id, "truncate_after")
            self._check_head(self._known[0])
            self._commit([{"truncate": position}])

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"JsonlStore({str(self._path.parent)!r}, run_id={self.run_id!r})"

    def _head(self) -> tuple[int, int]:
        """Position and offset of the last event, after reading on to the last commit."""
        with self._lock:
            if self._file < 0:
                raise closed("jsonl", self.run_id)
            fresh = os.pread(self._file, os.fstat(self._file).st_size - self._read, self._read)
            for text in fresh[: fresh.rfind(b"\n") + 1].replace(b"\n", b"\t").split(b"\t")[:-1]:
                told = json.loads(text)
                if "id" in told:
                    self._places.append((told["id"], self._read, len(text)))
                    self._positions[told["id"]] = len(self._places)
                while len(self._places) > told.get("truncate", len(self._places)):
                    del self._positions[self._places.pop()[0]]
                self._read += len(text) + 1
            return (len(self._places), self._places[-1][1]) if self._places else (0, 0)

    def _events(self, start: int, stop: int) -> Iterator[Event]:
        for _, offset, length in self._places[start:stop]:
            yield decode_event(json.loads(os.pread(self._file, length, offset)))

    @contextmanager
    def _writing(self, operation: str) -> Iterator[None]:
        """Hold the file's lock, with the file cut to the last commit."""
        with self._lock:
            if self._head() and self._read_only:
                raise read_only_handle(self.run_id, operation, repr(self))
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._head()
                os.ftruncate(self._file, self._read)
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _commit(self, told: list[dict[str, Any]]) -> None:
        line = ("\t".join(map(json.dumps, told)) + "\n").encode()
        try:
            if os.write(self._file, line) < len(line):
                raise OSError("the disk is full")
        except OSError as error:
            context = {"driver": "jsonl", "reason": "full", "committed": False}
            raise store.StoreUnavailableError(f"cannot write to {self._path}: {error}", context=context) from error
        self._known = self._head()

    def _check_head(self, expected: int) -> None:
        (actual, offset), known = self._head(), self._known
        if expected != actual or (expected == known[0] and offset != known[1]):
            heads = [self._places[n - 1][0] if 0 < n <= actual else None for n in (expected, actual)]
            told: dict[str, Any] = {"expected_count": expected, "actual_count": actual}
            told |= {"expected_head": heads[0], "actual_head": heads[1]}
            raise store.ConcurrentWriterError(run_id=self.run_id, driver="jsonl", **told)

    def _position(self, event_id: str, where: str) -> int:
        if event_id not in self._positions:
            raise unknown_event(event_id, self.run_id, where, "jsonl")
        return self._positions[event_id]
