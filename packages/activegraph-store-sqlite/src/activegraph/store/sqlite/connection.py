"""The write connection: one long-lived one per handle, and how its commits reach stable storage."""

from __future__ import annotations

import os
import shlex
import sqlite3
import sys
import time
from contextlib import suppress

from activegraph.errors import (
    InvalidRuntimeConfiguration,
    SchemaVersionMismatch,
    StoreNotFoundError,
    StoreUnavailableError,
)
from activegraph.store.sqlite.driver_errors import translated
from activegraph.store.sqlite.location import Location, missing
from activegraph.store.sqlite.reading import PROCESS_GATE, ReadOnlyDatabase
from activegraph.store.sqlite.schema import check_schema, create_schema, log_mismatch

__all__ = ["check_settings", "open_for_writing", "roll_back", "sync_directory", "sync_log"]

_STATEMENT_CACHE = 64
_LONGEST_TIMEOUT = 2_000_000.0
"""Seconds; SQLite counts milliseconds in 31 bits."""
_PAUSE = 0.005


def check_settings(synchronous: str, busy_timeout: float) -> None:
    """Refuse settings that SQLite would take for something else.

    Raises:
        InvalidRuntimeConfiguration: `synchronous` is neither normal nor full, or the timeout no number of seconds.
    """
    if synchronous not in ("normal", "full"):
        name, value, fix = "synchronous", synchronous, 'synchronous="normal" (the default) or synchronous="full"'
    elif not 0 <= busy_timeout < float("inf"):
        name, value, fix = "busy_timeout", str(busy_timeout), "busy_timeout=30.0"
    else:
        return
    raise InvalidRuntimeConfiguration(
        f"{name} {value!r} is no setting of a SQLite store",
        what_failed=f"Opening a SQLite store with {name}={value!r}.",
        why="It decides what survives a power cut, and how long a writer waits, so a misspelling must not pass for a choice.",
        how_to_fix=fix,
        context={name: value},
    )


def open_for_writing(location: Location, *, synchronous: str, busy_timeout: float) -> sqlite3.Connection:
    """The write connection: WAL, autocommit; the file and its tables are made if missing.

    Raises:
        StoreNotFoundError: The directory is missing.
        StoreUnavailableError, LogInconsistencyError, SchemaVersionMismatch: It cannot be used.
    """
    if not os.path.isdir(location.directory):
        fix = f"mkdir -p {shlex.quote(location.directory)}"
        raise missing(location.shown, f"the directory {location.directory} does not exist", fix)
    check_settings(synchronous, busy_timeout)
    fresh = not os.path.exists(location.file)
    if not fresh:
        _refuse_untouched(location)
    timeout = min(busy_timeout, _LONGEST_TIMEOUT)
    with translated(location, None, writing=True), PROCESS_GATE.opening():
        connection = sqlite3.connect(
            os.fsencode(location.file),
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENT_CACHE,
        )
        try:
            if not check_schema(connection, location, may_create=True):
                _set_wal(connection, location, timeout)
                create_schema(connection, location)
            connection.execute(f"PRAGMA synchronous={synchronous}")
            # What a statement needs beside the database is as small as its batch, and no other directory has to be writable.
            connection.execute("PRAGMA temp_store=MEMORY")
            _set_wal(connection, location, timeout)
            if fresh:
                sync_directory(location)
        except BaseException as error:
            connection.close()
            if isinstance(error, SchemaVersionMismatch):
                log_mismatch(error)
            raise
    return connection


def _refuse_untouched(location: Location) -> None:
    """Refuse another layout or somebody else's database before a connection that could change it is opened.

    The last connection to close moves the write-ahead log into the file, whoever wrote it.
    """
    with suppress(StoreNotFoundError, StoreUnavailableError):
        ReadOnlyDatabase(location).read(lambda connection: None)


def _set_wal(connection: sqlite3.Connection, location: Location, timeout: float) -> None:
    # Switching needs to be alone for an instant, and the busy handler is not asked for that.
    deadline = time.monotonic() + max(timeout, 1.0)
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal":
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode == "wal":
                return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            if time.monotonic() > deadline:
                raise _no_wal(location, mode)
        time.sleep(_PAUSE)


def _no_wal(location: Location, mode: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{location.shown} cannot use a write-ahead log",
        what_failed=f"Switching {location.shown} to WAL; SQLite left it in mode {mode!r}.",
        why="Readers beside a writer and the promises about power cuts rest on the write-ahead log, which needs shared memory.",
        how_to_fix="Put the file on a local disk, not on a network file system.",
        context={"driver": "sqlite", "reason": "io", "path": location.shown, "committed": False},
    )


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo what is open; a connection that cannot even do that has nothing to undo."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def sync_log(location: Location) -> None:
    """Force all commits so far to stable storage.

    In WAL mode a commit stands in the `-wal` file until a checkpoint moves it, and a checkpoint syncs
    what it moves, so syncing the `-wal` covers everything. The database file itself is left alone:
    closing a second descriptor on it would drop the locks that SQLite holds for this process.
    """
    descriptor = os.open(location.log, os.O_RDWR)
    try:
        force(descriptor)
    finally:
        os.close(descriptor)


def force(descriptor: int) -> None:
    """Wait until what was written is on the disk; macOS takes an order of its own for that."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def sync_directory(location: Location) -> None:
    """Make the names of the files durable; where a directory cannot be opened, the file system decides."""
    try:
        descriptor = os.open(location.directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
