"""What PostgreSQL and psycopg say, in the errors of the product; passwords are masked first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from activegraph.errors import (
    LogInconsistencyError,
    NonSerializableEventError,
    StorageError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from activegraph.store.postgres.address import mask
from activegraph.store.postgres.driver import psycopg
from activegraph.store.serde import log_inconsistency

__all__ = ["Place", "is_lost", "masked_cause", "no_schema", "translated", "unavailable"]

DRIVER = "postgres"

_FIXES = {
    "connect": "Check that the server runs (pg_isready), and that host, role, password and database are right: psql '{url}'",
    "lost": "Load the run again; everything that was acknowledged is there.",
    "locked": "Wait for the session that holds the lock, or end it, then load the run again.",
    "pool_timeout": "Give the pool more connections (max_size=), or return those that are taken.",
    "io": "Look into the server's log for the cause, then open the store again.",
    "full": "Make space on the server's disk, then load the run again; everything that was acknowledged is there.",
    "permission": "Give the role its rights; the GRANT lines are printed by: python -m activegraph.store.postgres --ddl",
    "no_schema": "Let an owner make the tables: python -m activegraph.store.postgres --ddl | psql '{url}'",
}

_REASON_BY_STATE = {
    "53100": "full",
    "42501": "permission",
    "25006": "permission",
    "55P03": "locked",
    "55006": "locked",
    "57014": "locked",
    "40001": "locked",
    "40P01": "locked",
}

_REASON_BY_CLASS = {"08": "lost", "28": "connect", "57": "lost"}

_MISSING = {"42P01", "3F000"}
_NO_SUCH_COLUMN = "42703"
_TOO_LARGE_FOR_KEY = "54000"


@dataclass(frozen=True)
class Place:
    """What errors name: the masked URL, and the texts that no message may hold."""

    safe_url: str
    secrets: tuple[str, ...] = ()

    def mask(self, text: str) -> str:
        """`text` without secrets, on one line."""
        return mask(" ".join(text.split()), self.secrets)


def is_lost(error: BaseException, connection: Any) -> bool:
    """Whether the session that an error came from is gone, so that nobody has heard how it ended."""
    if not isinstance(error, psycopg().Error):
        return False
    state = getattr(error, "sqlstate", None) or ""
    return state in ("57P01", "57P02", "57P03") or state.startswith("08") or bool(connection.closed)


@contextmanager
def translated(place: Place, run_id: str | None, *, writing: bool = False) -> Iterator[None]:
    """Turn driver errors inside the block into ours, the driver's as their cause.

    A write that fails with an answer of the server was not stored. One that fails without an answer
    is not decided here.
    """
    try:
        yield
    except (psycopg().Error, OSError, UnicodeError) as error:
        if isinstance(error, StorageError):
            raise
        raise translate(error, place, run_id, writing=writing) from masked_cause(error, place)


def translate(error: BaseException, place: Place, run_id: str | None, *, writing: bool = False) -> Exception:
    """Our error for one of the driver's."""
    state = getattr(error, "sqlstate", None) or ""
    if state in _MISSING:
        return not_found(place, "its tables are missing")
    if state == _NO_SUCH_COLUMN:
        return _altered(error, place, run_id)
    if state[:2] == "XX":
        return _damaged(error, place, run_id)
    if state == _TOO_LARGE_FOR_KEY:
        return _too_large(error, place, run_id)
    if state[:2] == "22":
        return _malformed(error, place, run_id)
    reason = _REASON_BY_STATE.get(state) or _REASON_BY_CLASS.get(state[:2])
    if reason is None:
        lost = isinstance(error, (psycopg().OperationalError, psycopg().InterfaceError)) and not state
        reason = "lost" if lost else "io"
    if writing:
        return unavailable(place, run_id, reason, str(error), committed=None if reason == "lost" else False)
    return unavailable(place, run_id, reason, str(error))


