"""What SQLite says, in the errors of the product."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from activegraph.errors import LogInconsistencyError, StorageError, StoreUnavailableError

__all__ = ["translated"]

_logger = logging.getLogger("activegraph.store")

_FIXES = {
    "locked": "Another process holds the write lock: wait for it, or raise `?busy_timeout=` in the URL.",
    "full": "Make space on the disk, then load the run again; everything that was acknowledged is there.",
    "permission": "Check the owner and mode of the file and its directory, or open it with read_only=True.",
    "io": "Check the path, the disk and the file system, then open the store again.",
}


@contextmanager
def translated(path: str, run_id: str | None, *, writing: bool = False) -> Iterator[None]:
    """Turn driver errors inside the block into ours, the driver's as their cause."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path, run_id, writing=writing) from error
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise _unavailable(
            error, path, run_id, "permission" if isinstance(error, PermissionError) else "io", writing
        ) from error


def _translated(error: sqlite3.Error, path: str, run_id: str | None, *, writing: bool) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or (
        isinstance(error, sqlite3.OperationalError) and "malformed" in str(error)
    ):
        return _malformed(error, path, run_id)
    reason = {
        sqlite3.SQLITE_BUSY: "locked",
        sqlite3.SQLITE_LOCKED: "locked",
        sqlite3.SQLITE_FULL: "full",
        sqlite3.SQLITE_READONLY: "permission",
        sqlite3.SQLITE_PERM: "permission",
        sqlite3.SQLITE_AUTH: "permission",
    }.get(code, "io")
    return _unavailable(error, path, run_id, reason, writing)


def _unavailable(
    error: BaseException, path: str, run_id: str | None, reason: str, writing: bool
) -> StoreUnavailableError:
    context: dict[str, object] = {"driver": "sqlite", "reason": reason, "run_id": run_id}
    if writing:
        context["committed"] = False
    return StoreUnavailableError(
        f"{path} is unavailable ({reason}): {error}",
        what_failed=f"{'Writing to' if writing else 'Reading'} {path}: {error}.{' Nothing was stored.' if writing else ''}",
        why="The database cannot do it now.",
        how_to_fix=_FIXES[reason],
        context=context,
    )


def _malformed(error: BaseException, path: str, run_id: str | None) -> LogInconsistencyError:
    inconsistent = LogInconsistencyError(
        f"{path} is no readable SQLite database: {error}",
        what_failed=f"Reading {path}: {error}.",
        why="The file is damaged, or something else than a store.",
        how_to_fix="Check the path; restore the file from a copy, or salvage it with `sqlite3 <file> .recover`.",
        context={"run_id": run_id, "reason": "malformed", "path": path, "driver": "sqlite"},
    )
    _logger.critical(
        "event log inconsistency: %s",
        inconsistent.summary,
        extra={
            "error_type": type(inconsistent).__name__,
            "error_message": inconsistent.summary,
            "doc_url": inconsistent.doc_url,
        },
    )
    return inconsistent
