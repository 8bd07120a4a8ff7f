"""What every operation of a store goes through: is it open, may it write, whose connection, and what was lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from activegraph.errors import StoreUnavailableError
from activegraph.store.postgres.connections import Connections
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.driver_errors import DRIVER, is_lost, masked_cause, translated, unavailable
from activegraph.store.postgres.schema import ServerFacts, open_schema
from activegraph.store.postgres.session import IN_TRANSACTION, Session
from activegraph.store.refusals import closed, forked_handle, read_only_handle

__all__ = ["Handle"]

_Result = TypeVar("_Result")


class Handle:
    """Connections in use by one store, or by one operation on all runs.

    Attributes:
        lock: Held during an operation; a block of `transaction()` holds it throughout.
        block: The session of an open `transaction()`, which everything inside it goes through.
    """

    def __init__(
        self,
        connections: Connections,
        run_id: str | None = None,
        *,
        read_only: bool,
        describe: Callable[[], str] = lambda: "the store",
    ) -> None:
        self.connections = connections
        self.place = connections.place
        self.run_id = run_id
        self.read_only = read_only
        self.lock = connections.lock
        self.block: Session | None = None
        self.facts: ServerFacts | None = None
        self._describe = describe
        self._pid = os.getpid()
        self._closed = False

    def open(self, *, create_schema: bool = False, learn: Callable[[Session], None] | None = None) -> Self:
        """Connect, check the tables, make them if that is asked for, and let `learn` read what it needs."""

        def look(session: Session) -> None:
            facts = open_schema(session, self.place, read_only=self.read_only, create_schema=create_schema)
            self.connections.settle(session, facts.backend_pid)
            self.facts = facts
            if learn is not None:
                learn(session)

        try:
            if self.read_only:
                self.read(look)
            else:
                self.write(look, repeatable=True)
        except BaseException:
            self.close()
            raise
        return self

    def read(self, operation: Callable[[Session], _Result]) -> _Result:
        """The result of a read. It is repeated once, on another connection, if the first one was lost."""
        return self._run(operation, repeatable=True, writing=False)

    def write(self, operation: Callable[[Session], _Result], *, repeatable: bool = False) -> _Result:
        """The result of a write; `repeatable` if doing it twice is the same as doing it once."""
        return self._run(operation, repeatable=repeatable, writing=True)

    def _run(self, operation: Callable[[Session], _Result], *, repeatable: bool, writing: bool) -> _Result:
        self.check_open()
        with self.lock:
            self.check_open()
            with translated(self.place, self.run_id, writing=writing):
                try:
                    with self.session() as session:
                        return operation(session)
                except psycopg().Error as error:
                    if not session.broken:
                        raise
                    if not (repeatable and self.connections.recovers and self.block is None):
                        raise self.lost(error, session, writing=writing) from masked_cause(error, self.place)
                with self.session() as session:
                    return operation(session)

    def lost(self, error: BaseException, session: Session, *, writing: bool = True) -> StoreUnavailableError:
        """The error for a session that was lost; of a write it says whether its outcome is open."""
        if not writing:
            return unavailable(self.place, self.run_id, "lost", str(error))
        committed = None if session.undecided and self.block is None else False
        return unavailable(self.place, self.run_id, "lost", str(error), committed=committed)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for one operation, given back afterwards; marked if it was lost."""
        session = self.take()
        try:
            yield session
        except psycopg().Error as error:
            self.mark(session, error)
            raise
        finally:
            self.give_back(session)

    def take(self) -> Session:
        """A session for one operation: that of the open block, or one from where connections come from."""
        return self.block or self.connections.acquire(self.run_id)

    def mark(self, session: Session, error: BaseException) -> None:
        """Note on a session if an error means that it is lost."""
        session.broken = session.broken or is_lost(error, session.connection)

    def give_back(self, session: Session) -> None:
        """The end of the operation that a session was taken for."""
        if session is not self.block:
            self.connections.release(session)

    def in_callers_transaction(self) -> bool:
        """Whether the connection's owner has a transaction open, which decides what becomes of our writes."""
        if self.connections.recovers or self.block is not None:
            return False
        with self.lock, self.session() as session:
            return session.status == IN_TRANSACTION

    def is_usable(self) -> bool:
        """Whether calls would be taken."""
        return not self._closed and os.getpid() == self._pid

    def check_open(self, *, writing: bool = False) -> None:
        """Refuse a closed handle, and one that a forked child took over.

        The process is looked at without the lock: a thread of the parent may have held it.
        """
        if self._closed:
            raise closed(DRIVER, self.run_id or "", writing=writing)
        if os.getpid() != self._pid:
            raise forked_handle(DRIVER, self.run_id or "", self.place.safe_url)

    def check_writable(self, operation: str) -> None:
        """Refuse a handle that may not write."""
        self.check_open(writing=True)
        if self.read_only:
            raise read_only_handle(self.run_id or "", operation, self._describe())

    def close(self) -> None:
        """Release what is owned; never raises. A child leaves its parent's connection alone."""
        if os.getpid() != self._pid:
            self._closed = True
            return
        with self.lock:
            self._closed = True
            self.connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
