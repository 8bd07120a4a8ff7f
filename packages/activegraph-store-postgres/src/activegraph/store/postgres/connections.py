"""Where a store's connections come from: one of its own, one that it was lent, or a pool.

Only what a store has opened is closed by it, and only its own connection or a pool's is replaced
when it is lost.
"""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from activegraph.core.log_lines import say
from activegraph.errors import ActiveGraphError, InvalidArgumentType, StoreUnavailableError
from activegraph.store.postgres.address import Address, mask, refused_by_libpq, secrets_of, split_options
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.driver_errors import Place, masked_cause, not_found, translated, unavailable
from activegraph.store.postgres.schema import KEEP_TO_INDEXES
from activegraph.store.postgres.session import IDLE, IN_TRANSACTION, Session
from activegraph.store.url import parse_store_url, safe_url

__all__ = ["Connections", "connections_to"]

WAITS = (0.1, 0.5, 2.0)
"""Seconds before each try to reconnect."""

_DEFAULTS = {
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "client_encoding": "UTF8",
    "fallback_application_name": "activegraph",
}
_CONNECT_SECONDS = "10"
_PREPARE_AFTER = 5
_POOL_TRIES = 64
_SHOWN = 80

_logger = logging.getLogger("activegraph.store")


class Connections(Protocol):
    """What a store needs to know of where its connections come from."""

    place: Place
    url: str | None
    """The URL as given, where there is one."""
    address: Address
    recovers: bool
    """Whether a lost connection is replaced."""
    direct: bool
    """Whether the driver's number of the server's process is the true one, as far as is known."""
    lock: Any
    """Held during an operation by whoever shares the connection."""

    def acquire(self, run_id: str | None) -> Session:
        """A session for one operation.

        Raises:
            StoreUnavailableError: There is none to be had.
        """
        ...

    def release(self, session: Session) -> None:
        """Give a session back in the state that it came in; never raises."""
        ...

    def settle(self, session: Session, backend_pid: int) -> None:
        """Hear who serves the session, as the server says it itself."""
        ...

    def close(self) -> None:
        """Release what is owned; never raises."""
        ...


def connections_to(target: object) -> Connections:
    """Connections to a URL, over a lent `psycopg.Connection`, or from a lent pool.

    Raises:
        InvalidArgumentType: The target is none of these.
        InvalidStoreURL: Text that is no PostgreSQL URL.
    """
    if isinstance(target, str):
        parsed = parse_store_url(target)
        if parsed.scheme != "postgres":
            from activegraph.store.url import invalid

            raise invalid(target, "names no PostgreSQL database", "postgres://host/dbname")
        psycopg()
        return OwnConnection(target)
    psycopg()
    if _offers(target, "getconn", "putconn"):
        return Pool(target)
    if _offers(target, "cursor", "transaction", "execute"):
        return LentConnection(target)
    shown = mask(safe_url(repr(target)), secrets_of(repr(target)))[:_SHOWN]
    raise InvalidArgumentType(
        f"a PostgreSQL store is opened by a URL, a psycopg.Connection or a ConnectionPool, not by a {type(target).__name__}",
        what_failed=f"Opening a PostgreSQL store with {shown}.",
        why="The store talks to the database through psycopg 3, synchronously.",
        how_to_fix='PostgresEventStore("postgres://host/dbname", run_id)',
        context={"type": type(target).__name__, "repr": shown},
    )


def _offers(target: object, *methods: str) -> bool:
    if isinstance(target, type):
        return False
    found = [getattr(target, name, None) for name in methods]
    return all(callable(method) and not inspect.iscoroutinefunction(method) for method in found)


