"""Connections: one long-lived one for writing, and read-only ones that change nothing.

What a read-only opening needs to leave no trace was measured, and depends on which files are
there: with `-wal` and `-shm` they are shared but never made; with neither the file is read as
immutable; with a `-wal` alone (copied, or left by a crash on another machine) a private copy is read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

from activegraph.errors import StoreNotFoundError, StoreUnavailableError
from activegraph.store.sqlite.driver_errors import translated
from activegraph.store.sqlite.schema import check_schema, create_schema

__all__ = ["ReadOnlyDatabase", "open_for_writing", "sync_directory", "sync_log"]

_Result = TypeVar("_Result")
_ATTEMPTS = 20
_STATEMENT_CACHE = 64


def open_for_writing(path: str, *, synchronous: str, busy_timeout: float) -> sqlite3.Connection:
    """The write connection: WAL, autocommit, made if missing.

    Raises:
        StoreNotFoundError: The directory is missing.
        StoreUnavailableError, LogInconsistencyError, SchemaVersionMismatch: It cannot be used.
    """
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise _missing(path, f"the directory {directory} does not exist", f"mkdir -p {directory}")
    with translated(path, None, writing=True):
        _refuse_directory(path)
        fresh = not os.path.exists(path)
        connection = sqlite3.connect(
            path,
            timeout=busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENT_CACHE,
        )
        try:
            if not check_schema(connection, path, may_create=True):
                _set_wal(connection)
                create_schema(connection, path)
            connection.execute(f"PRAGMA synchronous={synchronous}")
            _set_wal(connection)
            if fresh:
                sync_directory(path)
        except BaseException:
            connection.close()
            raise
    return connection


def _set_wal(connection: sqlite3.Connection) -> None:
    # Switching needs the only lock for an instant, and the busy handler is not asked for it.
    for attempt in range(_ATTEMPTS * 50):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or attempt == _ATTEMPTS * 50 - 1:
                raise
            _pause()


def _pause() -> None:
    import time

    time.sleep(0.01)


def _refuse_directory(path: str) -> None:
    if os.path.isdir(path):
        raise StoreUnavailableError(
            f"{path} is a directory",
            what_failed=f"Opening {path} as a SQLite file.",
            why="A SQLite store is one file.",
            how_to_fix=f"Name a file in it: sqlite:///{path.rstrip('/')}/run.db",
            context={"driver": "sqlite", "reason": "io", "path": path},
        )


def sync_log(path: str) -> None:
    """Force all commits so far to stable storage.

    In WAL mode a commit stands in the `-wal` file until a checkpoint moves it, and a checkpoint syncs
    what it moves, so syncing the `-wal` covers everything. The database file itself is left alone:
    closing a second descriptor on it would drop the locks that SQLite holds for this process.
    """
    try:
        descriptor = os.open(f"{path}-wal", os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Make the file's name durable; where a directory cannot be opened, the file system decides."""
    try:
        descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ReadOnlyDatabase:
    """Reads one SQLite file and leaves no trace: no file, no lock that a writer could feel."""

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.exists(path):
            raise _missing(path, "there is no such file", "Check the path; see which stores there are with `ls`.")
        with translated(path, None):
            _refuse_directory(path)

    def read(self, operation: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """The result of `operation` on a consistent database; it may be called more than once."""
        with translated(self.path, None):
            for _ in range(_ATTEMPTS):
                before = self._shape()
                try:
                    with self._connection(before) as connection:
                        check_schema(connection, self.path, may_create=False)
                        result = operation(connection)
                except sqlite3.Error:
                    if self._shape() == before:
                        raise
                    continue
                if before.shared or self._shape() == before:
                    return result
        raise StoreUnavailableError(
            f"{self.path} kept changing while it was read",
            what_failed=f"Reading {self.path} without a write-ahead log, {_ATTEMPTS} times.",
            why="A read that leaves no trace is repeated when a writer appears beside it.",
            how_to_fix="Try again.",
            context={"driver": "sqlite", "reason": "locked", "path": self.path},
        )

    def _shape(self) -> _Shape:
        return _Shape(self.path)

    @contextmanager
    def _connection(self, shape: _Shape) -> Iterator[sqlite3.Connection]:
        if shape.wal and not shape.shm:
            with tempfile.TemporaryDirectory(prefix="activegraph-read-") as folder:
                copy = os.path.join(folder, "copy.db")
                shutil.copyfile(self.path, copy)
                shutil.copyfile(f"{self.path}-wal", f"{copy}-wal")
                with _closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                    yield connection
            return
        options = "mode=ro&readonly_shm=1" if shape.shared else "mode=ro&immutable=1"
        url = f"file:{quote(os.path.abspath(self.path))}?{options}"
        with _closing(sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False)) as connection:
            yield connection


class _Shape:
    """Which files a database has, and what tells that it was written to."""

    def __init__(self, path: str) -> None:
        self.wal = os.path.exists(f"{path}-wal")
        self.shm = os.path.exists(f"{path}-shm")
        state = os.stat(path)
        self.stamp = (state.st_size, state.st_mtime_ns, state.st_ino)

    @property
    def shared(self) -> bool:
        """Whether the write-ahead log and its index are there to be read beside a writer."""
        return self.wal and self.shm

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Shape):
            return NotImplemented
        return (self.wal, self.shm, self.stamp) == (other.wal, other.shm, other.stamp)

    def __hash__(self) -> int:
        return hash((self.wal, self.shm, self.stamp))


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()


def _missing(path: str, why: str, fix: str) -> StoreNotFoundError:
    return StoreNotFoundError(
        f"no store at {path}: {why}",
        what_failed=f"Opening {path}.",
        why="Directories are never made, and a read makes nothing at all.",
        how_to_fix=fix,
        context={"path": path, "driver": "sqlite"},
    )
