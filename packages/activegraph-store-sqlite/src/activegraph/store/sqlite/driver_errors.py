"""What SQLite and the file system say, in the errors of the product."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from activegraph.errors import LogInconsistencyError, StorageError, StoreUnavailableError
from activegraph.store.serde import log_inconsistency
from activegraph.store.sqlite.location import Location

__all__ = ["DriverError", "as_ours", "translated"]

DriverError = (sqlite3.Error, OSError)
"""What is caught around the driver; errors of ours that are an `OSError` too pass through `as_ours` unchanged."""

_REASONS = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    # There was no space for the index of the write-ahead log: SQLite says so of its other files only.
    sqlite3.SQLITE_IOERR_SHMSIZE: "full",
    sqlite3.SQLITE_READONLY: "permission",
    sqlite3.SQLITE_PERM: "permission",
    sqlite3.SQLITE_AUTH: "permission",
}

_FIXES = {
    "locked": "Another process holds the write lock: wait for it, or raise `?busy_timeout=` in the URL.",
    "full": "Make space on the disk, then load the run again; everything that was acknowledged is there.",
    "permission": "Check the owner and mode of the file and its directory.",
    "io": "Check the path, the disk and the file system, then open the store again.",
}

_TO_READ_ONLY = " To read only, open it with read_only=True."


@contextmanager
def translated(
    location: Location, run_id: str | None, *, writing: bool = False, committed: bool = False
) -> Iterator[None]:
    """Turn driver errors inside the block into ours, the driver's as their cause."""
    try:
        yield
    except DriverError as error:
        ours = as_ours(error, location, run_id, writing=writing, committed=committed)
        if ours is error:
            raise
        raise ours from error


def as_ours(
    error: BaseException, location: Location, run_id: str | None, *, writing: bool = False, committed: bool = False
) -> BaseException:
    """The error to raise for what the driver raised.

    Args:
        committed: Whether the write is in the database already, and only its way to the disk failed.
    """
    if isinstance(error, StorageError):
        return error
    if isinstance(error, sqlite3.Error):
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return _malformed(error, location, run_id)
        reason = _REASONS.get(extended) or _REASONS.get(code, "io")
        if code == sqlite3.SQLITE_CANTOPEN and not _is_accessible(location, writing):
            reason = "permission"
    elif isinstance(error, PermissionError):
        reason = "permission"
    else:
        reason = "full" if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else "io"
    context: dict[str, object] = {"driver": "sqlite", "reason": reason, "run_id": run_id, "path": location.shown}
    outcome = ""
    if writing:
        context["committed"] = committed
        outcome = (
            " The write is in the database, but may not survive a power cut." if committed else " Nothing was stored."
        )
    return StoreUnavailableError(
        f"{location.shown} is unavailable ({reason}): {error}",
        what_failed=f"{'Writing to' if writing else 'Reading'} {location.shown}.{outcome}",
        why="The database cannot do it now.",
        how_to_fix=_FIXES[reason] + (_TO_READ_ONLY if writing and reason == "permission" else ""),
        context=context,
    )


def _is_accessible(location: Location, writing: bool) -> bool:
    needed = os.R_OK | os.W_OK if writing else os.R_OK
    if os.path.exists(location.file) and not os.access(location.file, needed):
        return False
    return os.access(location.directory, needed | os.X_OK)


def _malformed(error: BaseException, location: Location, run_id: str | None) -> LogInconsistencyError:
    inconsistent = LogInconsistencyError(
        f"{location.shown} is no readable SQLite database: {error}",
        what_failed=f"Reading {location.shown}: {error}.",
        why="The file is damaged, or something else than a store.",
        how_to_fix="Check the path; restore the file from a copy, or salvage what can be read of it:\n"
        f"    sqlite3 {shlex.quote(location.shown)} .recover",
        context={"run_id": run_id, "reason": "malformed", "path": location.shown, "driver": "sqlite"},
    )
    log_inconsistency(inconsistent, run_id)
    return inconsistent