class OwnConnection:
    """One dedicated connection in autocommit, opened when first needed and replaced when lost."""

    recovers = True

    def __init__(self, url: str) -> None:
        self.url: str | None = url
        self.address = split_options(url)
        self.place = Place(safe_url(url), secrets_of(url))
        self.lock = RLock()
        self.direct = True
        self._prepares = self.address.prepare is not False
        self._session: Session | None = None
        self._was_open = False

    def acquire(self, run_id: str | None) -> Session:
        """The connection; a lost one is replaced, with a warning."""
        session = self._session
        if session is not None:
            if not session.is_gone():
                return session
            self._drop(session)
        if not self._was_open:
            self._session = self._open()
            self._was_open = True
            return self._session
        return self._reopen(run_id)

    def _reopen(self, run_id: str | None) -> Session:
        failure: StoreUnavailableError | None = None
        for attempt, seconds in enumerate(WAITS, start=1):
            _warn_lost(run_id, attempt, failure)
            time.sleep(seconds)
            try:
                session = self._open()
                with translated(self.place, run_id):
                    session.read(KEEP_TO_INDEXES, (str(session.backend_pid),))
            except StoreUnavailableError as error:
                failure = error
            else:
                self._session = session
                return session
        assert failure is not None  # noqa: S101 - there is at least one try
        raise failure

    def _open(self) -> Session:
        driver = psycopg()
        try:
            parameters = driver.conninfo.conninfo_to_dict(self.address.conninfo)
        except driver.ProgrammingError as error:
            refused = refused_by_libpq(str(self.url), str(error), self.place.secrets)
            raise refused from masked_cause(error, self.place)
        parameters = _DEFAULTS | parameters
        if "PGCONNECT_TIMEOUT" not in os.environ:
            parameters.setdefault("connect_timeout", _CONNECT_SECONDS)
        try:
            connection = driver.connect(autocommit=True, **parameters)
        except (driver.Error, OSError, UnicodeError) as error:
            raise self._not_connected(error) from masked_cause(error, self.place)
        connection.prepare_threshold = _PREPARE_AFTER if self._prepares else None
        return Session(connection, is_ours=True)

    def settle(self, session: Session, backend_pid: int) -> None:
        """Leave statements unprepared behind a pooler, where the next one may reach another session."""
        self.direct = session.backend_pid == backend_pid
        if not self.direct and self.address.prepare is None:
            self._prepares = False
            session.connection.prepare_threshold = None

    def _not_connected(self, error: BaseException) -> ActiveGraphError:
        text = str(error)
        if "database" in text and "does not exist" in text:
            return not_found(self.place, self.place.mask(text))
        return unavailable(self.place, None, "connect", text, committed=False)

    def release(self, session: Session) -> None:
        """Keep the connection for the next operation, unless it is lost."""
        if session.broken or session.connection.closed:
            session.broken = True

    def _drop(self, session: Session) -> None:
        self._session = None
        _close_quietly(session.connection)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._drop(self._session)


_lent_locks: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


class LentConnection:
    """A connection of the caller's: never closed, never replaced, left as it was found."""

    recovers = False
    direct = True
    address = Address("")
    url: str | None = None

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.place = _place_of(connection)
        # Savepoints of two handles on one connection must not interleave.
        self.lock = _lent_locks.setdefault(connection, RLock())

    def acquire(self, run_id: str | None) -> Session:
        """The caller's connection, if it can still be used."""
        if self._connection.closed:
            raise unavailable(self.place, run_id, "lost", "the connection that was lent is closed", committed=False)
        session = Session(self._connection)
        if session.status not in (IDLE, IN_TRANSACTION):
            raise unavailable(
                self.place,
                run_id,
                "io",
                "the transaction of the connection that was lent has failed",
                fix="End that transaction first: connection.rollback()",
                committed=False,
            )
        return session

    def release(self, session: Session) -> None:
        """The connection stays with its owner."""

    def settle(self, session: Session, backend_pid: int) -> None:
        """What is prepared is the owner's business."""

    def close(self) -> None:
        """The connection stays with its owner."""


