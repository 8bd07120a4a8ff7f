"""One connection in use for one operation, and how statements run on it.

A statement is its own transaction where the connection is in autocommit and idle; on a connection
that a caller has set up otherwise it runs in a transaction, or inside the caller's in a savepoint.
Nothing of the connection is left changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from activegraph.store.postgres.driver import psycopg

__all__ = ["IDLE", "IN_TRANSACTION", "Session"]

IDLE, IN_TRANSACTION = 0, 2
"""libpq's transaction status of a connection: between transactions, and in one that goes well."""


class Session:
    """A connection while it is in use."""

    def __init__(self, connection: Any, *, is_ours: bool = False) -> None:
        self.connection = connection
        self.is_ours = is_ours
        """Whether nobody else uses the connection."""
        self.broken = False
        """Set when the session was lost, so that it is not used again."""
        self.restore_autocommit = False
        """Whether the connection came out of autocommit and goes back so."""
        self.backend_pid = int(connection.pgconn.backend_pid)
        """Process id of the server's end as the driver was told; it can't be asked for after a loss."""
        self.undecided = False
        """Whether a commit is on its way, so that a loss now leaves its outcome open."""
        self.has_read = False
        """Whether the cursor holds what a query has found."""
        self._cursor = _cursor(connection)

    def read(self, sql: str, params: Sequence[object] = ()) -> Any:
        """The cursor of a query; rows are plain tuples, whatever row factory the connection has."""
        self.has_read = True
        if self.connection.autocommit or self.status != IDLE:
            return self._cursor.execute(sql, params, binary=True)
        with self.connection.transaction():
            return self._cursor.execute(sql, params, binary=True)

    def write(self, sql: str, params: Sequence[object]) -> int:
        """Run one statement, whole or not at all; returns the number of rows."""
        if self.connection.autocommit and self.status == IDLE:
            self.undecided = True
            count = int(self._cursor.execute(sql, params).rowcount)
            self.undecided = False
            return count
        with self.transaction():
            return int(self._cursor.execute(sql, params).rowcount)

    def execute(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """Run one statement inside a transaction that is open."""
        return self._cursor.execute(sql, params)

    def copy(self, sql: str) -> Any:
        """The context of a COPY statement."""
        return self._cursor.copy(sql)

    @contextmanager
    def transaction(self, *, undone: bool = False) -> Iterator[None]:
        """Statements inside commit together; inside another transaction a savepoint. `undone` always rolls back."""
        outermost = self.status == IDLE
        with self.connection.transaction(force_rollback=undone):
            yield
            self.undecided = outermost and not undone
        self.undecided = False

    def is_gone(self) -> bool:
        """Whether this idle session is known to be dead; its socket is looked at, nothing is sent.

        A server that ends a session says so and closes the socket. Finding that out before a statement
        is sent means that there is no outcome to be unsure about.
        """
        if self.broken or self.connection.closed:
            return True
        # What the server had to say comes with the first look, that it has closed the socket with the second.
        # Neither lets another thread run, as asking the socket whether there is anything would.
        try:
            self.connection.pgconn.consume_input()
            self.connection.pgconn.consume_input()
        except psycopg().Error:
            return True
        return bool(self.connection.closed)

    @property
    def status(self) -> int:
        """libpq's transaction status of the connection."""
        return int(self.connection.pgconn.transaction_status)


def _cursor(connection: Any) -> Any:
    driver = psycopg()
    if isinstance(connection, driver.Connection):
        # Not `connection.cursor()`: a caller's cursor factory may bind parameters in another way.
        return driver.Cursor(connection, row_factory=driver.rows.tuple_row)
    return connection.cursor(row_factory=driver.rows.tuple_row)