def unavailable(
    place: Place, run_id: str | None, reason: str, text: str, *, fix: str | None = None, **context: object
) -> StoreUnavailableError:
    """The error for a database that cannot do it now."""
    shown = place.mask(text)
    outcome = {True: " It was committed.", False: " Nothing was stored."}.get(
        context.get("committed"),  # type: ignore[call-overload]  # None and a missing key have no sentence
        " Whether it was stored is not known." if "committed" in context else "",
    )
    # Nobody has said yet what the connection is for, so that is not told either.
    tried = "Connecting to" if reason == "connect" else "Writing to" if "committed" in context else "Using"
    return StoreUnavailableError(
        f"{place.safe_url} is unavailable ({reason}): {shown}",
        what_failed=f"{tried} {place.safe_url}.{outcome}",
        why="The database cannot do it now.",
        how_to_fix=fix or _FIXES[reason].format(url=place.safe_url),
        context={"driver": DRIVER, "reason": reason, "run_id": run_id, **context},
    )


def no_schema(place: Place, text: str) -> StoreUnavailableError:
    """The error for missing tables that this handle may not make."""
    return unavailable(place, None, "no_schema", text, committed=False)


def not_found(place: Place, why: str) -> StoreNotFoundError:
    """The error for a database or tables that are missing where nothing may be created."""
    return StoreNotFoundError(
        f"no store at {place.safe_url}: {why}",
        what_failed=f"Opening {place.safe_url}.",
        why="Databases are never made, and a read makes nothing at all.",
        how_to_fix=f"Check the URL and its search_path; see what is there: psql '{place.safe_url}' -c '\\dt'",
        context={"url": place.safe_url, "driver": DRIVER},
    )


def masked_cause(error: BaseException, place: Place) -> BaseException:
    """The driver's error; a copy without secrets and without its traceback where its text holds any."""
    text = str(error)
    masked = mask(text, place.secrets)
    if masked == text:
        return error
    return type(error)(masked)


def _damaged(error: BaseException, place: Place, run_id: str | None) -> LogInconsistencyError:
    text = place.mask(str(error))
    damaged = LogInconsistencyError(
        f"{place.safe_url} is damaged: {text}",
        what_failed=f"Using {place.safe_url}: {text}.",
        why="The server found its own files to be inconsistent.",
        how_to_fix="Restore the database from a backup; look into the server's log first.",
        context={"run_id": run_id, "reason": "malformed", "driver": DRIVER},
    )
    log_inconsistency(damaged, run_id)
    return damaged


def _altered(error: BaseException, place: Place, run_id: str | None) -> LogInconsistencyError:
    text = place.mask(getattr(getattr(error, "diag", None), "message_primary", None) or str(error))
    altered = LogInconsistencyError(
        f"the tables of {place.safe_url} are not as they were made: {text}",
        what_failed=f"Using {place.safe_url}: {text}. Nothing was stored.",
        why="The layout that the database names has columns that its tables lack.",
        how_to_fix=f"See which ones there are (psql '{place.safe_url}' -c '\\d events'), and which there should be:\n"
        "    python -m activegraph.store.postgres --ddl",
        context={"run_id": run_id, "reason": "malformed", "driver": DRIVER},
    )
    log_inconsistency(altered, run_id)
    return altered


def _malformed(error: BaseException, place: Place, run_id: str | None) -> LogInconsistencyError:
    # Canonical text always passes; this is text from elsewhere, and the server's detail quotes it.
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None) or type(error).__name__
    return LogInconsistencyError(
        f"{place.safe_url} refuses a value of run {run_id!r}: {diagnosis}",
        what_failed=f"Writing to {place.safe_url}: {diagnosis}. Nothing was stored.",
        why="A payload column takes JSON only, so that it can be asked with SQL.",
        how_to_fix="Check the source: activegraph verify <url> --run-id <id>, or leave such events out:\n"
        "    activegraph migrate --from <url> --to <url> --skip-corrupted",
        context={"run_id": run_id, "reason": "malformed", "driver": DRIVER},
    )


def _too_large(error: BaseException, place: Place, run_id: str | None) -> NonSerializableEventError:
    text = place.mask(str(error))
    return NonSerializableEventError(
        f"a run id, event id or type is too long for an index: {text}",
        what_failed=f"Appending to run {run_id!r} of {place.safe_url}: {text}. Nothing was stored.",
        why="Ids and rare types are keys, and a key of PostgreSQL holds about 2,700 bytes after compression.",
        how_to_fix="Use a shorter id.",
        context={"path": "id", "type": "str"},
    )
