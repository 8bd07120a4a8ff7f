"""Read-only connections that leave no trace.

What that takes was measured, and depends on which files are there: a `-wal` with its `-shm` is
shared but never made; with neither the file is read as immutable, and again if a writer has come
by meanwhile; a `-wal` alone (copied, or left by a crash on another machine) is read with a
private copy of the database.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Condition
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from activegraph.errors import SchemaVersionMismatch, StorageError, StoreUnavailableError
from activegraph.store.sqlite.driver_errors import DriverError, as_ours, translated
from activegraph.store.sqlite.location import Location, missing
from activegraph.store.sqlite.schema import check_schema, log_mismatch

__all__ = ["PROCESS_GATE", "ReadOnlyDatabase"]

_Result = TypeVar("_Result")
_ATTEMPTS = 100
_PAUSE = 0.002
_FILES_WENT_AWAY = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_CACHE = 256
"""KiB of pages that a connection keeps; a look goes by most pages once, and fresh memory costs more than it saves."""
_LOG_HEADER = 32
_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


class _Gate:
    """Keeps the opening of a write connection and read-only reads of one process apart.

    All connections of a process to one file share SQLite's view of its `-shm`. A write connection
    that is opened while only a read-only one holds that view gets it read-only, and never writes.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nobody inside, nobody waiting; a child made by `fork()` starts here, whatever its parent's threads did."""
        self._changed = Condition()
        self._readers = 0
        self._opening = 0

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Wait for reads under way; none begins until the block ends."""
        with self._changed:
            self._opening += 1
            self._changed.wait_for(lambda: self._readers == 0)
        try:
            yield
        finally:
            with self._changed:
                self._opening -= 1
                self._changed.notify_all()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for connections that are being opened for writing."""
        with self._changed:
            self._changed.wait_for(lambda: self._opening == 0)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()


PROCESS_GATE = _Gate()
os.register_at_fork(after_in_child=PROCESS_GATE.begin)


class ReadOnlyDatabase:
    """Reads one SQLite file and leaves no trace: no file, no lock that a writer could feel.

    Args:
        check: Called with each connection before it is used; refuses layouts that are not understood.

    Raises:
        StoreNotFoundError: There is no such file.
    """

    def __init__(
        self, location: Location, check: Callable[[sqlite3.Connection, Location], object] | None = None
    ) -> None:
        self.location = location
        _shape(location)
        self._check = _check_ours if check is None else check
        self._copy: tuple[_Shape, tempfile.TemporaryDirectory[str]] | None = None

    def read(self, operation: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """The result of `operation` on a consistent database; it may be called more than once."""
        failure: BaseException | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE)
            before = _shape(self.location)
            try:
                with PROCESS_GATE.reading(), self._connection(before) as connection:
                    self._check(connection, self.location)
                    result = operation(connection)
            except (*DriverError, StorageError) as error:
                # What was read of files that moved meanwhile says nothing.
                if not self._moved(before, error):
                    raise self._final(error) from error.__cause__ if isinstance(error, StorageError) else error
                failure = error
                continue
            if before.is_shared or _shape(self.location) == before:
                return result
        raise self._kept_changing() from failure

    def _moved(self, before: _Shape, error: BaseException) -> bool:
        if before.is_shared:
            # A snapshot beside a writer is sound; only its files may have been taken away, or made anew.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            return code in _FILES_WENT_AWAY or not _shape(self.location).is_shared
        return _shape(self.location) != before

    def _final(self, error: BaseException) -> BaseException:
        if isinstance(error, SchemaVersionMismatch):
            log_mismatch(error)
        return as_ours(error, self.location, None)

    def _kept_changing(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.location.shown} kept changing while it was read",
            what_failed=f"Reading {self.location.shown}, {_ATTEMPTS} times.",
            why="A read that leaves no trace is repeated when a writer comes or goes meanwhile.",
            how_to_fix="Try again.",
            context={"driver": "sqlite", "reason": "locked", "path": self.location.shown},
        )

    def close(self) -> None:
        """Remove the private copy, if there is one."""
        copy, self._copy = self._copy, None
        if copy is not None:
            copy[1].cleanup()

    @contextmanager
    def _connection(self, shape: _Shape) -> Iterator[sqlite3.Connection]:
        if shape.log is not None and not shape.has_index:
            file, options = self._private_copy(shape), ""
        else:
            file = self.location.file
            options = "?mode=ro&readonly_shm=1" if shape.is_shared else "?mode=ro&immutable=1"
        url = f"file:{quote(os.fsencode(file))}{options}"
        with closing(sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False)) as connection:
            connection.execute(f"PRAGMA cache_size=-{_CACHE}")
            yield connection

    def _private_copy(self, shape: _Shape) -> str:
        if self._copy is None or self._copy[0] != shape:
            self.close()
            folder = tempfile.TemporaryDirectory(prefix="activegraph-read-")
            shutil.copyfile(self.location.file, os.path.join(folder.name, "copy.db"))
            shutil.copyfile(self.location.log, os.path.join(folder.name, "copy.db-wal"))
            self._copy = (shape, folder)
        return os.path.join(self._copy[1].name, "copy.db")


def _check_ours(connection: sqlite3.Connection, location: Location) -> None:
    check_schema(connection, location, may_create=False)


class _Shape(NamedTuple):
    """Which files a database has, and what tells that they were written to; a log without frames is none."""

    database: tuple[int, int, int]
    log: tuple[int, int, int] | None
    has_index: bool

    @property
    def is_shared(self) -> bool:
        """Whether the write-ahead log and its index are there to be read beside a writer."""
        return self.log is not None and self.has_index


def _shape(location: Location) -> _Shape:
    with translated(location, None):
        database = _stamp(location.file)
        if database is None:
            fix = "Check the path; `ls` shows which files there are."
            raise missing(location.shown, "there is no such file", fix)
        log = _stamp(location.log)
        if log is not None and not _may_hold_frames(location.log, log[0]):
            log = None
        return _Shape(database, log, os.path.exists(location.shared_index))


def _may_hold_frames(log: str, size: int) -> bool:
    """Whether there is a header with something behind it.

    A writer ignores any other log. A reader that may not make the index would wait for seconds for
    a writer to make it, and then give up.
    """
    if size <= _LOG_HEADER:
        return False
    try:
        with open(log, "rb") as file:
            return file.read(4) in _LOG_MAGIC
    except FileNotFoundError:
        return False


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        state = os.stat(file)
    except FileNotFoundError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ino