class Pool:
    """A pool of the caller's: a connection is taken for each operation and goes back as it came."""

    recovers = True
    direct = True
    address = Address("")
    url: str | None = None

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: dict[int, Session] = {}
        self.place = _place_of_pool(pool)
        self.lock = RLock()

    def acquire(self, run_id: str | None) -> Session:
        """A living connection of the pool, in autocommit while it is ours."""
        for attempt in range(1, _POOL_TRIES + 1):
            connection = self._take(run_id)
            session = self._session_of(connection)
            if session is not None and not session.is_gone():
                return session
            if attempt == 1:
                _warn_lost(run_id, attempt, None)
            _close_quietly(connection)
            self._pool.putconn(connection)
        raise unavailable(self.place, run_id, "lost", "the pool gave only dead connections", committed=False)

    def _session_of(self, connection: Any) -> Session | None:
        """A session on the connection, in autocommit; None if it is dead."""
        try:
            session = self._kept.get(id(connection))
            if session is None or session.connection is not connection:
                session = Session(connection)
            if not connection.autocommit:
                # A client-side switch: without it each operation would cost BEGIN and COMMIT.
                connection.autocommit = session.restore_autocommit = True
        except psycopg().Error:
            return None
        return session

    def _take(self, run_id: str | None) -> Any:
        driver = psycopg()
        try:
            return self._pool.getconn()
        except (driver.Error, OSError) as error:
            full = type(error).__name__ in ("PoolTimeout", "TooManyRequests")
            reason = "pool_timeout" if full else "connect"
            raise unavailable(self.place, run_id, reason, str(error), committed=False) from masked_cause(
                error, self.place
            )

    def release(self, session: Session) -> None:
        """Give the connection back; a broken one is closed, so that the pool discards it."""
        connection = session.connection
        try:
            if session.broken:
                _close_quietly(connection)
            elif session.restore_autocommit and not connection.closed:
                session.restore_autocommit = connection.autocommit = False
            self._keep(session)
        except psycopg().Error:
            _close_quietly(connection)
        finally:
            self._pool.putconn(connection)

    def _keep(self, session: Session) -> None:
        """Keep a session for when its connection comes again, unless it is lost or holds what was read."""
        number = id(session.connection)
        if session.broken or session.undecided or session.has_read:
            self._kept.pop(number, None)
        elif self._kept.get(number) is not session:
            # A connection that is new means that the pool may have given up others.
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.connection.closed}
            self._kept[number] = session

    def settle(self, session: Session, backend_pid: int) -> None:
        """What is prepared is the owner's business."""
        self.direct = session.backend_pid == backend_pid

    def close(self) -> None:
        """The pool stays with its owner."""
        self._kept.clear()


def _warn_lost(run_id: str | None, attempt: int, failure: BaseException | None) -> None:
    fields = {"error_type": "OperationalError" if failure is None else type(failure).__name__}
    if run_id is not None:
        fields["run_id"] = run_id
    say(_logger, logging.WARNING, "connection lost, reconnecting (attempt %d)", attempt, **fields)


def _close_quietly(connection: Any) -> None:
    with _no_driver_errors():
        connection.close()


@contextmanager
def _no_driver_errors() -> Iterator[None]:
    try:
        yield
    except (psycopg().Error, OSError) as error:
        say(_logger, logging.DEBUG, "closing a lost connection failed", error_type=type(error).__name__)


def _place_of(connection: Any) -> Place:
    with translated(Place("the connection that was lent"), None):
        info = connection.info
        if connection.closed:
            raise unavailable(Place("the connection that was lent"), None, "lost", "it is closed", committed=False)
        shown = f"postgresql://{info.user}@{info.host or ''}:{info.port}/{info.dbname}"
        return Place(shown, secrets_of({"password": info.password}))


def _place_of_pool(pool: Any) -> Place:
    driver = psycopg()
    conninfo = getattr(pool, "conninfo", "")
    conninfo = conninfo if isinstance(conninfo, str) else ""
    kwargs = getattr(pool, "kwargs", None)
    kwargs = kwargs if isinstance(kwargs, dict) else {}
    secrets = secrets_of(conninfo, kwargs)
    if "://" in conninfo:
        return Place(safe_url(conninfo), secrets)
    try:
        parts = driver.conninfo.conninfo_to_dict(conninfo) | kwargs
    except driver.Error:
        parts = kwargs
    login = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return Place(f"postgresql://{login}{parts.get('host', '')}{port}/{parts.get('dbname', '')}", secrets)
